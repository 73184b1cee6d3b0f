"""The record of episodes: every event once, whatever crashes; verdicts from another process."""

import fcntl
import json
import multiprocessing
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.errors import RecordFailed, RecoverableError
from service.state.episode_events import episode_line, parse, verdict_line
from service.state.episode_history import histories
from service.state.episode_record import (
    EpisodeRecord,
    NoEpisodeRecord,
    add_verdict,
    read_files,
    read_record,
)
from service.values.episodes import Episode, Severity, Verdict
from tests.unit.monitor.verdicts import PANE, T0, Timeline

DAY = 86_400.0
EVENTS = Timeline().draw({"income": "124.11", "quality:age": "..11.."}).told
NAMES = [f"{event.id}/{event.sequence}" for event in EVENTS]


def verdict(event=EVENTS[0], *, real=False, at=T0, previous=None):
    labels = (event.model, event.version, event.kind, event.severity, event.team)
    return Verdict(event.id, real, "ada", "campaign \N{LEFT DOUBLE QUOTATION MARK}x\n", at, *labels,
                   previous)  # fmt: skip


@pytest.fixture
def record(tmp_path):
    return EpisodeRecord(tmp_path / "episodes", 400 * DAY)


def names(directory):
    return [f"{e.id}/{e.sequence}" for e in read_record(directory) if isinstance(e, Episode)]


class TestLines:
    @pytest.mark.parametrize("event", EVENTS)
    def test_an_event_reads_back_as_it_was(self, event):
        assert parse(episode_line(event)) == event
        assert episode_line(event).count(b"\n") == 1

    def test_a_verdict_reads_back_as_it_was(self):
        assert parse(verdict_line(verdict())) == verdict()
        assert verdict_line(verdict()).count(b"\n") == 1

    def test_a_line_is_a_cloud_event_with_a_version(self):
        line = json.loads(episode_line(EVENTS[0]))
        assert {k: v for k, v in line.items() if k != "data"} == {
            "specversion": "1.0",
            "type": "anchorwatch.episode.started",
            "source": "anchorwatch",
            "id": "credit-20261123-1000/1",
            "time": "2026-11-23T10:01:00.000Z",
            "subject": "credit-20261123-1000",
            "datacontenttype": "application/json",
            "format": 1,
        }

    def test_fields_of_a_later_version_are_passed_over_and_later_formats_too(self):
        line = json.loads(episode_line(EVENTS[0]))
        line["data"]["new"] = line["new"] = 1
        assert parse(json.dumps(line).encode()) == EVENTS[0]
        line["format"] = 2
        assert parse(json.dumps(line).encode()) is None

    @given(st.binary(max_size=300))
    def test_whatever_stands_in_a_line_reading_does_not_fail(self, line):
        assert parse(line) is None

    @given(st.data())
    @settings(max_examples=50)
    def test_a_torn_line_is_no_event(self, data):
        line = episode_line(EVENTS[0]).rstrip(b"\n")
        assert parse(line[: data.draw(st.integers(0, len(line) - 1))]) is None


class TestWriting:
    def test_events_are_there_in_order_in_a_file_a_day(self, record):
        record.append(EVENTS[:2], T0)
        record.append(EVENTS[2:3], T0 + DAY)
        assert names(record.directory) == NAMES[:3]
        assert [file.name for file in sorted(record.directory.iterdir())] == [
            "2026-11-23.jsonl",
            "2026-11-24.jsonl",
        ]

    def test_without_events_there_is_no_directory(self, record):
        record.append([], T0)
        assert not record.directory.exists()
        assert list(read_record(record.directory)) == []
        assert record.new_verdicts() == []

    def test_what_is_written_already_is_not_written_again_also_by_another_process(self, record):
        record.append(EVENTS[:3], T0)
        record.append(EVENTS[:4], T0)
        EpisodeRecord(record.directory, DAY).append(EVENTS, T0 + DAY / 2)
        assert names(record.directory) == NAMES

    @given(
        tears=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3000)), max_size=4),
    )
    @settings(max_examples=40, deadline=None)
    def test_a_crash_at_any_byte_loses_and_doubles_nothing(self, tmp_path_factory, tears):
        """The outbox outlives the process in the snapshot: it is written again after the crash."""
        directory = tmp_path_factory.mktemp("record") / "episodes"
        for count, cut in [*tears, (len(EVENTS), 0)]:
            EpisodeRecord(directory, 400 * DAY).append(EVENTS[:count], T0)
            for file in directory.glob("*.jsonl") if cut else ():
                size = file.stat().st_size
                last = file.read_bytes().rstrip(b"\n").rfind(b"\n") + 1
                os.truncate(file, max(last, size - cut))
        assert sorted(names(directory)) == sorted(NAMES)

    def test_files_past_keeping_are_removed_when_a_new_day_begins(self, tmp_path):
        record = EpisodeRecord(tmp_path, 3 * DAY)
        for day in range(8):
            record.append([replace(EVENTS[0], sequence=day + 1)], T0 + day * DAY)
        (tmp_path / "notes.txt").write_text("mine")
        record.append([replace(EVENTS[0], sequence=99)], T0 + 8 * DAY)
        assert sorted(file.name for file in tmp_path.iterdir()) == [
            "2026-11-28.jsonl",
            "2026-11-29.jsonl",
            "2026-11-30.jsonl",
            "2026-12-01.jsonl",
            "notes.txt",
        ]

    def test_a_record_that_cannot_be_written_is_a_named_error_and_tried_again(self, tmp_path):
        (tmp_path / "episodes").write_text("a file")
        record = EpisodeRecord(tmp_path / "episodes", DAY)
        with pytest.raises(RecordFailed, match="tried again") as caught:
            record.append(EVENTS[:1], T0)
        assert isinstance(caught.value, RecoverableError)
        (tmp_path / "episodes").unlink()
        record.append(EVENTS[:1], T0)
        assert names(record.directory) == NAMES[:1]

    def test_only_its_owner_reads_it(self, record):
        record.append(EVENTS[:1], T0)
        assert record.directory.stat().st_mode & 0o077 == 0
        assert next(record.directory.iterdir()).stat().st_mode & 0o077 == 0


class TestVerdicts:
    def test_each_is_heard_once(self, record):
        record.append(EVENTS[:1], T0)
        assert record.new_verdicts() == []
        add_verdict(record.directory, verdict())
        record.append(EVENTS[1:2], T0)
        assert record.new_verdicts() == [verdict()]
        assert record.new_verdicts() == []

    def test_a_restart_reads_on_where_the_snapshot_was(self, record):
        record.append(EVENTS[:1], T0)
        add_verdict(record.directory, verdict())
        record.new_verdicts()
        state = record.state()
        second = verdict(real=True, at=T0 + 5, previous=False)
        add_verdict(record.directory, second)
        again = EpisodeRecord(record.directory, DAY)
        again.restore(state)
        assert again.new_verdicts() == [second]

    def test_without_a_snapshot_all_of_the_record_is_heard(self, record):
        record.append(EVENTS[:1], T0)
        for day in range(5):
            add_verdict(record.directory, verdict(at=T0 + day * DAY))
        assert len(EpisodeRecord(record.directory, DAY).new_verdicts()) == 5

    def test_one_that_is_given_around_midnight_in_the_older_file_is_heard(self, record):
        record.append(EVENTS[:1], T0)
        record.append(EVENTS[1:2], T0 + DAY)
        record.new_verdicts()
        add_verdict(record.directory, verdict(at=T0))
        assert record.new_verdicts() == [verdict(at=T0)]

    def test_one_of_which_a_part_is_there_waits_for_the_rest(self, record):
        record.append(EVENTS[:1], T0)
        file = record.directory / "2026-11-23.jsonl"
        line, whole = verdict_line(verdict()), file.read_bytes()
        file.write_bytes(whole + line[:50])
        assert record.new_verdicts() == []
        file.write_bytes(whole + line)
        assert record.new_verdicts() == [verdict()]

    def test_files_that_were_removed_are_forgotten(self, record):
        record.append(EVENTS[:1], T0)
        record.new_verdicts()
        next(record.directory.iterdir()).unlink()
        record.new_verdicts()
        assert record.state() == {}

    def test_processes_that_write_at_once_never_mix_their_lines(self, record):
        record.append(EVENTS[:1], T0)
        context = multiprocessing.get_context("fork")
        writers = [
            context.Process(target=_write_many, args=(record.directory, number))
            for number in range(3)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        assert [writer.exitcode for writer in writers] == [0, 0, 0]
        assert len(record.new_verdicts()) == 60
        (file,) = record.directory.iterdir()
        assert file.read_bytes().count(b"\n") == 61

    def test_a_writer_waits_for_the_lock(self, record):
        record.append(EVENTS[:1], T0)
        (file,) = record.directory.iterdir()
        with file.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            writer = threading.Thread(target=add_verdict, args=(record.directory, verdict()))
            writer.start()
            writer.join(0.2)
            assert writer.is_alive()
        writer.join(30)
        assert record.new_verdicts() == [verdict()]


def _write_many(directory, number):
    for i in range(20):
        add_verdict(directory, verdict(at=T0 + number + i / 100))


class TestHistories:
    def test_events_are_told_once_and_in_order_with_the_last_word(self):
        first, second = verdict(), verdict(real=True, at=T0 + PANE, previous=False)
        shuffled = [EVENTS[1], first, EVENTS[0], EVENTS[1], second, *EVENTS[2:]]
        known = histories(shuffled)
        income = known[EVENTS[0].id]
        assert [e.sequence for e in income.events] == list(range(1, len(income.events) + 1))
        assert income.verdict == second
        assert income.newest.sequence == len(income.events)

    def test_verdicts_on_what_is_no_longer_kept_are_left_out(self):
        assert histories([verdict()]) == {}

    def test_whether_it_lasted_after_a_time(self):
        history = histories(EVENTS)[EVENTS[0].id]
        assert not history.newest.is_open
        assert history.lasts_after(T0)
        assert not history.lasts_after(T0 + DAY)


def test_a_demo_leaves_nothing_behind():
    record = NoEpisodeRecord()
    record.append(EVENTS, T0)
    record.restore({"a": 1})
    assert (record.new_verdicts(), record.state()) == ([], {})
    assert EVENTS[0].severity is Severity.TICKET
    assert list(read_files([])) == []
