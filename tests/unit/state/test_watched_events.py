"""What was watched, line by line and in the files of a directory."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RecordFailed
from service.state.episode_events import parse
from service.state.episode_record import EpisodeRecord, NoEpisodeRecord, read_record, read_watched
from service.state.watched_events import is_about, parse_watched, watched_line
from service.values.watched import (
    ModelFacts,
    ModelWatched,
    MuteFacts,
    PartitionWatched,
    ServiceWatched,
    SettingsWatched,
    WatchedHour,
    Why,
)
from tests.unit.monitor.verdicts import T0
from tests.unit.state.test_episode_record import DAY, EVENTS

MODEL = ModelWatched(
    T0,
    'credit "x"/ä',
    "3",
    "c0ffee",
    judged=12,
    rejected={"future": 2},
    hours=(WatchedHour(1_700_006_400, compared="f", panes=4, rows=12),),
    facts=ModelFacts("team", 1, 2, ("age", "income"), mutes=(MuteFacts("age", T0, "ada", "why"),)),
)
SERVICE = ServiceWatched(
    T0 + 1, Why.START, T0, "c0ffee", partitions=(PartitionWatched("t", 0, 12, 10, 1, {"late": 1}),)
)
SETTINGS = SettingsWatched(T0 + 2, "c0ffee", "team: a\n")
ENTRIES = [MODEL, SERVICE, SETTINGS]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_reads_back_as_it_was_and_is_a_cloud_event(entry):
    line = watched_line(entry)
    assert parse_watched(line) == entry
    assert parse(line) is None
    told = json.loads(line)
    assert told["type"].startswith("anchorwatch.watched.")
    assert (told["specversion"], told["format"]) == ("1.0", 1)


def test_an_entry_of_a_quiet_hour_is_small():
    hour = WatchedHour(1_700_006_400, compared="f" * 15, panes=60, rows=60_000)
    entry = ModelWatched(
        T0, "credit-risk", "3", "c" * 64, "r" * 64, T0, T0, 10**6, 10**9, 10**9, hours=(hour,)
    )
    assert len(watched_line(entry)) < 700


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_line_reading_does_not_fail(line):
    assert parse_watched(line) is None


def test_events_of_episodes_and_of_later_formats_are_none():
    later = json.loads(watched_line(SETTINGS)) | {"format": 2}
    assert parse_watched(json.dumps(later).encode()) is None


def test_a_line_about_another_model_is_told_by_its_subject():
    line = watched_line(ModelWatched(T0, "credit", "3", "c"))
    assert is_about(line, None)
    assert is_about(line, "credit")
    assert not is_about(line, "cred")
    assert not is_about(line, "credit/3")
    assert is_about(watched_line(MODEL), MODEL.model)
    assert is_about(watched_line(SERVICE), "credit")


def test_a_directory_keeps_it_apart_from_the_events(tmp_path):
    record = EpisodeRecord(tmp_path / "episodes", 400 * DAY)
    record.append_watched(ENTRIES, T0)
    record.append(EVENTS, T0)
    assert list(read_watched(record.directory)) == ENTRIES
    assert list(read_watched(record.directory, model="other")) == [SERVICE, SETTINGS]
    assert list(read_record(record.directory)) == EVENTS
    assert record.new_verdicts() == []


def test_old_days_are_removed_and_need_not_be_read(tmp_path):
    record = EpisodeRecord(tmp_path, 3 * DAY)
    for day in range(6):
        record.append_watched([SettingsWatched(T0 + day * DAY, str(day), "")], T0 + day * DAY)
    assert [entry.config_hash for entry in read_watched(tmp_path)] == ["2", "3", "4", "5"]
    since = T0 + 4 * DAY
    assert [entry.config_hash for entry in read_watched(tmp_path, since)] == ["4", "5"]


def test_what_cannot_be_written_is_a_named_failure(tmp_path):
    (tmp_path / "episodes").write_text("a file")
    with pytest.raises(RecordFailed, match="what was watched"):
        EpisodeRecord(tmp_path / "episodes", DAY).append_watched(ENTRIES, T0)


def test_no_record_keeps_nothing():
    NoEpisodeRecord().append_watched(ENTRIES, T0)
