"""Streams that follow the hour: a season does not alarm, a change on top of one does."""

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy.stats import norm

from detectors.carried import Carried
from detectors.change.ragged import Ragged
from service.monitor.counting.panes import Pane
from service.monitor.detecting.seasons import DAY_SECONDS, DECIDED_SECONDS, Seasons
from service.monitor.judging.comparison import Comparison
from service.monitor.references.planning import plan_for
from service.values.streams import Kind, StreamKey
from service.values.watches import DetectorChoice, SeasonWatch, Sharing
from tests.unit.monitor.events import MODEL, assert_same, reference, watch

ALL = tuple(DetectorChoice(name) for name in ("e_detector", "adwin", "page_hinkley"))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
PANE = 1800.0
ROWS = 2_000
WAVE = StreamKey(Kind.INPUT, "wave")


def wave(at, zone=UTC):
    """A shift of the mean that follows the hour of the day, with an sd of 1."""
    local = datetime.fromtimestamp(at, zone)
    return math.sqrt(2) * math.sin((local.hour + local.minute / 60) / 12 * math.pi)


class Live:
    """One numeric feature, whose mean moves as `mean(at)` says, in panes of half an hour."""

    def __init__(self, mean, season=None, start=MONDAY):
        self.mean, self.at = mean, start
        self.random = np.random.default_rng(1)
        before = [self.value(start - 7 * DAY_SECONDS * i / 8_000) for i in range(1, 8_000)]
        self.normal = reference(inputs={"wave": before}, outputs=False)
        self.watch = watch(detectors=ALL, windows=(), season=season or SeasonWatch("day"))
        self.plan = plan_for(MODEL, self.watch, self.normal, learns=False)
        self.comparison = self.new()
        self.told = []

    def new(self):
        return Comparison(MODEL, self.normal, self.plan, self.watch, PANE, Sharing())

    def value(self, at, shift=0.0):
        return float(self.random.normal(self.mean(at) + shift))

    def run(self, days, shift=0.0):
        for _ in range(round(days * DAY_SECONDS / PANE)):
            pane = Pane(self.at, self.plan)
            pane.summary.cells[: len(self.shares(0))] += self.random.multinomial(
                ROWS, self.shares(self.mean(self.at + PANE / 2) + shift)
            )
            pane.summary.rows = ROWS
            self.told += self.comparison.judge(pane)
            self.at += PANE
        return self

    def shares(self, mean):
        return np.diff(norm.cdf(self.plan.layout.edges[0] - mean), prepend=0, append=1)

    def alarms(self, since_days=0.0):
        since = since_days * DAY_SECONDS
        return [t for t in self.told if t.drifted and t.pane_start_seconds - MONDAY >= since]


def test_a_stream_that_only_follows_the_hour_does_not_alarm_once_two_days_are_known():
    live = Live(wave).run(12)
    assert live.alarms()
    assert live.alarms(since_days=2.1) == []
    assert live.comparison.drift.drifted.tolist() == [False] * 3
    assert live.comparison.detection.seasons.active.tolist() == [True, False]


def test_a_change_on_top_of_the_season_is_noticed():
    live = Live(wave).run(6).run(0.1, shift=0.5)
    (alarm,) = live.alarms(since_days=2.1)
    assert alarm.stream == WAVE
    assert alarm.pane_start_seconds - MONDAY <= 6.05 * DAY_SECONDS
    live.run(3, shift=0.5)
    assert len(live.alarms(since_days=2.1)) == 1


def test_after_a_change_on_top_of_the_season_all_can_be_well_again():
    live = Live(wave).run(6).run(0.5, shift=0.5).run(2)
    assert [t.drifted for t in live.told if t.pane_start_seconds - MONDAY > 3 * DAY_SECONDS] == [
        True,
        False,
    ]


def test_without_a_season_in_the_settings_it_goes_on_alarming():
    live = Live(wave, SeasonWatch("none")).run(6)
    assert live.alarms(since_days=3)
    assert not live.comparison.detection.seasons.active.any()


def test_a_step_that_stays_is_no_season():
    live = Live(lambda at: 0.0).run(0.5).run(6, shift=0.5)
    assert not live.comparison.detection.seasons.active.any()
    assert live.comparison.drift.drifted[0]
    assert len(live.alarms()) == 1


@pytest.mark.parametrize("shift", [2.0, 30.0])
def test_an_incident_of_some_hours_is_no_season(shift):
    def mean(at):
        return shift if 2 <= (at - MONDAY) / 3600 < 16 else 0.0

    live = Live(mean)
    normal = {"wave": np.random.default_rng(5).normal(size=8_000).tolist()}
    live.normal = reference(inputs=normal, outputs=False)
    live.plan = plan_for(MODEL, live.watch, live.normal, learns=False)
    live.comparison = live.new()
    live.run(6)
    assert not live.comparison.detection.seasons.active.any()
    assert len(live.alarms()) == len(live.told) / 2 > 0
    assert live.alarms(since_days=1) == []


def test_a_steady_stream_has_no_season():
    live = Live(lambda at: 0.0).run(16)
    assert not live.comparison.detection.seasons.active.any()
    assert live.told == []


def test_days_of_the_week_are_told_apart_once_two_weeks_are_known():
    def weekends(at):
        return 0.8 if datetime.fromtimestamp(at, UTC).weekday() >= 5 else 0.0

    live = Live(weekends, SeasonWatch("week")).run(28)
    assert live.alarms()
    assert live.alarms(since_days=14.2) == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/London"])
def test_hours_are_those_of_the_wall_clock_when_clocks_change(zone):
    """On 29 March 2026 London's clocks go forward, and the stream with them."""
    london = ZoneInfo("Europe/London")
    start = datetime(2026, 3, 16, tzinfo=UTC).timestamp()
    live = Live(lambda at: wave(at, london), SeasonWatch("day", zone), start).run(13).run(5)
    spring = datetime(2026, 3, 29, tzinfo=UTC).timestamp()
    late = [t for t in live.told if t.drifted and t.pane_start_seconds > spring]
    assert bool(late) == (zone == "UTC")


def test_a_holiday_is_like_a_sunday():
    holiday = date(2026, 3, 24)

    def closed(at):
        day = datetime.fromtimestamp(at, UTC)
        return 0.8 if day.weekday() == 6 or day.date() == holiday else 0.0

    for holidays in (frozenset({holiday}), frozenset()):
        live = Live(closed, SeasonWatch("week", "UTC", holidays)).run(26)
        on_it = [
            alarm
            for alarm in live.alarms(since_days=14.2)
            if datetime.fromtimestamp(alarm.pane_start_seconds, UTC).date() == holiday
        ]
        assert bool(on_it) == (not holidays)


@pytest.mark.parametrize("days", [1.3, 2.02, 5])
def test_a_restart_goes_on_as_if_nothing_had_happened(days):
    whole, stopped = Live(wave).run(days), Live(wave).run(days)
    state = stopped.comparison.state(lambda part: part)
    stopped.comparison = stopped.new()
    stopped.comparison.restore(state)
    for live in (whole, stopped):
        live.run(3)
    assert repr(whole.told) == repr(stopped.told)
    one, other = (live.comparison.state(lambda part: part) for live in (whole, stopped))
    assert_same(one, other)


def test_another_time_zone_starts_to_learn_anew():
    live = Live(wave).run(3)
    state = live.comparison.state(lambda part: part)
    live.watch = watch(detectors=ALL, windows=(), season=SeasonWatch("day", "Asia/Tokyo"))
    live.comparison = live.new()
    live.comparison.restore(state)
    assert not live.comparison.detection.seasons.active.any()


def test_what_never_had_a_season_is_let_go_of_after_two_weeks():
    cells = Ragged(np.array([0, 2]))
    seasons = Seasons(SeasonWatch("week"), cells, np.array([0.5, 0.5]), np.array([100.0]))
    phi, quiet = np.ones(1), np.ones(1, dtype=bool)
    hours = round(DECIDED_SECONDS / 3600) + 3
    for hour in range(hours):
        at = MONDAY + timedelta(hours=hour).total_seconds() + 1800
        seasons.learn(at, np.array([50, 50]), phi, quiet)
    assert len(seasons.state()["hours"]) == 0
    assert seasons.usual(MONDAY, phi) is None


class Hourly:
    """Streams of two cells each, whose shares follow the hour of the day; a pane an hour."""

    def __init__(self, streams):
        cells = Ragged(2 * np.arange(streams + 1))
        self.streams, self.cells = streams, cells
        self.seasons = Seasons(
            SeasonWatch("day"), cells, np.full(cells.cells, 0.5), np.full(streams, 500.0)
        )

    def run(self, hours):
        for hour in hours:
            share = 0.5 + 0.4 * math.sin(hour / 12 * math.pi)
            counts = np.tile([round(500 * share), 500 - round(500 * share)], self.streams)
            quiet = np.ones(self.streams, dtype=bool)
            self.seasons.learn(MONDAY + 3600 * hour + 1800, counts, np.ones(self.streams), quiet)
        return self


@pytest.mark.parametrize("days", [5, 40])
def test_a_season_is_carried_and_that_of_a_new_stream_is_learned_from_then_on(days):
    hours = 24 * days
    before, steady = Hourly(1).run(range(hours)), Hourly(1).run(range(hours))
    after = Hourly(2)
    after.seasons.carry(before.seasons, Carried(np.array([0]), np.array([1])))
    assert after.seasons.active.tolist() == [False, True]
    for one in (after, steady):
        one.run(range(hours, hours + 24))
    assert after.seasons.active.tolist() == [False, True], "nobody has a season after a day"
    for one in (after, steady):
        one.run(range(hours + 24, hours + 5 * 24))
    assert after.seasons.active.tolist() == [True, True]
    at = MONDAY + 3600 * (hours + 5 * 24 + 6.5)
    told, expected = (one.seasons.usual(at, np.ones(one.streams)) for one in (after, steady))
    assert told.shares[2:].tolist() == expected.shares.tolist()
    assert told.mass[1] == expected.mass[0]
    assert told.shares[0] == pytest.approx(0.9, abs=0.05)


def test_a_state_in_which_all_streams_began_at_one_time_is_gone_on_with():
    whole, stopped = Hourly(2).run(range(30)), Hourly(2).run(range(30))
    state = stopped.seasons.state()
    state["first_seconds"] = float(state["first_seconds"][0])
    stopped.seasons = Hourly(2).seasons
    stopped.seasons.restore(state)
    for one in (whole, stopped):
        one.run(range(30, 100))
    assert whole.seasons.active.all()
    assert_same(whole.seasons.state(), stopped.seasons.state())
