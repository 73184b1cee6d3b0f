"""A whole backtest over real parts: what is kept, and what other settings make of it."""

import numpy as np
import pytest
from msgspec.structs import replace

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.backtest.assembly import Asked, backtest_of
from service.backtest.recorder import Recorder
from service.backtest.transitions import episode_count
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.loops.replay import Replay
from service.monitor.counting.shard import TimeRules
from service.monitor.judging.judge import Judge
from service.monitor.references.planning import plan_for
from service.values.backtests import Incident
from service.values.watches import Budget
from tests.unit.monitor.events import MODEL, PANE, T0, Event, X, reference, stream_of, watch
from tests.unit.publish.backtests import origin

RULES = TimeRules(use_host_clock=False)
DAY = 86_400.0
NORMAL = reference()
EVENTS = (
    stream_of(0.0, 30, 100)
    + stream_of(1800.0, 15, 100, shift=1.5, seed=1)
    + stream_of(3600.0, 30, 100, seed=2)
    + stream_of(5400.0, 15, 100, shift=0.35, seed=3)
)
INCIDENTS = (Incident(T0 + 60, T0 + 120), Incident(T0 + 1800, T0 + 2700, what="shift"))
ASKED = Asked(INCIDENTS, what_if=True)


def backtest(path, events=EVENTS, watched=None, asked=ASKED, given=NORMAL):
    path.write_bytes(b"\n".join(event.record(0).value for event in events) + b"\n")
    watched = watched or watch(budget="team")
    recorder = Recorder(PANE, keep_panes=asked.what_if)
    judge = Judge(
        lambda _: watched,
        lambda _: given,
        plan_for,
        RULES,
        60.0,
        10,
        judged=recorder.record,
    )
    settings = SourceSettings.model_validate({"name": "r", "files": [str(path)]})
    decoder = Decoder(settings, judge, LimitsSettings(), PANE)
    source = FilesSource(FilesParameters((str(path),), records_max=500))
    outcome = Replay(source, decoder, judge, RULES, T0 + 1e8).run()
    tolerances = (watched.tolerance_sd,)
    try:
        return backtest_of(outcome, recorder, watched.budget, tolerances, asked, origin())
    finally:
        recorder.close()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return backtest(tmp_path_factory.mktemp("events") / "events.jsonl")


def test_every_alarm_has_its_counts_its_scores_and_who_saw_it(found):
    assert len(found.evidence) == len(found.outcome.alarms) >= 1
    alarm, evidence = found.outcome.alarms[0], found.evidence[0]
    assert alarm.stream == X
    assert sum(evidence.histogram.reference) == NORMAL.rows
    assert sum(evidence.histogram.live) == 100
    assert evidence.histogram.from_seconds == alarm.started_seconds
    assert evidence.peak >= alarm.score >= 1
    assert 0.0 in evidence.seen_after_seconds.values()
    assert (
        evidence.line.starts_seconds[0] < alarm.started_seconds < evidence.line.starts_seconds[-1]
    )
    at = evidence.line.starts_seconds.index(alarm.started_seconds)
    assert evidence.line.scores[at] == alarm.score


def test_where_panes_have_few_rows_the_counts_are_of_the_window_at_the_highest_score(tmp_path):
    """At the alarm the window of five minutes holds four panes of before: then it does not."""
    calm, shifted = stream_of(0.0, 60, 40), stream_of(3600.0, 40, 40, shift=4.0, seed=1)
    told = backtest(tmp_path / "e.jsonl", calm + shifted, asked=Asked())
    alarm, evidence = told.outcome.alarms[0], told.evidence[0]
    assert evidence.histogram.to_seconds > alarm.started_seconds + 4 * PANE
    live = evidence.histogram.live
    assert sum(live[len(live) // 2 :]) == sum(live)


def test_episodes_hold_their_alarms_and_know_whether_they_were_expected(found):
    assert len(found.cases) == episode_count(found.outcome.alarms)
    assert sorted(a for case in found.cases for a in case.alarms) == list(
        range(len(found.outcome.alarms))
    )
    assert found.cases[0].expected is True
    assert 0 not in found.unexpected


def test_incidents_are_found_with_their_delay_or_missed(found):
    first, second = found.findings
    assert (first.incident.what, second.incident.what) == ("", "shift")
    assert not first.alarms
    assert PANE <= second.delay_seconds <= 5 * PANE


def test_the_history_covers_all_panes_and_rows(found):
    (history,) = found.histories
    assert history.key == MODEL
    assert sum(history.rows) == len(EVENTS)
    assert history.silent_seconds == 900.0
    assert [(g.from_seconds - T0, g.to_seconds - T0) for g in history.gaps] == [(2700.0, 3600.0)]
    assert history.judged_from_seconds == history.first_seconds == T0
    peak = max(evidence.peak for evidence in found.evidence)
    assert np.nanmax(history.scores.scores) == peak
    assert set(history.streams) == {stream.key for stream in NORMAL.streams}
    assert history.hours[0].events_per_pane == 100.0
    assert 0 < history.hours[0].shift_sd < 2


def test_constant_streams_are_told(found):
    assert {key.name for key in found.histories[0].constant} == {"prediction", "latency"}


def test_what_is_configured_stands_in_the_table_as_it_came_out(found):
    table = {(s.tolerance_sd, s.budget): s for s in found.what_if}
    assert len(table) == 9
    assert sum(s.configured for s in found.what_if) == 1
    now = next(s for s in found.what_if if s.configured)
    assert (now.tolerance_sd, now.budget) == (0.15, "1 per 30 d")
    assert now.alarms == len(found.outcome.alarms)
    assert now.episodes == len(found.cases)
    assert all(s.missed == (0,) for s in found.what_if)


def test_what_other_settings_would_have_made_is_what_they_make(found, tmp_path):
    """The kept panes under another setting give what a replay under it gives."""
    for tolerance, days in ((0.1, 7), (0.25, 90)):
        budget = Budget(1.0, days * DAY, "team")
        watched = watch(budget="team", tolerance_sd=tolerance)
        watched = replace(watched, budget=budget)
        other = backtest(tmp_path / "events.jsonl", watched=watched, asked=Asked())
        (told,) = [
            s for s in found.what_if if (s.tolerance_sd, s.budget) == (tolerance, f"1 per {days} d")
        ]
        assert told.alarms == len(other.outcome.alarms)
        assert told.episodes == len(other.cases)


def test_nothing_is_held_against_incidents_that_nobody_gave(tmp_path):
    plain = backtest(tmp_path / "events.jsonl", asked=Asked())
    assert plain.findings is None
    assert plain.unexpected == ()
    assert plain.what_if == ()
    assert {case.expected for case in plain.cases} == {None}


def test_the_time_of_learning_is_told(tmp_path):
    learns = watch(budget="team", learn_events=500)
    events = stream_of(0.0, 40, 100)
    learned = backtest(tmp_path / "e.jsonl", events, learns, Asked(), given=None)
    (history,) = learned.histories
    assert history.first_seconds == T0
    assert 300 <= history.judged_from_seconds - T0 <= 1200
    assert not any(score == score for score in history.scores.scores[:4])  # noqa: PLR0124 - NaN


def test_a_score_that_fell_again_is_among_the_nearest_misses(tmp_path):
    quiet = backtest(tmp_path / "e.jsonl", stream_of(0.0, 60, 100, seed=8), asked=Asked())
    assert quiet.outcome.alarms == ()
    assert quiet.near_misses
    assert all(0.05 < miss.score < 1 for miss in quiet.near_misses)
    scores = [miss.score for miss in quiet.near_misses]
    assert scores == sorted(scores, reverse=True)


def test_without_an_event_there_is_nothing(tmp_path):
    nothing = backtest(tmp_path / "e.jsonl", [Event(0.0)], asked=ASKED)
    assert nothing.outcome.alarms == ()
    assert nothing.cases == ()
    assert all(setting.alarms == 0 for setting in nothing.what_if)
