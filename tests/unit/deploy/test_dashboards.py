"""The dashboards are what the program writes, and hold together: places, names, links."""

import re
from itertools import combinations
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from deploy.grafana.layout import Line, Section, placed
from deploy.grafana.panels import stat
from deploy.grafana.rendering import DIRECTORY, rendered
from service.publish.catalogue import FAMILIES
from service.publish.families import MetricType
from tests.unit.deploy.boards import FILES, GRAFANA, asked, boards, filled, panels

BOARDS = boards()
EACH = pytest.mark.parametrize("uid", BOARDS)
METRIC = re.compile(r"\banchorwatch_\w+(?=[\s{)\[,]|$)")
LABELLED = re.compile(r"(anchorwatch_\w+)\{([^}]*)\}")
SUFFIXES = {MetricType.HISTOGRAM: ("_bucket", "_sum", "_count")}
BUILT_IN = {"__all", "__rate_interval", "__url_time_range", "__data", "__field"}
SCRAPED = {"instance", "job"}

NOT_SHOWN = {
    "anchorwatch_panes_judged_total",  # moves with the watermark, which is shown
    "anchorwatch_reference_info",  # a hash: the page of the model has it
    "anchorwatch_model_severity_info",  # for rules
    "anchorwatch_upstream_member",  # for rules
    "anchorwatch_episode_verdicts_total",  # the latest verdicts are shown
}


def exported() -> dict[str, set[str]]:
    """Every metric there is, and the labels of it."""
    names: dict[str, set[str]] = {}
    for family in FAMILIES:
        for suffix in SUFFIXES.get(family.type, ("",)):
            names[family.full_name + suffix] = {*family.labels, *SCRAPED, "le"}
    return names


def everything_asked() -> str:
    """All queries and the names in their patterns."""
    text = "\n".join(query.expr for board in BOARDS.values() for query in asked(board))
    for prefix, names, suffix in re.findall(r'__name__=~"(\w+)\(([\w|]+)\)(\w+)"', text):
        text += "".join(f"\n{prefix}{name}{suffix}" for name in names.split("|"))
    return text


def test_the_files_are_what_the_program_writes():
    there = {path.name: path.read_text("utf-8") for path in FILES}
    assert there == rendered(), "run `make dashboards`"
    assert FILES[0].parent == DIRECTORY


@EACH
def test_every_panel_has_a_number_and_a_place_of_its_own(uid):
    numbers, places = [], []
    for panel in BOARDS[uid]["panels"]:
        for one in (panel, *panel.get("panels", ())):
            numbers.append(one["id"])
            places.append(one["gridPos"])
    assert len(set(numbers)) == len(numbers)
    assert all(p["x"] >= 0 and p["x"] + p["w"] <= 24 and p["h"] > 0 for p in places)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]


def overlap(a, b):
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not beside and not above


def test_panels_that_do_not_fit_beside_each_other_are_refused():
    panel = stat("one", "figure", "vector(1)")
    with pytest.raises(ValueError, match=r"2 panels do not fit in widths \[20, 20\]"):
        placed([Section("too wide", [Line(4, [panel, panel], [20, 20])])])


@EACH
def test_every_panel_says_what_it_shows_in_which_unit_and_from_where(uid):
    for panel in panels(BOARDS[uid]):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(t["datasource"]["uid"] == "${datasource}" for t in panel["targets"])
    titles = [panel["title"] for panel in panels(BOARDS[uid])]
    assert len(set(titles)) == len(titles)


@EACH
def test_every_variable_that_is_used_is_there(uid):
    board = BOARDS[uid]
    known = BUILT_IN | {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", str(board)))
    assert used <= known
    assert {variable["name"] for variable in board["templating"]["list"]} <= used


@EACH
def test_a_variable_of_several_values_is_matched_as_a_pattern_in_double_quotes(uid):
    board = BOARDS[uid]
    several = {v["name"] for v in board["templating"]["list"] if v["multi"]}
    for query in asked(board):
        for before, name in re.findall(r"(.{3})\$\{?(\w+)", query.expr):
            assert name not in several or before.endswith('=~"'), query


@EACH
def test_every_metric_and_label_is_one_that_anchorwatch_exports(uid):
    metrics = exported()
    for query in asked(BOARDS[uid]):
        for name in METRIC.findall(query.expr):
            assert name in metrics, query
        for name, matchers in LABELLED.findall(query.expr):
            labels = set(re.findall(r"(\w+)=~?", matchers))
            assert labels <= metrics[name], query


@EACH
def test_a_legend_names_labels_that_its_query_keeps(uid):
    for panel in panels(BOARDS[uid]):
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = re.search(r"\bby \(([^)]*)\)", target["expr"])
            assert named <= set(kept[1].split(", ") if kept else ()), target


@EACH
def test_the_columns_of_a_table_are_labels_and_values_of_its_queries(uid):
    for panel in panels(BOARDS[uid]):
        if panel["type"] == "table":
            exprs = [target["expr"] for target in panel["targets"]]
            fields = {label for expr in exprs for label in by(expr)}
            refs = [target["refId"] for target in panel["targets"]]
            fields |= {f"Value #{ref}" for ref in refs} if len(refs) > 1 else {"Value"}
            _, chosen, order = panel["transformations"]
            assert set(chosen["options"]["include"]["names"]) <= fields
            titles = set(order["options"]["renameByName"].values())
            assert {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]} == titles
            assert panel["options"]["sortBy"][0]["displayName"] in titles


def by(expr):
    return re.search(r"\bby \(([^)]*)\)", expr)[1].split(", ")


def test_every_metric_is_on_a_dashboard_but_for_those_with_a_reason():
    shown = set(re.findall(r"anchorwatch_\w+", everything_asked()))
    absent = {
        family.full_name
        for family in FAMILIES
        if not any(family.full_name + s in shown for s in SUFFIXES.get(family.type, ("",)))
    }
    assert absent <= NOT_SHOWN, "put it on a dashboard, or say in NOT_SHOWN why it is on none"
    assert set(exported()) >= NOT_SHOWN


def test_links_lead_to_dashboards_and_set_variables_of_theirs():
    found = set()
    for board in BOARDS.values():
        for url in re.findall(r"'url': '(/d/[^']*)'", str(board)):
            target = BOARDS[urlsplit(url).path.removeprefix("/d/")]
            found.add((board["uid"], target["uid"]))
            there = {f"var-{variable['name']}" for variable in target["templating"]["list"]}
            given = parse_qsl(urlsplit(url).query)
            assert given
            assert {name for name, _ in given} <= there
            passed = re.findall(r"\$\{(\w+):queryparam\}", url)
            assert {f"var-{name}" for name in passed} <= there
    assert found == {
        ("anchorwatch-fleet", "anchorwatch-model"),
        ("anchorwatch-model", "anchorwatch-model"),
    }


def test_each_dashboard_lists_the_others():
    assert len(BOARDS) == 3
    for board in BOARDS.values():
        [listed] = board["links"]
        assert listed["type"] == "dashboards"
        assert set(listed["tags"]) <= set(board["tags"])


def test_a_score_is_drawn_with_the_level_at_which_it_alarms():
    for board in BOARDS.values():
        for panel in panels(board):
            if panel["type"] == "timeseries" and "drift_score" in panel["targets"][0]["expr"]:
                steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
                assert steps[1] == {"value": 1.0, "color": "red"}


def test_provisioning_finds_the_dashboards_and_names_one_source():
    def provisioned(kind):
        return yaml.safe_load((GRAFANA / "provisioning" / kind / "anchorwatch.yaml").read_text())

    [source] = provisioned("datasources")["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    [provider] = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/etc/anchorwatch/dashboards"


def test_variables_are_filled_in_as_grafana_does_it():
    assert (
        filled(
            'x{a="$b", c=~"${d}"}[$__rate_interval]',
            {
                "b": "1",
                "d": "2",
                "__rate_interval": "1m",
            },
        )
        == 'x{a="1", c=~"2"}[1m]'
    )
    with pytest.raises(KeyError, match="unknown"):
        filled("$unknown", {})
