"""A policy's window and distance: what is counted, what it costs, and what survives."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.carried import Carried
from detectors.summary.layout import Layout
from service.monitor.detecting.policy import STEPS, PolicyWatch, PolicyWindow
from service.monitor.judging.policy_reporting import policy_reports
from service.monitor.judging.reporting import model_reports
from service.monitor.references.reference import layout_of, reference_cells
from service.state.snapshot import decode, encode, encode_part
from service.values.reports import PolicyLevel
from service.values.streams import LATENCY, PREDICTION
from service.values.watches import PolicyLimits, WindowLength
from tests.unit.monitor.events import (
    LATENESS,
    MODEL,
    PANE,
    STATE,
    T0,
    World,
    X,
    cut,
    reference,
    stream_of,
    watch,
)

DAY = 86_400.0
MIDNIGHT = T0 // DAY * DAY
NORMAL = reference()
LAYOUT = Layout(edges=(np.array([-1.0, 0.0, 1.0]),), categories=(("a", "b"),))
MONTH = WindowLength("30d", 30 * DAY)
MONTHLY = PolicyLimits("psi", 10, MONTH, 0.10, 0.25)


def counts(seed, layout=LAYOUT):
    return np.random.default_rng(seed).integers(0, 50, layout.cell_count)


def window_of(hours, length=MONTH, layout=LAYOUT, pane=3600.0):
    """A window that was given panes of an hour, so many hours after midnight."""
    window = PolicyWindow(length, pane, layout)
    for hour in hours:
        start = MIDNIGHT + hour * pane
        window.add(start, start + pane, counts(hour, layout))
    return window


def kept_bytes(window):
    return sum(counts.nbytes for counts in window.steps.values())


def through_a_snapshot(window, length=MONTH, layout=LAYOUT):
    tree = decode(encode(window.state(encode_part)))
    again = PolicyWindow(length, 3600.0, layout)
    again.restore(tree)
    return again


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40))
@settings(max_examples=40)
def test_the_total_is_the_sum_of_whole_days_of_the_last_thirty(gaps):
    hours = np.cumsum(gaps).tolist()
    end = hours[-1] + 1
    kept = [hour for hour in hours if hour // 24 * 24 >= end - 30 * 24]
    assert window_of(hours).total.tolist() == sum(map(counts, kept)).tolist()


def test_a_window_says_how_much_of_it_is_known_yet():
    assert window_of([]).covered_seconds().tolist() == [0.0, 0.0]
    assert window_of(range(7, 96 + 7)).covered_seconds().tolist() == [4 * DAY, 4 * DAY]
    full = window_of(range(0, 40 * 24, 6)).covered_seconds()
    assert (full >= 29 * DAY).all()
    assert (full <= 30 * DAY).all()


def test_days_without_an_event_are_known_too():
    weekly = window_of(range(0, 60 * 24, 7 * 24)).covered_seconds()
    assert (weekly >= 29 * DAY).all()


@pytest.mark.parametrize("days", [30, 90])
def test_a_long_window_costs_kilobytes_a_stream_whatever_its_length(days):
    edges = np.linspace(0.0, 1.0, 15)
    names = tuple(f"c{i}" for i in range(50))
    length = WindowLength(f"{days}d", days * DAY)
    for layout, most in ((Layout(edges=(edges,)), 4_000), (Layout(categories=(names,)), 10_000)):
        window = window_of(range(0, 200 * 24, 7), length, layout)
        assert len(window.steps) <= STEPS + 1
        assert kept_bytes(window) <= most
        assert len(encode(window.state(encode_part))) < 20_000


@pytest.mark.parametrize("cut", [1, 5, 25, 900])
def test_a_window_goes_on_from_a_snapshot_as_if_nothing_had_happened(cut):
    hours = list(range(0, 60 * 24, 3))
    whole, part = window_of(hours), window_of(hours[:cut])
    part = through_a_snapshot(part)
    for hour in hours[cut:]:
        start = MIDNIGHT + hour * 3600.0
        part.add(start, start + 3600.0, counts(hour))
    assert part.total.tolist() == whole.total.tolist()
    assert part.covered_seconds().tolist() == whole.covered_seconds().tolist()
    assert sorted(part.steps) == sorted(whole.steps)


def test_a_snapshot_after_more_panes_of_a_day_has_all_of_them():
    window = window_of(range(30))
    window.state(encode_part)
    start = MIDNIGHT + 23 * 3600.0
    window.add(start, start + 3600.0, counts(77))
    assert through_a_snapshot(window).total.tolist() == window.total.tolist()


def test_a_window_of_another_length_goes_on_with_what_is_known():
    month = window_of(range(0, 20 * 24, 2))
    quarter = through_a_snapshot(month, WindowLength("90d", 90 * DAY))
    week = through_a_snapshot(month, WindowLength("7d", 7 * DAY))
    assert quarter.total.tolist() == month.total.tolist()
    assert quarter.covered_seconds()[0] == pytest.approx(20 * DAY, abs=3600.0)
    assert 0 < week.total.sum() < month.total.sum()
    assert week.covered_seconds()[0] <= 7 * DAY


def test_a_state_of_other_cells_is_not_taken():
    other = Layout(edges=(np.array([0.0]),), categories=(("a", "b"),))
    assert through_a_snapshot(window_of(range(9)), layout=other).total.sum() == 0
    fewer = Layout(edges=LAYOUT.edges)
    assert through_a_snapshot(window_of(range(9)), layout=fewer).total.sum() == 0


def test_streams_that_stay_the_same_keep_their_counts_and_new_ones_start_afresh():
    before = window_of(range(0, 240, 4))
    edges = (np.array([5.0]), *LAYOUT.edges)
    after = PolicyWindow(MONTH, 3600.0, Layout(edges=edges, categories=LAYOUT.categories))
    after.carry(before, Carried(np.array([0, 1]), np.array([1, 2])))
    new = int(after.layout.offsets[1])
    assert after.total[new:].tolist() == before.total.tolist()
    assert after.total[:new].sum() == 0
    assert after.covered_seconds().tolist() == [0.0, *before.covered_seconds()]
    start = MIDNIGHT + 240 * 3600.0
    after.add(start, start + 3600.0, counts(1, after.layout))
    assert after.covered_seconds()[0] == 3600.0
    assert after.covered_seconds()[1] == pytest.approx(241 * 3600.0)


def policy_of(limits=MONTHLY):
    layout = layout_of(NORMAL)
    return PolicyWatch(limits, NORMAL, reference_cells(NORMAL), layout, PANE)


@pytest.mark.parametrize("method", ["psi", "jensen_shannon", "ks", "wasserstein_sd"])
def test_what_equals_the_reference_is_at_no_distance_and_chance_is_told(method):
    policy = policy_of(msgspec.structs.replace(MONTHLY, method=method))
    policy.add(T0, T0 + PANE, reference_cells(NORMAL))
    ones = np.ones(len(NORMAL.streams))
    told = policy.told(ones)
    x = [s.key for s in NORMAL.streams].index(X)
    assert told.distance[x] == pytest.approx(0.0, abs=1e-9)
    assert 0 < told.expected[x] < 0.05
    assert policy.told(4 * ones).expected[x] > 1.9 * told.expected[x]
    assert told.values[x] == NORMAL.streams[x].valid


def test_before_the_first_pane_nothing_is_known():
    told = policy_of().told(np.ones(len(NORMAL.streams)))
    assert np.isnan(told.distance).all()
    assert np.isnan(told.expected).all()
    assert not told.values.any()


def judged(events, limits=MONTHLY, given=NORMAL, **changes):
    world = World(given, watch(policy=limits, **changes))
    world.now = T0 + DAY
    world.send(next(iter(world.shards)), events)
    world.advance(to_the_end=True)
    return world


def told_of(world):
    """The reports of the streams, by their key, that the policy is about."""
    (model,) = model_reports(world.judge, world.shards.values(), LATENESS, world.now)
    return {s.key: s.policy for s in model.streams if s.policy is not None}


def test_a_shift_is_red_and_neither_an_alarm_nor_an_episode():
    world = judged(stream_of(0.0, 20, 200, shift=1.0), detectors=())
    told = told_of(world)
    assert told[X].level is PolicyLevel.RED
    assert told[STATE].level is PolicyLevel.WITHIN
    assert world.transitions == []
    assert not world.judge.episodes.has_open(MODEL)


def test_a_policy_is_about_features_and_outputs_alone():
    told = told_of(judged(stream_of(0.0, 5, 100)))
    assert {X, STATE, PREDICTION} <= told.keys()
    assert LATENCY not in told


@pytest.mark.parametrize("method", ["ks", "wasserstein_sd"])
def test_what_categories_have_no_order_for_is_told_of_numbers_alone(method):
    told = told_of(judged(stream_of(0.0, 5, 100), msgspec.structs.replace(MONTHLY, method=method)))
    assert X in told
    assert STATE not in told
    assert 0 <= told[X].distance < 0.2


def test_without_a_policy_nothing_is_counted_or_told():
    world = judged(stream_of(0.0, 5, 100), None)
    assert told_of(world) == {}
    assert world.judge.models[MODEL].comparison.policy is None


def test_few_values_are_said_to_be_too_few():
    few = told_of(judged(stream_of(0.0, 2, 15)))[X]
    many = told_of(judged(stream_of(0.0, 20, 200)))[X]
    assert few.too_few
    assert not many.too_few
    assert few.bins == many.bins == 10
    assert many.expected == pytest.approx(9 * (1 / 4000 + 1 / 5000), rel=0.01)


def test_a_policy_goes_on_after_a_restart_with_other_limits():
    world = judged(stream_of(0.0, 10, 100, shift=0.5))
    stricter = msgspec.structs.replace(MONTHLY, bins=5, amber=0.01, red=0.02)
    before, after = told_of(world)[X], told_of(world.restarted(NORMAL, watch(policy=stricter)))[X]
    assert (after.values, after.covers_seconds) == (before.values, before.covers_seconds)
    assert after.level is PolicyLevel.RED
    assert after.bins == 5


def test_a_state_from_before_there_were_policies_is_restored_without_one():
    world = judged(stream_of(0.0, 10, 100))
    comparison = world.judge.models[MODEL].comparison
    state = comparison.state(lambda part: part)
    del state["policy"]
    fresh = comparison.under(comparison.watch)
    fresh.restore(state)
    assert [report and report.values for report in policy_reports(fresh)].count(0) == 3
    assert all(math.isnan(r.distance) for r in policy_reports(fresh) if r is not None)


def test_a_reference_that_learns_its_outputs_keeps_what_was_counted_of_the_inputs():
    given = reference(outputs=False)
    world = World(given, watch(policy=MONTHLY))
    world.now = T0 + DAY
    for events in cut(stream_of(0.0, 60, 100), range(0, 6000, 100)):
        world.send(next(iter(world.shards)), events)
        world.advance()
    world.advance(to_the_end=True)
    assert world.judge.models[MODEL].comparison.reference.hash != given.hash
    told = told_of(world)
    assert told[X].values == 6000
    assert 0 < told[PREDICTION].values < 6000
    assert told[PREDICTION].covers_seconds < told[X].covers_seconds == 3600.0


def test_what_is_told_follows_every_pane():
    policy, ones = policy_of(), np.ones(len(NORMAL.streams))
    cells = reference_cells(NORMAL)
    policy.add(T0, T0 + PANE, cells)
    first = policy.told(ones)
    policy.add(T0 + PANE, T0 + 2 * PANE, np.roll(cells, 3))
    second = policy.told(ones)
    assert second.distance[0] > first.distance[0] + 0.1
    assert second.values[0] > first.values[0]
