"""`anchorwatch episode`: the record on the terminal, and verdicts into it."""

import json
import re
import shlex
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from yaml import safe_load

from config.assignments import Assignments
from config.loader import load
from config.models import ModelRule
from service.__main__ import COMMANDS, anchorwatch
from service.commands.episode import command
from service.errors import ConfigurationError
from service.monitor.episodes.causes import LIKELY, Cause
from service.publish.episode_advice import TRIED
from service.state.episode_record import EpisodeRecord
from service.values.episodes import Evidence, OffsetRange, Severity, StreamDistance
from service.values.streams import Kind
from tests.unit.monitor.verdicts import LIMIT, PANE, T0, Timeline, drifting, stream, verdict

EPISODE = "credit-20261123-1000"


def history():
    timeline = Timeline().draw({"income": "124.", "output:prediction": ".11."})
    timeline.draw({"age": "11"}, model=LIMIT, first=60)
    return timeline.told


@pytest.fixture
def record(tmp_path):
    place = tmp_path / "episodes"
    EpisodeRecord(place, 1e9).append(history(), T0)
    return place


def run(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    return result.exit_code, result.output


class TestList:
    def test_the_newest_comes_first_with_what_changed_and_until_when(self, record):
        code, told = run("list", "--record", record)
        assert code == 0
        assert told.splitlines() == [
            "▲ limit-20261123-1100 · ticket · 2026-11-23 11:00 lasts · peak 1.0",
            "    limit v3: age up, age",
            f"    likely {LIKELY[Cause.TOLERATED]}",
            f"● {EPISODE} · ticket · 2026-11-23 10:00 to 2026-11-23 10:04 · peak 4.0",
            "    credit v3: income up, income; 1 more: prediction",
        ]

    def test_only_of_a_model_only_those_that_last_and_only_since(self, record):
        def ids(*options):
            _, told = run("list", "--record", record, "--json", *options)
            return [entry["episode"]["id"] for entry in json.loads(told)]

        assert ids() == ["limit-20261123-1100", EPISODE]
        assert ids("--model", "credit") == [EPISODE]
        assert ids("--open") == ["limit-20261123-1100"]
        assert ids("--since", "2026-11-23T10:30") == ["limit-20261123-1100"]
        assert ids("--since", "2026-11-23T10:30+01:00") == ["limit-20261123-1100", EPISODE]
        assert ids("--since", "2026-11-23") == ["limit-20261123-1100", EPISODE]
        long_ago = (datetime.now(UTC) - datetime.fromtimestamp(T0, UTC)).total_seconds()
        assert len(ids("--since", f"{max(1, round(long_ago / 86400) + 2)}d")) == 2

    def test_nothing_to_show_is_said(self, record):
        assert run("list", "--record", record, "--model", "x") == (
            0,
            "No such episode is in the record.\n",
        )

    @pytest.mark.parametrize("since", ["yesterday", "7x", "2026-13-01", "-1d"])
    def test_a_time_that_is_none_is_told_with_an_example(self, record, since):
        code, told = run("list", "--record", record, f"--since={since}")
        assert code == 2
        assert "--since" in told


class TestShow:
    def test_it_says_everything_that_somebody_on_call_asks(self, record):
        code, told = run("show", EPISODE, "--record", record)
        assert code == 0
        text = re.sub(r"\s+", " ", told)
        for said in (
            "● credit v3: income up, income; 1 more: prediction",
            "since 2026-11-23 10:00 UTC; over (recovered), 4 min · ticket · retail",
            "Likely the inputs changed and the score followed",
            "IS IT REAL evidence 0 x alarm level now, 4.0 x at its highest, 400 rows since",
            "income seen by adwin 10:00:00 (1.0 of 1.0)",
            "SINCE WHEN began 2026-11-23 10:00 by estimate",
            f"anchorwatch reference accept --episode {EPISODE} --by NAME --why REASON",
            f"anchorwatch episode verdict {EPISODE} false --by NAME --why REASON --record {record}",
            "EVIDENCE reference 9f2c · configuration 77ab · panes 2026-11-23 10:00 to",
            "t/0: 0 to 399",
            "HISTORY 10:01:00 STARTED 1.0 10:02:00 ESCALATED 2.0: score 1.0 to 2.0; 1 more stream:",
            "prediction (output) 10:03:00 ESCALATED 4.0: score 2.0 to 4.0 10:04:00 RECOVERED 0:",
            "VERDICT none yet",
        ):
            assert said in text

    def test_one_that_lasts_says_so(self, record):
        _, told = run("show", "limit-20261123-1100", "--record", record)
        assert told.startswith("▲ limit v3: age up, age\n")
        assert "ongoing" in told

    def test_a_stream_that_drifts_no_more_is_told_with_when_and_why(self, tmp_path):
        timeline = Timeline().draw({"income": "111", "age": "111", "quality:age": "1.."})
        accepted = {stream("income"): "accepted as normal by ada"}
        timeline.take(verdict(3, drifting("age", 3), afresh=accepted))
        EpisodeRecord(tmp_path, 1e9).append(timeline.told, T0)
        lasting = run("show", EPISODE, "--record", tmp_path)[1]
        said = "no longer drifting: income (accepted as normal by ada 2026-11-23 10:04)"
        assert said in lasting
        assert "no longer drifting" not in run("show", f"{EPISODE}-2", "--record", tmp_path)[1]
        EpisodeRecord(tmp_path, 1e9).append(timeline.take(verdict(4)), T0)
        over = run("show", EPISODE, "--record", tmp_path)[1]
        assert said in over
        assert "no longer drifting: age (recovered 2026-11-23 10:05)" in over

    def test_of_a_long_history_the_beginning_and_the_end_are_told(self, tmp_path):
        timeline = Timeline().draw({"income": "1" * 40, "age": "1." * 20})
        EpisodeRecord(tmp_path, 1e9).append(timeline.told, T0)
        told = run("show", EPISODE, "--record", tmp_path)[1]
        history = told[told.index("HISTORY") : told.index("VERDICT")].splitlines()
        assert len(history) == 21
        assert history[3].strip() == "... 20 more events: --json has them"
        assert "10:40:00 ONGOING" in history[-1]

    def test_a_version_that_is_no_number_is_said_as_it_is(self, tmp_path):
        timeline = Timeline().draw({"income": "1"}, model=LIMIT._replace(version="unversioned"))
        EpisodeRecord(tmp_path, 1e9).append(timeline.told, T0)
        told = run("show", timeline.told[0].id, "--record", tmp_path)[1]
        assert told.startswith("▲ limit unversioned: income up")

    def test_what_to_do_is_told_as_it_is_typed(self, tmp_path, record):
        config = tmp_path / "my service.yaml"
        config.write_text(f"state: {{path: {tmp_path}}}\n")
        _, told = run("show", "limit-20261123-1100", "--config", config)
        lines = [line.removeprefix("WHAT NOW").strip() for line in told.splitlines()]
        end = f"--by NAME --why REASON --config '{config}'"
        assert f"anchorwatch reference accept --episode limit-20261123-1100 {end}" in lines
        assert f"anchorwatch episode verdict limit-20261123-1100 true {end}" in lines
        again = "anchorwatch replay --episode limit-20261123-1100 --set tolerance.shift=0.25"
        assert f"{again} --config '{config}'" in lines
        start = lines.index("models:")
        until = re.search(r"until: (\S+),", lines[start + 3])[1]
        muted = safe_load("\n".join(told.splitlines()[-len(lines) + start :][:4]))
        rule = ModelRule.model_validate(muted["models"]["limit"])
        assert rule.features["age"].mute.by == "NAME"
        assert str(rule.features["age"].mute.until) == until
        _, told = run("show", "limit-20261123-1100", "--record", record)
        assert "anchorwatch replay FILES --episode limit-20261123-1100" in told

    @pytest.mark.parametrize("setting", sorted(set(TRIED.values())))
    def test_what_is_to_be_tried_is_a_setting_that_changes_something(self, setting):
        said = Assignments(tuple(shlex.split(setting)), "limit")
        assert load(None, {}, said).hash != load(None, {}).hash

    def test_of_what_is_no_feature_nothing_is_to_be_muted(self, tmp_path):
        timeline = Timeline().draw({"latency:latency": "1"}, model=LIMIT)
        EpisodeRecord(tmp_path, 1e9).append(timeline.told, T0)
        _, told = run("show", timeline.told[0].id, "--record", tmp_path)
        assert "mute" not in told
        assert "reference accept" in told

    def test_json_has_every_event_and_every_verdict(self, record):
        run("verdict", EPISODE, "true", "--by", "ada", "--why", "x", "--record", record)
        _, told = run("show", EPISODE, "--record", record, "--json")
        (entry,) = json.loads(told)
        assert [event["sequence"] for event in entry["events"]] == [1, 2, 3, 4]
        assert entry["episode"] == entry["events"][-1]
        assert entry["verdicts"][0]["by"] == "ada"

    def test_a_source_tells_its_models_and_they_tell_the_source(self, tmp_path):
        timeline = Timeline()
        for model in (LIMIT, LIMIT._replace(model="credit")):
            timeline.take(verdict(0, drifting("x", 0, source="bureau"), model=model))
        EpisodeRecord(tmp_path, 1e9).append(timeline.told, T0)
        _, told = run("show", "bureau-20261123-1000", "--record", tmp_path)
        assert "anchorwatch episode show limit-20261123-1000" in told
        assert "upstream: several models on one source" in told
        assert "EVIDENCE" not in told
        _, told = run("show", "limit-20261123-1000", "--record", tmp_path)
        assert "part of bureau-20261123-1000" in told

    def test_distances_and_many_partitions_are_told(self, tmp_path):
        (event, *_) = history()
        distance = StreamDistance(Kind.INPUT, "income", "5m", 320, 0.31, 0.2, None, 0.4, 0.41)
        offsets = tuple(OffsetRange("t", i, 10 * i, 10 * i + 5) for i in range(3))
        evidence = Evidence(T0, T0 + PANE, 320, offsets, "9f2c", "77ab", (distance,))
        EpisodeRecord(tmp_path, 1e9).append([replace(event, evidence=evidence)], T0)
        _, told = run("show", EPISODE, "--record", tmp_path)
        assert "last 5m: PSI 0.31, Jensen-Shannon 0.20, Wasserstein, sd 0.40" in told
        assert "t/2: 20 to 25" in told

    def test_names_with_brackets_are_shown_as_they_are(self, tmp_path):
        timeline = Timeline().draw({"[/bold]x": "1"}, model=LIMIT._replace(model="m[/red]"))
        EpisodeRecord(tmp_path, 1e9).append(timeline.told, T0)
        assert "[/bold]x up" in run("show", timeline.told[0].id, "--record", tmp_path)[1]
        assert "m[/red] v3" in run("list", "--record", tmp_path)[1]

    def test_a_misspelt_name_is_told_with_the_nearest(self, record):
        code, told = run("show", "credit-20261123-1001", "--record", record)
        assert code == 2
        assert f"Did you mean {EPISODE}?" in told


class TestVerdict:
    def test_it_is_in_the_record_with_its_author_reason_and_what_was_said_before(self, record):
        one = ("verdict", EPISODE, "false", "--by", "ada", "--why", "campaign", "--record", record)
        assert run(*one) == (0, f"{EPISODE}: false, decided by ada.\n")
        two = ("verdict", EPISODE, "true", "--by", "bob", "--why", "no", "--record", record)
        assert run(*two) == (0, f"{EPISODE}: true, decided by bob, after false by ada.\n")
        first, second = EpisodeRecord(record, 1e9).new_verdicts()
        assert (first.real, first.why, first.previous) == (False, "campaign", None)
        assert (second.real, second.previous) == (True, False)
        assert (first.model, first.version, first.kind) == ("credit", "3", "input")
        told = run("show", EPISODE, "--record", record)[1]
        assert "not real, by ada: campaign" in told
        assert "real, by bob: no" in told
        assert "· real, says bob" in run("list", "--record", record, "--model", "credit")[1]

    @pytest.mark.parametrize("missing", ["--by", "--why"])
    def test_without_author_or_reason_it_is_refused(self, record, missing):
        options = {"--by": "ada", "--why": "x"}
        del options[missing]
        said = [word for pair in options.items() for word in pair]
        assert run("verdict", EPISODE, "true", *said, "--record", record)[0] == 2

    @pytest.mark.parametrize("blank", ["", "  "])
    @pytest.mark.parametrize("option", ["--by", "--why"])
    def test_a_blank_author_or_reason_is_none(self, record, option, blank):
        options = {"--by": "ada", "--why": "x"} | {option: blank}
        said = [word for pair in options.items() for word in pair]
        code, told = run("verdict", EPISODE, "true", *said, "--record", record)
        assert code == 2
        assert "must say something" in told
        assert EpisodeRecord(record, 1e9).new_verdicts() == []

    def test_a_changed_verdict_is_counted_where_the_first_one_was(self, tmp_path):
        (event, *_) = history()
        worse = replace(event, sequence=2, severity=Severity.PAGE)
        said = ("--by", "ada", "--why", "x", "--record", tmp_path)
        for told, real in ((event, "true"), (worse, "false")):
            EpisodeRecord(tmp_path, 1e9).append([told], T0)
            run("verdict", EPISODE, real, *said)
        first, second = EpisodeRecord(tmp_path, 1e9).new_verdicts()
        assert first.severity == second.severity != Severity.PAGE

    def test_an_unknown_episode_gets_none(self, record):
        code, told = run("verdict", "x", "true", "--by", "a", "--why", "b", "--record", record)
        assert code == 2
        assert "anchorwatch episode list" in told
        assert EpisodeRecord(record, 1e9).new_verdicts() == []


class TestWhere:
    def test_without_a_record_it_says_where_it_looked_and_what_to_do(self, tmp_path):
        with pytest.raises(ConfigurationError, match="--record"):
            run("list", "--record", tmp_path / "nowhere")

    def test_the_configuration_says_where_it_is(self, tmp_path, record):
        config = tmp_path / "a.yaml"
        config.write_text(f"state: {{path: {tmp_path}}}\n")
        assert EPISODE in run("list", "--config", config)[1]
        assert record == tmp_path / "episodes"

    def test_the_program_knows_the_command(self):
        assert "episode" in COMMANDS
        result = CliRunner().invoke(anchorwatch, ["episode", "--help"])
        assert all(name in result.output for name in ("list", "show", "verdict"))
