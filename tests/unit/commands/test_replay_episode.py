"""`anchorwatch replay --episode` and `--set`: would it fire again, and what else would change?"""

import csv
import json
import re

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from config.assignments import NOTHING
from config.errors import ConfigurationProblems
from config.sources import SourceSettings
from service.backtest.assembly import Asked
from service.commands import load_settings
from service.commands.replay import command
from service.commands.replay_warnings import Material
from service.commands.replaying import Task, run
from service.errors import ConfigurationError
from service.monitor.references.file import write
from service.state.directory import DirectoryStore
from service.state.episode_record import EpisodeRecord
from service.values.episodes import Member, OffsetRange
from tests.unit.monitor.events import MODEL, T0, World, reference, stream_of, watch

HOUR = 3600.0
QUIET, SMALL, LARGE = 0.0, 0.45, 1.5
LOG = (
    stream_of(0.0, 240, 100)
    + stream_of(4 * HOUR, 30, 100, shift=SMALL, seed=1)
    + stream_of(4.5 * HOUR, 60, 100, seed=2)
    + stream_of(5.5 * HOUR, 30, 100, shift=LARGE, seed=3)
    + stream_of(6 * HOUR, 30, 100, seed=4)
)
CONFIG = """
reference: {{from: {place}/references}}
state: {{path: {place}/state}}
detection: {{season: {{period: none}}, false_alarm_budget: 1 per 30d per team}}
sources:
  - {{name: live, topics: [events]}}
"""


def invoke(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def told(result):
    assert result.exit_code == 0, result.output
    return re.sub(r"\s+", " ", result.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A service's configuration, references and record, and the files of its events."""
    place = tmp_path_factory.mktemp("service")
    (place / "references").mkdir()
    (place / "references" / "m.json").write_text(write(reference()), "utf-8")
    (place / "aw.yaml").write_text(CONFIG.format(place=place), "utf-8")
    lines = [event.record(0).value for event in LOG]
    (place / "events.jsonl").write_bytes(b"\n".join(lines))
    (place / "before.jsonl").write_bytes(b"\n".join(lines[: 200 * 100]))
    with (place / "table.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["at", "x", "state", "score", "took"])
        writer.writerows([T0 + e.at, e.x, e.state, 0.5, 10] for e in LOG)
    EpisodeRecord(place / "state" / "episodes", 1e12).append(recorded(place), T0)
    return place


def recorded(place):
    """The episodes that the service would have told."""
    loaded = load_settings(place / "aw.yaml", NOTHING)
    files = (str(place / "events.jsonl"),)
    source = SourceSettings(name="replay", files=files)
    task = Task(files, source, Material(), (), Asked(), "")
    return run(task, loaded).outcome.episodes


@pytest.fixture(scope="module")
def episodes(place):
    small, large = recorded(place)
    return small, large


@pytest.fixture
def replay(place):
    def run(*arguments, files="events.jsonl"):
        return invoke(place / files, "--config", place / "aw.yaml", *arguments)

    return run


def test_an_episode_that_fires_again_is_said_to_at_the_same_time(replay, episodes):
    text = told(replay("--episode", episodes[0].id))
    assert text.startswith("As configured now, it would have alarmed at 02:")
    assert ", as it did. " in text
    assert episodes[0].id in text
    assert "than the service did" not in text


def test_one_that_would_not_have_fired_tells_how_near_it_came(replay, episodes):
    result = replay("--episode", episodes[0].id, "--set", "tolerance.shift=0.6")
    text = told(result)
    assert re.match(
        r"With tolerance.shift=0.6, it would not have alarmed: the largest evidence was 0\.\d+ of "
        r"the alarm level \(x, \w+, 2023-11-15 0\d:\d\d\)\.",
        text,
    )
    assert "Over all that was read, of 2 episodes 1 would not be told and 1 would" in text


def test_one_that_would_have_fired_later_tells_by_how_much(replay, episodes):
    result = replay("--episode", episodes[1].id, "--set", "tolerance.shift=0.9", "--json", "-")
    asked = json.loads(result.stdout)["reconsidered"]
    answer = asked["answer"]
    assert answer["would_alarm"] is True
    assert answer["later_seconds"] > 0
    minutes = round(answer["later_seconds"] / 60)
    assert f", {minutes} min later than it did." in asked["sentence"]
    assert [change["fate"] for change in asked["changes"]] == ["lost", "later"]


def test_one_that_would_have_fired_earlier_is_told_so(replay, episodes):
    late = replay("--episode", episodes[0].id, "--set", "tolerance.shift=0.3", "--json", "-")
    later = json.loads(late.stdout)["reconsidered"]["answer"]["later_seconds"]
    early = replay("--episode", episodes[0].id, "--set", "tolerance.shift=0.05", "--json", "-")
    assert json.loads(early.stdout)["reconsidered"]["answer"]["later_seconds"] < later


def test_settings_alone_tell_what_they_change(replay):
    text = told(replay("--set", "tolerance.shift=0.6"))
    assert text.startswith(
        "With tolerance.shift=0.6, of 2 episodes 1 would not be told and 1 would be told later."
    )
    assert "would not be told" in text
    quiet = told(replay("--set", "tolerance.shift=5"))
    assert quiet.startswith("With tolerance.shift=5, of 2 episodes 2 would not be told.")


def test_the_settings_hold_in_the_replay_that_is_told(replay):
    tree = json.loads(replay("--set", "tolerance.shift=5", "--json", "-").stdout)
    assert tree["episodes"] == []
    assert tree["tolerance_sd"] == 5


def test_a_table_of_the_rows_says_the_same_without_naming_the_model(replay, episodes):
    columns = ("--time", "at", "--prediction", "score", "--latency", "took")
    text = told(replay("--episode", episodes[0].id, *columns, files="table.csv"))
    assert ", as it did. " in text


def test_the_report_begins_with_the_answer(replay, episodes, tmp_path):
    report = tmp_path / "report.html"
    arguments = ("--episode", episodes[0].id, "--set", "tolerance.shift=0.6")
    told(replay(*arguments, "--html", report, "--no-what-if"))
    page = report.read_text("utf-8")
    heading = page.index("<h1>")
    assert page.index("it would not have alarmed") > heading
    assert page.index("it would not have alarmed") < page.index('id="timeline"')
    assert "would not be told" in page


def test_events_of_another_form_are_read_as_their_topic_is(place, episodes, tmp_path):
    """The evidence names the topic, and the configuration the source that reads it."""
    rows = ({"m": "m", "v": "1", "at": T0 + e.at, "f": {"x": e.x, "state": e.state}} for e in LOG)
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    evidence = replace(episodes[0].evidence, offsets=(OffsetRange("scores-eu", 0, 0, 99),))
    told_so = replace(episodes[0], evidence=evidence)
    EpisodeRecord(tmp_path / "episodes", 1e12).append([told_so], T0)
    source = (
        "  - {name: eu, topics: {pattern: 'scores-(?P<region>.*)'}, model: value.m, "
        "version: value.v, time: value.at, features: {include: ['value.f.*']}}\n"
    )
    config = tmp_path / "aw.yaml"
    config.write_text(CONFIG.format(place=place) + source, "utf-8")
    result = invoke(
        tmp_path / "rows.jsonl",
        "--config",
        config,
        "--record",
        tmp_path / "episodes",
        "--episode",
        told_so.id,
    )
    assert ", as it did. " in told(result)


class TestRefusals:
    def test_an_unknown_setting_names_the_nearest(self, place, replay):
        with pytest.raises(
            ConfigurationProblems, match=r"--set tolerence.shift: .*Did you mean tolerance\?"
        ):
            replay("--set", "tolerence.shift=0.2")

    def test_an_unknown_episode_names_the_nearest(self, replay, episodes):
        result = replay("--episode", episodes[0].id + "x")
        assert result.exit_code == 2
        assert f"Did you mean {episodes[0].id}?" in result.output

    def test_files_without_its_time_say_what_they_have(self, replay, episodes):
        with pytest.raises(ConfigurationError) as raised:
            replay("--episode", episodes[0].id, files="before.jsonl")
        assert raised.value.exit_code == 78
        assert "no event of m version 1 was read from" in str(raised.value)
        assert "those that were read are from 2023-11-14 22:00 to" in str(raised.value)

    def test_another_model_than_that_of_the_episode_is_refused(self, replay, episodes):
        result = replay("--episode", episodes[0].id, "--model", "other", "--time", "at")
        assert result.exit_code == 2
        assert "is of m version 1" in result.output

    def test_a_record_without_an_episode_means_nothing(self, place, replay):
        assert replay("--record", place / "state" / "episodes").exit_code == 2

    def test_an_episode_of_a_source_names_those_of_its_models(self, place, episodes, tmp_path):
        member = Member("m", "1", 1, "ours", episodes[0].id, T0)
        upstream = replace(
            episodes[0], id="feed-1", kind="upstream", model="", version="", members=(member,)
        )
        EpisodeRecord(tmp_path / "episodes", 1e12).append([upstream], T0)
        with pytest.raises(ConfigurationError, match=f"ask about one of {episodes[0].id}"):
            invoke(place / "events.jsonl", "--record", tmp_path / "episodes", "--episode", "feed-1")


class TestReference:
    @pytest.fixture
    def elsewhere(self, place, episodes, tmp_path):
        """Another host: the record was copied, and nothing else."""
        EpisodeRecord(tmp_path / "copied", 1e12).append(episodes, T0)
        (tmp_path / "aw.yaml").write_text(CONFIG.format(place=tmp_path), "utf-8")
        (tmp_path / "references").mkdir()

        def run(*arguments):
            return invoke(
                place / "events.jsonl",
                "--config",
                tmp_path / "aw.yaml",
                "--record",
                tmp_path / "copied",
                "--episode",
                episodes[0].id,
                *arguments,
            )

        return run

    def test_one_that_is_nowhere_is_asked_for_by_its_hash(self, elsewhere, episodes):
        with pytest.raises(ConfigurationError, match=reference().hash[:12]) as raised:
            elsewhere()
        assert "Give its file by --reference" in str(raised.value)

    def test_it_may_be_given(self, elsewhere, place):
        text = told(elsewhere("--reference", place / "references" / "m.json"))
        assert ", as it did." in text
        assert "in force then was" not in text

    def test_another_one_is_taken_and_told(self, elsewhere, tmp_path):
        other = reference(seed=5)
        (tmp_path / "other.json").write_text(write(other), "utf-8")
        text = told(elsewhere("--reference", tmp_path / "other.json"))
        assert f"It was compared with the reference {other.hash[:12]}" in text
        assert f"in force then was {reference().hash[:12]}" in text

    def test_one_that_was_replaced_is_found_where_it_was_kept(self, elsewhere, tmp_path):
        directory = tmp_path / "references"
        (directory / "m.json").write_text(write(reference(seed=5)), "utf-8")
        kept = directory / f"m.json.{reference().hash[:12]}.old"
        kept.write_text(write(reference()), "utf-8")
        assert ", as it did." in told(elsewhere())

    def test_it_is_found_in_the_state_of_the_service(self, elsewhere, tmp_path):
        world = World(reference(), watch())
        world.judge.schedule(MODEL)
        with_state = DirectoryStore(tmp_path / "state")
        with_state.save({"shards": [], "judge": world.judge.state()})
        with_state.close()
        assert ", as it did." in told(elsewhere())


class TestDoubts:
    def test_a_configuration_that_has_changed_is_told(self, place, replay, episodes, tmp_path):
        text = (place / "aw.yaml").read_text("utf-8").replace("1 per 30d", "1 per 90d")
        (tmp_path / "new.yaml").write_text(text, "utf-8")
        result = invoke(
            place / "events.jsonl", "--config", tmp_path / "new.yaml", "--episode", episodes[0].id
        )
        assert "The configuration has changed since" in told(result)
        assert "The configuration has changed since" not in told(
            replay("--episode", episodes[0].id, "--set", "tolerance.shift=0.6")
        )

    def test_too_short_a_history_is_told_with_what_it_takes(self, replay, episodes):
        text = told(replay("--episode", episodes[0].id))
        assert "What was read begins 4 h before the change did" in text
        assert "known after 3 d" in text
