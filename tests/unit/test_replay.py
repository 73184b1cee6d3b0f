"""Recorded events through the live code: what alarms, when, and that nothing is lost."""

import math

import pytest

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.ingest.memory import MemorySource
from service.loops.replay import Replay
from service.monitor.counting.shard import TimeRules
from service.values.records import Partition
from service.values.rejects import Reason
from service.values.streams import LATENCY, PREDICTION
from tests.unit.monitor.events import (
    MODEL,
    OTHER,
    PANE,
    T0,
    Event,
    X,
    judge_of,
    reference,
    stream_of,
    watch,
)

RULES = TimeRules(use_host_clock=False)
NORMAL = reference()
NATIVE = SourceSettings.model_validate({"name": "t", "topics": ["t"]})
CALM = stream_of(0.0, 15, 100)
SHIFTED = stream_of(900.0, 10, 100, shift=1.5, seed=1)
CALM_AGAIN = stream_of(1500.0, 15, 100, seed=2)


@pytest.fixture
def replay(tmp_path):
    """Replays lists of events (or raw lines), each a file, and gives the outcome."""

    def run(*files, given=NORMAL, watched=None, records_max=5000):
        for number, events in enumerate(files):
            lines = (e if isinstance(e, bytes) else e.record(0).value for e in events)
            (tmp_path / f"{number:02}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        source = FilesSource(FilesParameters((str(tmp_path / "*.jsonl"),), records_max=records_max))
        judge = judge_of(given, watched or watch(), RULES)
        settings = SourceSettings.model_validate({"name": "r", "files": [str(tmp_path)]})
        decoder = Decoder(settings, judge, LimitsSettings(), RULES.pane_seconds)
        return Replay(source, decoder, judge, RULES, T0 + 1e8).run()

    return run


def topic(*partitions):
    """A topic of lists of events, read in pieces that end in the midst of things."""
    source = MemorySource(records_max=170)
    for number, events in enumerate(partitions):
        source.assign(Partition("t", number))
        for event in events:
            source.append(Partition("t", number), event.record(0).value, T0 + event.at)
    return source


def test_an_alarm_is_told_with_its_start_and_its_end(replay):
    outcome = replay(CALM + SHIFTED + CALM_AGAIN)
    (alarm,) = outcome.alarms
    assert (alarm.model, alarm.stream) == (MODEL, X)
    assert 900.0 <= alarm.started_seconds - T0 <= 1080.0
    assert 1500.0 < alarm.ended_seconds - T0 <= 2100.0
    assert alarm.score >= 1
    assert alarm.summary.startswith("up ")
    assert alarm.detectors


def test_a_drift_that_lasts_has_no_end(replay):
    (alarm,) = replay(CALM + SHIFTED).alarms
    assert alarm.ended_seconds is None


def test_nothing_alarms_where_nothing_changed(replay):
    outcome = replay(CALM + stream_of(900.0, 60, 100, seed=5))
    assert outcome.alarms == ()
    assert (outcome.from_seconds, outcome.to_seconds) == (T0, T0 + 75 * PANE)


def test_how_the_events_lie_in_files_and_chunks_changes_nothing(replay, tmp_path):
    whole = replay(CALM + SHIFTED + CALM_AGAIN)
    parts = replay(CALM[:700], CALM[700:] + SHIFTED, CALM_AGAIN, records_max=77)
    assert parts.alarms == whole.alarms
    assert [m.panes_judged_total for m in parts.models] == [
        m.panes_judged_total for m in whole.models
    ]
    assert parts.models[0].unjudged_total == 0
    assert [book.applied for book in parts.books] == [700, 1800, 1500]


def test_partitions_side_by_side_are_judged_as_one_log(replay):
    """A topic's partitions overlap in time, and are read in no order of time."""
    events = CALM + SHIFTED + CALM_AGAIN
    source = topic(*(events[n::3] for n in range(3)))
    judge = judge_of(NORMAL, watch(), RULES)
    decoder = Decoder(NATIVE, judge, LimitsSettings(), RULES.pane_seconds)
    outcome = Replay(source, decoder, judge, RULES, T0 + 1e8, in_turn=False).run()
    whole = replay(events)
    assert outcome.alarms == whole.alarms != ()
    (model,) = outcome.models
    assert (model.unjudged_total, model.late_total) == (0, 0)
    assert sum(book.applied for book in outcome.books) == len(events)


def test_a_log_is_read_from_where_one_says_to_where_it_ends(replay):
    """What is appended meanwhile would never end; what is not named is not read."""
    source = topic(CALM, CALM, [])
    judge = judge_of(NORMAL, watch(), RULES)
    decoder = Decoder(NATIVE, judge, LimitsSettings(), RULES.pane_seconds)
    start = {Partition("t", 0): 500, Partition("t", 2): None}
    outcome = Replay(source, decoder, judge, RULES, T0 + 1e8, in_turn=False, start=start).run()
    assert outcome.from_seconds == T0 + 5 * PANE
    assert sum(book.applied for book in outcome.books) == 1000


def test_rows_of_files_that_overlap_in_time_are_counted_as_unjudged(replay):
    (model,) = replay(CALM, stream_of(0.0, 2, 10, seed=3)).models
    assert (model.predictions_total, model.unjudged_total) == (1520, 20)


def test_events_without_a_reference_are_learned_from_first(replay):
    outcome = replay(CALM + SHIFTED, given=None, records_max=100)
    (model,) = outcome.models
    assert model.reference_rows == 1000
    assert [alarm.stream for alarm in outcome.alarms] == [X]


def test_a_sparse_stream_is_judged_though_all_of_it_is_read_in_one_piece(replay):
    """One event a minute: what is read at once is days, and learned is the first half of a day."""
    calm = stream_of(0.0, 3000, 1)
    outcome = replay(calm + stream_of(180_000.0, 500, 1, shift=5.0, seed=1), given=None)
    (model,) = outcome.models
    assert 1000 <= model.reference_rows < 1100
    assert X in [alarm.stream for alarm in outcome.alarms]


def test_what_is_learned_beside_a_reference_makes_no_second_episode_of_a_drift(replay):
    """Prediction and latency are learned from ten panes, then compared: in the midst of a drift."""
    given = reference(outputs=False)
    shifted = stream_of(540.0, 40, 100, shift=1.5, seed=1)
    outcome = replay(CALM[:900] + shifted, given=given, records_max=100)
    (model,) = outcome.models
    assert {LATENCY, PREDICTION} <= {stream.key for stream in model.streams}
    assert model.reference_hash != given.hash
    (episode,) = [e for e in outcome.episodes if e.category == "drift"]
    assert episode.is_open
    assert 540.0 <= episode.started_seconds - T0 <= 780.0
    assert len([alarm for alarm in outcome.alarms if alarm.stream == X]) == 1
    assert episode.evidence.rows > 3_000


def test_alarms_of_several_models_stand_in_order_of_time(replay):
    both = [
        e for pair in zip(CALM, stream_of(0.0, 15, 100, model=OTHER), strict=True) for e in pair
    ]
    late = stream_of(1500.0, 10, 100, shift=3.0, seed=2, model=OTHER)
    given = {MODEL: NORMAL, OTHER: reference(model="other")}
    outcome = replay([*both, *SHIFTED, *late], given=given)
    assert [alarm.model for alarm in outcome.alarms if alarm.stream == X] == [MODEL, OTHER]


def test_lines_that_are_no_event_are_in_the_book(replay):
    outcome = replay([*CALM[:10], b"{broken", b"[]"])
    (book,) = outcome.books
    assert (book.consumed, book.applied) == (12, 10)
    assert sum(book.rejected.values()) == 2
    assert Reason.MALFORMED in book.rejected


def test_a_file_without_events_has_nothing_to_tell(replay):
    outcome = replay([b"{broken"])
    assert (outcome.alarms, outcome.models) == ((), ())
    assert math.isnan(outcome.from_seconds)
    assert math.isnan(outcome.to_seconds)


def test_a_stray_old_event_is_late_and_a_clock_far_ahead_harms_its_own_model(replay):
    stray = Event(30.0)
    (model,) = replay([*CALM, stray]).models
    assert (model.late_total, model.predictions_total) == (1, 1500)
