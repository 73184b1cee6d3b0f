"""Every alert has its page and every page its alert; what a page says to ask and to type exists."""

import re
import shlex

import click
import pytest

from service.__main__ import anchorwatch
from service.publish.catalogue import FAMILIES
from service.publish.families import MetricType
from tests.unit.deploy.alerting import METRIC, RECORDED, ROOT, alerts, promtool, recorded, rules

DIRECTORY = ROOT / "deploy/runbooks"
PAGES = {path.stem: path.read_text("utf-8") for path in sorted(DIRECTORY.glob("*.md"))}
INDEX = PAGES.pop("README")
QUERY = re.compile(r"```promql\n(.*?)\n```", re.DOTALL)
COMMAND = re.compile(r"`(anchorwatch [^`]+)`")
PARTS = (
    "## What it means",
    "## What to look at first",
    "## What to do",
    "## How to silence it",
)
HISTOGRAMS = {f.full_name + "_bucket" for f in FAMILIES if f.type is MetricType.HISTOGRAM}
KNOWN = {f.full_name for f in FAMILIES} | HISTOGRAMS


def test_every_alert_has_its_page_and_every_page_its_alert():
    assert PAGES.keys() == alerts().keys()


def test_the_index_links_to_every_page():
    assert set(re.findall(r"\]\((\w+)\.md\)", INDEX)) == PAGES.keys()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_means_what_to_look_at_what_to_do_and_how_to_silence_it(name):
    page = PAGES[name]
    places = [page.index(part) for part in PARTS]
    assert places == sorted(places)
    assert page.startswith(f"# {name}\n")
    assert QUERY.findall(page[places[1] : places[2]])
    assert re.search(r"^1\. ", page[places[2] : places[3]], re.MULTILINE)
    assert "```sh" in page[places[3] :]


def test_queries_name_metrics_that_there_are():
    asked = {metric for page in PAGES.values() for metric in METRIC.findall(page)}
    assert asked - KNOWN == set()
    of_rules = {name for page in PAGES.values() for name in RECORDED.findall(page)}
    assert of_rules <= recorded().keys()


def test_promtool_understands_every_query(tmp_path):
    queries = [query for page in PAGES.values() for query in QUERY.findall(page)]
    assert len(queries) > 2 * len(PAGES)
    file = tmp_path / "queries.yml"
    lines = [f"- record: q{i}\n  expr: {query!r}\n" for i, query in enumerate(queries)]
    file.write_text(
        "groups:\n- name: runbooks\n  rules:\n  "
        + "  ".join(lines).replace("\n  expr", "\n    expr"),
        "utf-8",
    )
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_and_their_options_exist():
    commands = [command for page in PAGES.values() for command in COMMAND.findall(page)]
    assert len(commands) > 10
    for text in commands:
        words = shlex.split(text)[1:]
        command: click.Command = anchorwatch
        while words and isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, text
            command = found
        options = {name for option in command.params for name in option.opts}
        assert {word for word in words if word.startswith("--")} <= options, text


def test_silences_match_by_labels_that_the_alert_has():
    by_alert = {name: labels_of(named) for name, named in alerts().items()}
    for name, page in PAGES.items():
        for line in re.findall(r"^amtool silence add (.*)$", page, re.MULTILINE):
            matchers = [word.split("=")[0] for word in shlex.split(line) if "=" in word]
            assert set(matchers) <= by_alert[name] | {"alertname"}, name


def labels_of(named):
    """The labels by which the expression of an alert groups, and its own."""
    labels = {label for rule in named for label in rule["labels"]}
    for rule in named:
        expr = rule["expr"]
        for name, inner in recorded().items():
            expr = expr.replace(name, f"({inner})") if name in expr else expr
        for group in re.findall(r"\bby\s*\(([^)]*)\)", expr):
            labels |= {label.strip() for label in group.split(",")}
    return labels


def test_rules_point_to_the_pages():
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook_url"].rsplit("/", 1)[1] == f"{rule['alert']}.md"
