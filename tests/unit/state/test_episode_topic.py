"""The record in a topic: every event once, whatever crashes; verdicts from another process."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.errors import RecordFailed, RecoverableError
from service.state.episode_events import episode_line
from service.state.episode_history import histories
from service.state.episode_topic import (
    WRITTEN_MAX,
    EpisodeTopic,
    append_verdict,
    read_episodes,
    read_topic_watched,
)
from service.values.episodes import Episode
from service.values.watched import ModelWatched, SettingsWatched
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.verdicts import T0
from tests.unit.state.test_episode_record import EVENTS, NAMES, verdict


class Failing(KeyedLogMemory):
    """A broker that is away when it is told to, after it has taken so many of what is appended."""

    away = False
    takes: int | None = None

    def append(self, drafts):
        if self.takes is not None:
            super().append(drafts[: self.takes])
            self.takes = None
            raise RecoverableError("the broker did not answer")
        self._ask()
        return super().append(drafts)

    def follow(self, positions):
        self._ask()
        return super().follow(positions)

    def _ask(self):
        if self.away:
            raise RecoverableError("no broker answers")


@pytest.fixture(params=[1, 2, 5])
def log(request):
    return Failing(request.param, "episodes")


def record_in(log):
    return EpisodeTopic(log.topic, lambda: log)


def names(log):
    return [f"{e.id}/{e.sequence}" for e in read_episodes(log) if isinstance(e, Episode)]


def test_entries_are_the_lines_of_a_directory_under_the_name_of_their_episode(log):
    record_in(log).append(EVENTS, T0)
    assert [e.value for e in log.entries[0]] == [episode_line(e).rstrip() for e in EVENTS]
    assert [e.key.decode() for e in log.entries[0]] == [e.id for e in EVENTS]


def test_what_is_there_is_not_written_again_in_this_life_or_the_next(log):
    record = record_in(log)
    record.append(EVENTS[:2], T0)
    record.append(EVENTS[:3], T0)
    record_in(log).append(EVENTS, T0)
    assert names(log) == NAMES


@given(
    st.lists(st.integers(0, len(EVENTS)), min_size=1, max_size=6),
    st.lists(st.integers(0, len(EVENTS)), max_size=6),
)
@settings(deadline=None)
def test_whatever_is_torn_or_tried_again_every_event_is_there_once(counts, torn):
    log = Failing(1, "episodes")
    record, kept = record_in(log), {}
    tears = iter(torn)
    for number, count in enumerate([*counts, len(EVENTS)]):
        log.takes = next(tears, None)
        try:
            record.append(EVENTS[:count], T0)
        except RecordFailed:
            record.append(EVENTS[:count], T0)
        log.takes = None
        if number % 2:  # a crash: the snapshot is older than what was written
            record = record_in(log)
            record.restore(kept)
        else:
            kept = record.state()
    assert sorted(names(log)) == sorted(NAMES)
    assert len(histories(read_episodes(log))) == len({event.id for event in EVENTS})


def test_a_broker_that_is_away_is_a_named_failure_and_nothing_is_lost(log):
    record = record_in(log)
    log.away = True
    with pytest.raises(RecordFailed, match=r"to topic episodes: no broker answers.*tried again"):
        record.append(EVENTS, T0)
    with pytest.raises(RecordFailed, match="what was watched to topic episodes"):
        record.append_watched([SettingsWatched(T0, "c", "x")], T0)
    assert record.new_verdicts() == []
    log.away = False
    record.append(EVENTS, T0)
    assert names(log) == NAMES


def test_a_broker_that_is_away_at_the_start_is_asked_again(log):
    answers = [RecoverableError("no broker answers"), log]

    def open_log():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    record = EpisodeTopic("episodes", open_log)
    with pytest.raises(RecordFailed):
        record.append(EVENTS, T0)
    record.append(EVENTS, T0)
    assert names(log) == NAMES
    record.close()
    record.close()


def test_after_a_broker_that_was_away_verdicts_are_heard_a_little_later(log):
    record = record_in(log)
    append_verdict(log, verdict())
    log.away = True
    assert record.new_verdicts() == []
    log.away = False
    heard = [record.new_verdicts() for _ in range(10)]
    assert [len(verdicts) for verdicts in heard].count(1) == 1
    assert heard[0] == []


def test_verdicts_of_another_process_are_heard_once_in_their_order(log):
    record = record_in(log)
    record.append(EVENTS, T0)
    assert record.new_verdicts() == []
    given = [verdict(), verdict(real=True, at=T0 + 9, previous=False)]
    for one in given:
        append_verdict(log, one)
    assert record.new_verdicts() == given
    assert record.new_verdicts() == []


def test_verdicts_are_read_on_from_a_snapshot_and_none_that_was_not_handed_over_is_passed_by(log):
    record = record_in(log)
    append_verdict(log, verdict())
    assert len(record.new_verdicts()) == 1
    append_verdict(log, verdict(at=T0 + 5))
    record.append(EVENTS, T0)  # sees the verdict as it looks for its own events
    restored = record_in(log)
    restored.restore(record.state())
    assert [v.at_seconds for v in restored.new_verdicts()] == [T0 + 5]
    assert [v.at_seconds for v in record.new_verdicts()] == [T0 + 5]


def test_the_state_of_another_record_says_nothing_of_this_one(log):
    append_verdict(log, verdict())
    record = record_in(log)
    record.restore({"2026-11-23.jsonl": 4711})
    assert record.new_verdicts() == [verdict()]


def test_where_retention_was_quicker_it_goes_on_with_what_is_left(log):
    record = record_in(log)
    for at in range(4):
        append_verdict(log, verdict(at=T0 + at))
    record.restore({"topic": "episodes", "next_offset": 0})
    log.retain_from(0, 2)
    assert [v.at_seconds for v in record.new_verdicts()] == [T0 + 2, T0 + 3]


def test_what_was_watched_is_no_event_and_is_read_of_one_model_only(log):
    record = record_in(log)
    entries = [
        ModelWatched(T0, "credit", "3", "c"),
        ModelWatched(T0, "credit-old", "3", "c"),
        SettingsWatched(T0, "c", "team: a"),
    ]
    record.append_watched(entries, T0)
    record.append(EVENTS, T0)
    assert list(read_topic_watched(log)) == entries
    assert list(read_topic_watched(log, "credit")) == [entries[0], entries[2]]
    assert names(log) == NAMES


def test_memory_of_what_is_written_is_bounded(log):
    record = record_in(log)
    many = [replace(EVENTS[0], sequence=n) for n in range(WRITTEN_MAX + 5)]
    record.append(many, T0)
    assert len(record._written) == WRITTEN_MAX
