"""What a reference in order of time tells: streams are judged by it from their first pane on."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.signal import lfilter
from scipy.stats import norm

from detectors.dispersion import PANES_MIN, Status
from service.monitor.counting.panes import Pane
from service.monitor.detecting.dispersions import EARLY_PHI
from service.monitor.detecting.seasons import DAY_SECONDS
from service.monitor.detecting.teaching import Teaching
from service.monitor.detecting.watched_cells import WatchedCells
from service.monitor.judging.comparison import Comparison
from service.monitor.references.planning import plan_for
from service.monitor.references.reference import (
    plan_of,
    reference_cells,
    with_order_of_time,
)
from service.state.snapshot import decode, encode, encode_part
from service.values.references import Dependence, InTime
from service.values.streams import Kind, StreamKey
from service.values.watches import DetectorChoice, SeasonWatch, Sharing
from tests.unit.monitor.events import MODEL, assert_same, reference, watch

ALL = tuple(DetectorChoice(name) for name in ("e_detector", "adwin", "page_hinkley"))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
X = StreamKey(Kind.INPUT, "x")
DAILY = SeasonWatch("day")


def wave(at):
    """A shift of the mean that follows the hour of the day, with an sd of 1."""
    return math.sqrt(2) * math.sin((at % DAY_SECONDS) / 3600 / 12 * math.pi)


def steady(at):
    return 0.0


class Stream:
    """One numeric feature, pane by pane: its mean moves as `mean(at)` says, its values are
    independent, or an AR(1).
    """

    def __init__(self, mean=steady, *, ar=0.0, rows=600, pane=1800.0, seed=0):
        self.mean, self.ar, self.rows, self.pane = mean, ar, rows, pane
        self.random = np.random.default_rng(seed)
        self.last = np.zeros(1)

    def values(self, at, shift=0.0):
        noise = self.random.normal(0, math.sqrt(1 - self.ar**2), self.rows)
        values, self.last = lfilter([1], [1, -self.ar], noise, zi=self.last)
        return values + self.mean(at + self.pane / 2) + shift

    def counts(self, plan, at, shift=0.0):
        counts = np.zeros(plan.layout.cell_count, dtype=np.int64)
        edges = plan.layout.edges[0]
        if self.ar:
            cells = np.searchsorted(edges, self.values(at, shift), side="right")
            counts[: len(edges) + 1] = np.bincount(cells, minlength=len(edges) + 1)
        else:
            below = norm.cdf(edges - self.mean(at + self.pane / 2) - shift)
            shares = np.diff(below, prepend=0, append=1)
            counts[: len(edges) + 1] = self.random.multinomial(self.rows, shares)
        return counts


def plain(stream):
    """A reference of values over whole days, of which no order is known."""
    at = MONDAY + np.arange(8_000) / 8_000 * 7 * DAY_SECONDS
    values = [stream.random.normal(stream.mean(one)) for one in at.tolist()]
    return reference(inputs={X.name: values}, outputs=False)


def school(normal, stream, days, season=DAILY):
    """Takes panes of so many days before Monday."""
    watched, span = WatchedCells(plan_of(normal)), (MONDAY - days * DAY_SECONDS, MONDAY)
    return Teaching(normal, reference_cells(normal), watched, season, stream.pane, span)


def taught(stream, days, season=DAILY, *, halves=True):
    """The reference, and what so many days of panes before Monday teach."""
    normal = plain(stream)
    plan = plan_of(normal)
    teaching = school(normal, stream, days if halves else 0, season)
    start = MONDAY - days * DAY_SECONDS
    for pane in range(round(days * DAY_SECONDS / stream.pane)):
        at = start + pane * stream.pane
        teaching.take(at, stream.counts(plan, at))
    known = teaching.taught()
    return with_order_of_time(normal, known)


def said(normal, phi=1.0, kappa=math.inf, panes=10_000, events=600.0, pane=1800.0):
    """The reference that says this of its stream."""
    known = Dependence(phi, kappa, panes, events)
    return with_order_of_time(normal, {X: InTime(pane, known, Dependence(1.0, math.inf, panes, 9))})


class Live:
    def __init__(self, normal, stream, season=DAILY):
        self.normal, self.stream = normal, stream
        self.watch = watch(detectors=ALL, windows=(), season=season)
        self.plan = plan_for(MODEL, self.watch, normal, learns=False)
        self.comparison = self.new()
        self.at, self.told = MONDAY, []

    def new(self):
        return Comparison(MODEL, self.normal, self.plan, self.watch, self.stream.pane, Sharing())

    def run(self, panes, shift=0.0):
        for _ in range(round(panes)):
            pane = Pane(self.at, self.plan)
            pane.summary.cells[:] += self.stream.counts(self.plan, self.at, shift)
            pane.summary.rows = self.stream.rows
            self.told += self.comparison.judge(pane)
            self.at += self.stream.pane
        return self

    def restart(self):
        state = decode(encode(self.comparison.state(encode_part)))
        self.comparison = self.new()
        self.comparison.restore(state)
        return self

    @property
    def dispersions(self):
        return self.comparison.detection.dispersions

    @property
    def seasons(self):
        return self.comparison.detection.seasons


DAY = 48
TWO_WEEKS_OF_WAVE = taught(Stream(wave), 14)


def test_a_season_of_the_reference_does_not_alarm_from_the_first_pane_on():
    live = Live(TWO_WEEKS_OF_WAVE, Stream(wave, seed=2))
    assert live.seasons.active.tolist() == [True, False]
    assert live.comparison.detection.status[:2].tolist() == [Status.READY] * 2
    live.run(4 * DAY)
    assert live.told == []


@pytest.mark.parametrize("quiet_panes", [0, 2 * DAY])
def test_a_change_on_top_of_the_season_is_noticed_soon(quiet_panes):
    live = Live(TWO_WEEKS_OF_WAVE, Stream(wave, seed=3)).run(quiet_panes).run(6, shift=0.5)
    assert [(t.stream, t.drifted) for t in live.told] == [(X, True)]


def test_the_same_reference_without_the_order_of_time_knows_nothing_of_it():
    live = Live(plain(Stream(wave)), Stream(wave, seed=2)).run(DAY)
    assert live.told
    assert not live.seasons.active.any()


@pytest.mark.parametrize(
    "season", [SeasonWatch("none"), SeasonWatch("week"), SeasonWatch("day", "Asia/Tokyo")]
)
def test_by_other_hours_neither_the_season_nor_what_it_leaves_is_taken(season):
    live = Live(TWO_WEEKS_OF_WAVE, Stream(wave, seed=2), season)
    assert not live.seasons.active.any()
    assert live.dispersions.estimated.tolist() == [False, True]  # of quality there was no season
    assert live.dispersions.phi[0] == EARLY_PHI


def test_a_reference_teaches_what_as_many_live_panes_would():
    def twice(seed):
        return Stream(ar=0.6, seed=seed)

    normal = plain(twice(0))
    panes = 9 * DAY
    live, stream = Live(normal, twice(4)), twice(4)
    teaching = school(normal, stream, 9)
    live.run(panes + 10)  # so long the last ones wait
    for pane in range(panes):
        at = MONDAY + pane * 1800.0
        teaching.take(at, stream.counts(live.plan, at))
    known = teaching.taught()[X].values
    live.dispersions.settle()
    assert (live.dispersions.live.panes[0], known.panes) == (panes + 10, panes)
    assert known.phi == pytest.approx(live.dispersions.live.phi[0], rel=0.05)


def test_that_a_season_errs_while_it_is_young_is_not_taken_for_wander():
    by_hour = SeasonWatch("week")
    young, grown = (
        taught(Stream(wave, rows=60, seed=8), 14, by_hour, halves=halves).streams[0].in_time.values
        for halves in (False, True)
    )
    assert young.seasonal
    assert grown.seasonal
    assert (young.panes, grown.panes) == (pytest.approx(12 * DAY, abs=DAY), 7 * DAY)
    assert grown.kappa > 1.5 * young.kappa


def test_dependence_is_known_from_the_first_pane_on_and_does_not_alarm():
    normal = taught(Stream(ar=0.9, pane=60.0, rows=120, seed=1), 3.1)
    live = Live(normal, Stream(ar=0.9, pane=60.0, rows=120, seed=6))
    assert 13 < live.dispersions.phi[0] < 23
    assert live.comparison.detection.status[0] == Status.READY
    live.run(600)
    assert live.told == []


def test_less_than_three_days_of_panes_are_still_being_learned():
    normal = said(plain(Stream()), phi=3.0, panes=100)
    live = Live(normal, Stream())
    assert live.comparison.detection.status[0] == Status.LEARNING
    assert live.dispersions.phi[0] == 3.0
    assert live.dispersions.kappa[0] == 1_500.0


def test_a_reference_by_other_panes_says_nothing_of_dependence():
    live = Live(said(plain(Stream()), phi=3.0, pane=60.0), Stream())
    assert not live.dispersions.estimated.any()
    assert live.dispersions.phi[0] == EARLY_PHI


def test_of_a_sample_dependence_is_taken_to_show_less_until_live_panes_tell():
    live = Live(said(plain(Stream()), phi=2.0, events=60.0), Stream()).run(1)
    assert live.dispersions.phi[0] == 11.0  # ten times as many events as in the reference
    live.run(PANES_MIN + 10)
    assert live.dispersions.phi[0] == 2.0


def test_live_evidence_of_more_dependence_holds_at_once_and_of_less_once_it_has_settled():
    bold, careful = plain(Stream()), plain(Stream())
    closer = Live(said(bold, phi=1.0), Stream(ar=0.9)).run(PANES_MIN + 11)
    assert closer.dispersions.phi[0] > 8
    assert closer.told == []
    looser = Live(said(careful, phi=5.0, kappa=2_000.0), Stream()).run(100)
    assert (looser.dispersions.phi[0], looser.dispersions.kappa[0]) == (5.0, 2_000.0)
    looser.run(100)
    assert looser.dispersions.phi[0] < 1.5
    assert looser.comparison.detection.status[0] == Status.READY


def test_what_never_keeps_its_shape_in_the_reference_is_told_so_at_once():
    live = Live(said(plain(Stream()), kappa=30.0), Stream()).run(10, shift=3.0)
    assert live.comparison.detection.status[0] == Status.UNSTABLE
    assert [t for t in live.told if t.stream == X] == []


def test_a_season_found_live_ends_what_the_reference_says_without_one():
    live = Live(said(plain(Stream(wave)), phi=4.0), Stream(wave, seed=2)).run(3 * DAY)
    assert live.seasons.active[0]
    assert live.dispersions.phi[0] != 4.0
    live.restart()
    assert live.dispersions.phi[0] != 4.0


@pytest.mark.parametrize("panes", [0, 20, 100, 3 * DAY])
def test_a_restart_goes_on_as_if_nothing_had_happened(panes):
    whole, stopped = (
        Live(TWO_WEEKS_OF_WAVE, Stream(wave, ar=0.5, seed=7)).run(panes) for _ in range(2)
    )
    stopped.restart()
    for live in (whole, stopped):
        live.run(60)
    assert repr(whole.told) == repr(stopped.told)
    one, other = (live.comparison.state(lambda part: part) for live in (whole, stopped))
    assert_same(one, other)


def test_a_snapshot_of_before_goes_on_by_what_was_learned_live():
    live = Live(plain(Stream()), Stream()).run(200)
    state = live.comparison.state(lambda part: part)
    phi, status = live.dispersions.phi.copy(), live.dispersions.status.copy()
    del state["dispersions"]["live"], state["dispersions"]["untold"]
    live.comparison = live.new()
    live.comparison.restore(state)
    assert live.dispersions.phi.tolist() == phi.tolist()
    assert live.dispersions.status.tolist() == status.tolist()


def test_a_reference_that_tells_more_takes_over_what_the_other_one_saw_live():
    normal = plain(Stream())
    live = Live(normal, Stream()).run(100)
    panes = live.dispersions.live.panes.copy()
    known = Live(said(normal, phi=2.5), live.stream)
    known.comparison.take_over(live.comparison)
    assert known.dispersions.live.panes.tolist() == panes.tolist()
    assert known.dispersions.phi[0] == 2.5
    assert known.comparison.detection.status[0] == Status.READY


def test_a_stream_that_is_told_a_season_is_judged_afresh():
    (x,) = (s for s in TWO_WEEKS_OF_WAVE.streams if s.key == X)
    without = with_order_of_time(
        replace(TWO_WEEKS_OF_WAVE, streams=(replace(x, in_time=None),)), {}
    )
    live = Live(without, Stream(wave)).run(20)
    known = Live(TWO_WEEKS_OF_WAVE, live.stream)
    afresh = known.comparison.take_over(live.comparison)
    assert X in afresh
    assert known.seasons.active[0]
    assert known.run(DAY).told == []


def test_a_season_goes_on_being_learned_from_live_days_for_four_weeks_in_all():
    live = Live(TWO_WEEKS_OF_WAVE, Stream(wave, seed=2)).run(2)
    seasons = live.seasons
    before = seasons.state()["counts"].sum()
    live.run(13 * DAY)
    learned = seasons.state()["counts"].sum()
    assert learned > before
    live.run(3 * DAY)
    assert seasons.state()["counts"].sum() <= learned + 1.1 * DAY * live.stream.rows
