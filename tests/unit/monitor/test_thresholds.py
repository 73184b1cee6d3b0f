"""From a budget and a tolerance to levels and masses, and what could be noticed with them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.change.bayes_factor import kappa_of_rate, kappa_of_tolerance
from detectors.change.ragged import Ragged
from service.monitor.detecting import thresholds
from service.monitor.detecting.detection import Detection
from service.monitor.detecting.sensing import (
    MISSING_CELL,
    expected_psi,
    missing_ahead,
    noticed_within,
    sure_panes,
    typical_shift,
    values_ahead,
)
from service.monitor.detecting.watched_cells import WatchedCells, watched_count
from service.monitor.references.planning import plan_for
from service.monitor.references.reference import reference_cells
from service.values.streams import Kind, StreamKey
from service.values.watches import Budget, DetectorChoice, Sharing
from tests.unit.monitor.events import MODEL, PANE, X, reference, watch

NAMES = ("e_detector", "adwin", "page_hinkley", "river.KSWIN")
ALL = tuple(DetectorChoice(name) for name in NAMES[:3])
NORMAL = reference(10_000)
MONTH = Budget(1.0, 30 * 86_400.0, "team")


def detection(detectors=ALL, **changes):
    watched = watch(detectors=detectors, **changes)
    plan = plan_for(MODEL, watched, NORMAL, learns=False)
    return Detection(NORMAL, reference_cells(NORMAL), plan, watched, PANE, Sharing())


def test_the_e_detector_may_use_most_of_the_budget_and_what_is_on_uses_all_of_it():
    assert thresholds.shares(NAMES[:3]) == pytest.approx(
        {"e_detector": 0.8, "adwin": 0.1, "page_hinkley": 0.1}
    )
    assert thresholds.shares(NAMES[1:3]) == {"adwin": 0.5, "page_hinkley": 0.5}
    assert thresholds.shares(["river.KSWIN"]) == {"river.KSWIN": 1.0}
    assert thresholds.shares([]) == {}


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_shares_add_up_to_all(names):
    assert sum(thresholds.shares(names).values()) == pytest.approx(1.0)


def test_the_level_is_the_logarithm_of_the_panes_between_false_alarms():
    level = thresholds.level(MONTH, 60.0, 60, 0.8)
    assert level == pytest.approx(math.log(30 * 1440 * 60 / 0.8))
    assert thresholds.level(MONTH, 60.0, 6_000, 0.8) == pytest.approx(level + math.log(100))
    assert thresholds.level(Budget(1e9, 60.0, "team"), 60.0, 1, 1.0) == 1.0


def test_tolerances_are_by_shift_but_of_shares_by_rate_and_never_wider():
    cells = Ragged(np.array([0, 3, 5, 7, 10]))
    normal = np.array([50, 30, 20, 99, 1, 50, 50, 990, 10, 0])
    watched = watch(tolerance_sd=0.2, tolerance_ratio=2.0, tolerance_points=0.01)
    shape, rare, even, quality = thresholds.kappas(cells, normal, 3, watched, 14.8)
    assert shape == pytest.approx(kappa_of_tolerance(0.04, 3, 14.8))
    assert rare == pytest.approx(kappa_of_rate(1.5 / 101, 3 / 101, 14.8))
    assert even == pytest.approx(kappa_of_tolerance(0.04, 2, 14.8))
    assert quality == pytest.approx(kappa_of_rate(10.5 / 1001, 21 / 1001, 14.8))


def test_a_rate_that_was_never_seen_has_a_tolerance_too():
    cells, watched = Ragged(np.array([0, 3])), watch(tolerance_points=0.002)
    (kappa,) = thresholds.kappas(cells, np.array([10_000, 0, 0]), 0, watched, 14.8)
    assert 5_000 < kappa < 50_000


def test_cells_that_have_anything_are_counted():
    cells = Ragged(np.array([0, 3, 5]))
    assert thresholds.occupied(cells, np.array([1, 0, 2, 0, 0])).tolist() == [2, 0]


def test_quality_is_of_inputs_alone_and_its_cells_add_up_to_the_rows():
    watched = WatchedCells(plan_for(MODEL, watch(), NORMAL, learns=False))
    assert [key.name for key in watched.quality] == ["x", "state"]
    assert watched.cells.sizes[-2:].tolist() == [4, 4]
    rows = np.random.default_rng(1).integers(0, 50, watched.plan.layout.cell_count)
    taken = watched.cells.total(watched.take(rows))
    for quality, stream in zip((-2, -1), watched.inputs.tolist(), strict=True):
        offsets = watched.plan.layout.offsets
        assert taken[quality] == rows[offsets[stream] : offsets[stream + 1]].sum()
    kept = watched.without_strangers(rows)
    values = [kept[watched.plan.layout.values_of(i)].sum() for i in range(len(watched.values))]
    assert taken[:-2].tolist() == values
    assert rows.sum() - kept.sum() == watched.plan.unseen_of(rows).sum()


def test_what_is_counted_of_quality_is_where_it_is_said_to_be():
    watched = WatchedCells(plan_for(MODEL, watch(), NORMAL, learns=False))
    layout = watched.plan.layout
    counts = np.zeros(layout.cell_count, dtype=np.int64)
    state = watched.plan.streams.index(("input", "state"))
    counts[layout.missing_cells()[state]] = 5
    counts[layout.invalid_cells()[state]] = 7
    counts[layout.unseen_cells()[0]] = 9
    counts[layout.values_of(state).start] = 11
    assert watched.as_table(len(watched.streams) - 1, counts).tolist() == [11, 0, 9, 5, 7]
    assert watched.take(counts)[-4:].tolist() == [11, 5, 7, 9]


def test_numbers_beyond_the_fences_count_as_unseen():
    plan = plan_for(MODEL, watch(), NORMAL, learns=False)
    x = plan.streams.index(X)
    values, counts = plan.layout.values_of(x), np.zeros(plan.layout.cell_count, dtype=np.int64)
    counts[[values.start, values.start + 1, values.stop - 1]] = 3, 100, 4
    watched = WatchedCells(plan)
    quality = watched.streams.index(StreamKey(Kind.QUALITY, X.name))
    assert watched.as_table(quality, counts).tolist() == [100, 0, 7, 0, 0]
    assert plan.unseen_of(counts).sum() == 7
    plain = replace(plan, fenced=frozenset())
    assert WatchedCells(plain).as_table(quality, counts).tolist() == [107, 0, 0, 0, 0]
    assert WatchedCells(plain).cells.sizes[-2:].tolist() == [3, 4]


def test_the_budget_is_shared_by_all_that_is_judged():
    plan = plan_for(MODEL, watch(), NORMAL, learns=False)
    assert watched_count(plan, watch(detectors=ALL)) == Sharing(4 + 2 + 1)
    assert watched_count(plan, watch(detectors=ALL[1:])) == Sharing(4)


def test_more_events_and_more_time_let_smaller_changes_be_noticed():
    known = detection()
    shifts = [typical_shift(known, events, settled=True) for events in (0.5, 60, 600, 6_000)]
    assert shifts == sorted(shifts, reverse=True)
    assert 0.14 < shifts[-1] < 0.18


def test_what_is_foreseen_is_of_the_middle_stream_that_varies():
    ahead = values_ahead(detection(), 600)
    offsets = detection().watched.cells.offsets
    x = detection().plan.streams.index(("input", "x"))
    assert len(ahead.shares) == offsets[x + 1] - offsets[x]
    assert ahead.shares.sum() == pytest.approx(1)
    assert ahead.level == detection().shapes.level[x]
    assert values_ahead(detection(ALL[1:]), 600) is None


def test_the_more_is_known_to_be_normal_the_less_is_tolerated_up_to_what_is_set():
    reference_alone, later = values_ahead(detection(), 0.0), values_ahead(detection(), 600)
    first_days = values_ahead(detection(), 600, settled=False)
    assert first_days.kappa < reference_alone.kappa <= later.kappa
    assert first_days.shift_from(1e9) > later.shift_from(1e9) > 0.14


def test_what_is_missing_is_foreseen_of_inputs():
    ahead = missing_ahead(detection(), 600)
    assert ahead.shares[MISSING_CELL] == pytest.approx(0, abs=1e-4)
    assert ahead.shares[0] == pytest.approx(1, abs=1e-3)
    assert missing_ahead(detection(ALL[1:]), 600) is None


def test_what_is_sure_to_be_noticed_is_so_well_within_an_hour_or_sixty_panes():
    assert sure_panes(60.0) == sure_panes(900.0) == pytest.approx(40)
    assert sure_panes(5.0) == pytest.approx(480)


def test_while_little_is_known_less_is_noticed():
    assert typical_shift(detection(), 600) > 1.3 * typical_shift(detection(), 600, settled=True)


def test_without_events_or_detectors_nothing_would_be_noticed():
    assert np.isinf(noticed_within(detection(), 0, 60)).all()
    assert np.isinf(noticed_within(detection(()), 600, 60)).all()


def test_each_detector_is_asked_what_it_would_notice():
    shapes, means, both = (
        noticed_within(detection(which), 600, 60, settled=True) for which in (ALL[:1], ALL[2:], ALL)
    )
    assert (both >= np.minimum(shapes, means) - 1e-9).all()
    assert (both <= np.minimum(shapes, means) * 1.2).all()


def test_what_sampling_alone_makes_of_psi_is_told_from_both_sample_sizes():
    known = detection()
    random = np.random.default_rng(4)
    layout = known.plan.layout
    x = known.plan.streams.index(("input", "x"))
    cells = layout.values_of(x)
    shares = np.array(NORMAL.streams[x].counts) / 10_000
    live = np.zeros(layout.cell_count, dtype=np.int64)
    measured = []
    for _ in range(200):
        live[cells] = random.multinomial(500, shares)
        before = random.multinomial(10_000, shares) / 10_000
        now = np.maximum(live[cells] / 500, 1e-4)
        measured.append(((now - before) * np.log(now / np.maximum(before, 1e-4))).sum())
    assert expected_psi(known, live)[x] == pytest.approx(np.mean(measured), rel=0.2)
    assert np.isnan(expected_psi(known, np.zeros_like(live))).all()
