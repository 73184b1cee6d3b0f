"""`anchorwatch replay` tells a policy's limits alike on the terminal, as JSON and in the report."""

import json
from html import unescape

import pytest
from click.testing import CliRunner

from service.commands.replay import command
from service.monitor.references.file import write
from tests.unit.monitor.events import reference, stream_of

CONFIG = """\
policy: {window: 1h}
models:
  '*': {policy: {amber: 0.2}}
"""
LOG = stream_of(0.0, 70, 60) + stream_of(4200.0, 60, 60, shift=0.8, seed=1)
SENTENCE = (
    "Policy (PSI over 10 bins, 1h; amber from 0.20, red from 0.25): of 3 streams 1 is red (x "
)


@pytest.fixture
def replayed(tmp_path):
    """The terminal, the JSON and the page of a replay under a configuration."""

    def run(config=CONFIG):
        (tmp_path / "ref.json").write_text(write(reference()), "utf-8")
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(e.record(0).value for e in LOG))
        (tmp_path / "anchorwatch.yaml").write_text(config, "utf-8")
        arguments = ["--config", "anchorwatch.yaml", "--reference", "ref.json", "--no-what-if"]
        arguments += ["--html", "report.html", "--json", "out.json"]
        given = ["events.jsonl", *arguments]
        paths = [str(tmp_path / one) if "." in one else one for one in given]
        result = CliRunner().invoke(command, paths, terminal_width=200)
        assert result.exit_code == 0, result.output
        page = (tmp_path / "report.html").read_text("utf-8")
        return result.output, json.loads((tmp_path / "out.json").read_text("utf-8")), page

    return run


def standing(told, feature):
    (stream,) = [
        s
        for s in told["models"][0]["streams"]
        if s["feature"] == feature and s["kind"] in {"input", "output"}
    ]
    return stream


def test_the_terminal_the_json_and_the_report_say_the_same_of_a_policy(replayed):
    terminal, told, page = replayed()
    words = " ".join(terminal.split())
    assert SENTENCE in words
    assert SENTENCE in unescape(page)
    assert "Over the limits of the policy" in words
    assert told["models"][0]["policy"] == {
        "method": "psi",
        "bins": 10,
        "window": "1h",
        "amber": 0.2,
        "red": 0.25,
    }
    x = standing(told, "x")["policy"]
    assert (x["level"], x["bins"], x["values"], x["too_few"]) == ("red", 10, 3600, False)
    assert x["covers_seconds"] == 3600.0
    assert f"(x {x['distance']:.2f})" in words
    assert 0 < x["distance_expected"] < 0.1
    assert standing(told, "state")["policy"]["level"] == "within"


def test_a_policy_makes_no_episode(replayed):
    _, with_policy, _ = replayed()
    _, without, _ = replayed("")
    assert with_policy["episodes"] == [
        episode | {"config_hash": with_policy["config_hash"]}
        if "config_hash" in episode
        else episode
        for episode in without["episodes"]
    ]
    assert [alarm["feature"] for alarm in with_policy["alarms"]] == [
        alarm["feature"] for alarm in without["alarms"]
    ]


def test_windowed_distances_have_what_chance_explains_beside_them_in_every_output(replayed):
    terminal, told, page = replayed("")
    windows = {window["window"]: window for window in standing(told, "x")["windows"]}
    assert 0 < windows["1h"]["psi_expected"] < windows["1h"]["psi"]
    assert "sampling alone explains" in page
    assert told["models"][0]["policy"] is None
    assert standing(told, "x")["policy"] is None
    assert "Policy" not in terminal
