"""How many rows there are: when it is judged, what it follows, and what it notices."""

import math
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detectors.dispersion import Status
from service.monitor.detecting.volume_stream import KNOWN_SECONDS, VolumeStream
from service.values.watches import SeasonWatch
from tests.unit.monitor.events import assert_same

MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
STEP, LEVEL, DAY = 900.0, 12.0, 86_400.0


class Traffic:
    """Rows in panes of a quarter of an hour: by day, at night and on Sundays as people behave."""

    def __init__(self, season=None, seed=0, start=MONDAY, zone=UTC):
        self.season = season or SeasonWatch()
        self.volume = self.new()
        self.random = np.random.default_rng(seed)
        self.at, self.zone = start, zone
        self.alarms = []
        self.drifts = False

    def new(self):
        return VolumeStream(STEP, LEVEL, self.season)

    def usual(self, at):
        local = datetime.fromtimestamp(at, self.zone)
        by_hour = 200 + 150 * math.sin((local.hour + local.minute / 60 - 9) / 24 * 2 * math.pi)
        return by_hour * (0.3 if local.weekday() == 6 else 1.0)

    def run(self, days, factor=1.0):
        for _ in range(round(days * DAY / STEP)):
            mean = self.usual(self.at) * factor * self.random.gamma(50, 1 / 50)
            rows = int(self.random.poisson(mean))
            self.take(rows)
            self.at += STEP
        return self

    def take(self, rows):
        ended = self.volume.add(self.at, self.at + STEP, rows, drifts=self.drifts)
        if ended and self.volume.alarming and not self.drifts:
            self.alarms.append(self.at)
            self.onset_seconds = self.volume.onset_seconds
            self.drifts = True


def test_nothing_is_judged_before_two_weeks_are_known():
    traffic = Traffic().run(13.9, factor=1.0)
    assert traffic.volume.status is Status.LEARNING
    assert traffic.volume.is_blind
    assert 0.9 < traffic.volume.learned_ratio < 1
    traffic.run(0.2)
    assert traffic.volume.status is Status.READY


def test_a_volume_that_follows_the_week_does_not_alarm():
    traffic = Traffic().run(41.5)
    assert traffic.alarms == []
    assert traffic.volume.usual == pytest.approx(traffic.usual(traffic.at - STEP), rel=0.25)


@pytest.mark.parametrize(("factor", "within"), [(0.0, 0.1), (0.5, 0.3), (3.0, 0.1)])
def test_another_volume_is_noticed_and_when_it_began(factor, within):
    traffic = Traffic().run(21.5)
    began = traffic.at
    traffic.run(within, factor)
    (alarm,) = traffic.alarms
    assert began <= alarm <= began + within * DAY
    assert abs(traffic.onset_seconds - began) <= 4 * STEP


def test_after_an_outage_the_volume_is_quiet_again_and_starts_afresh():
    traffic = Traffic().run(21.5).run(0.2, factor=0.0)
    assert not traffic.volume.quiet
    traffic.run(0.1)
    assert traffic.volume.quiet
    traffic.volume.reset()
    traffic.drifts = False
    traffic.alarms.clear()
    traffic.run(5)
    assert traffic.alarms == []


def test_what_is_not_as_usual_is_not_learned_as_usual():
    traffic = Traffic().run(21).run(3, factor=0.0)
    assert traffic.alarms
    assert traffic.volume.expected(traffic.at) == pytest.approx(traffic.usual(traffic.at), rel=0.3)


def test_panes_that_nobody_sent_count_as_none_once_something_comes():
    traffic = Traffic().run(21.5)
    traffic.at += 0.25 * DAY
    traffic.take(200)
    assert len(traffic.alarms) == 1
    assert traffic.at - 0.3 * DAY < traffic.onset_seconds < traffic.at


def test_after_months_of_nothing_all_is_learned_anew():
    traffic = Traffic().run(15)
    traffic.at += 60 * DAY
    traffic.run(1)
    assert traffic.volume.status is Status.LEARNING
    assert traffic.volume.learned_ratio < 0.1
    assert traffic.alarms == []


def test_the_first_step_counts_only_if_it_was_seen_whole():
    volume = VolumeStream(60.0, LEVEL, SeasonWatch())
    at = MONDAY + 120.0
    for _ in range(3):
        volume.add(at, at + 60.0, 7, drifts=False)
        at += 60.0
    assert math.isnan(volume.rows)
    for _ in range(5):
        volume.add(at, at + 60.0, 7, drifts=False)
        at += 60.0
    assert volume.rows == 35


def test_short_panes_are_counted_in_steps_of_five_minutes():
    assert VolumeStream(1.0, LEVEL, SeasonWatch()).step_seconds == 300.0
    assert VolumeStream(0.1, LEVEL, SeasonWatch()).step_seconds == pytest.approx(300.0)
    assert VolumeStream(3600.0, LEVEL, SeasonWatch()).step_seconds == 3600.0


@pytest.mark.parametrize("days", [3, 16])
def test_a_restart_goes_on_as_if_nothing_had_happened(days):
    whole, stopped = Traffic().run(days), Traffic().run(days)
    state = stopped.volume.state()
    stopped.volume = stopped.new()
    stopped.volume.restore(state)
    for traffic in (whole, stopped):
        traffic.run(8).run(0.5, factor=0.3)
    assert whole.alarms == stopped.alarms
    assert_same(whole.volume.state(), stopped.volume.state())


def test_the_week_is_that_of_the_time_zone_through_a_change_of_clocks():
    london = ZoneInfo("Europe/London")
    before = datetime(2026, 3, 9, tzinfo=UTC).timestamp()
    local = Traffic(SeasonWatch("week", "Europe/London"), start=before, zone=london).run(28)
    assert local.alarms == []


def test_a_holiday_is_as_quiet_as_a_sunday():
    holiday = date(2026, 3, 31)

    class Bank(Traffic):
        def usual(self, at):
            quiet = datetime.fromtimestamp(at, UTC).date() == holiday
            return super().usual(at) * (0.3 if quiet else 1.0)

    known = Bank(SeasonWatch("week", "UTC", frozenset({holiday}))).run(35)
    unknown = Bank().run(35)
    assert known.alarms == []
    assert [datetime.fromtimestamp(a, UTC).date() for a in unknown.alarms] == [holiday]


def test_two_weeks_are_what_is_said():
    assert KNOWN_SECONDS == 14 * DAY
