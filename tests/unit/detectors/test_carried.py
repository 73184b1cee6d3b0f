"""What is carried over when some streams stay and others come and go."""

import numpy as np
import pytest

from detectors.carried import Carried
from detectors.catalogue import build, names
from detectors.change.e_detector import CellCounts, EDetector
from detectors.change.observation import Observation
from detectors.change.ragged import Ragged
from detectors.change.recovery import Recovery
from detectors.dispersion import DispersionLearner
from detectors.summary.carrying import carried_summary
from detectors.summary.layout import Layout
from detectors.summary.summary import Summary
from tests.unit.detectors.test_catalogue import PARAMETERS

OLD, NEW = ("a", "b", "c", "gone"), ("new", "c", "a", "other", "b")
MOVED = Carried.between(OLD, NEW, {"a", "b", "c"})
SIZES = {"a": 3, "b": 5, "c": 2, "gone": 4, "new": 6, "other": 3}


def cells_of(keys):
    return Ragged(np.cumsum([0, *(SIZES[key] for key in keys)]))


def test_pairs_are_of_what_both_have_and_is_the_same():
    assert MOVED.old.tolist() == [2, 0, 1]
    assert MOVED.new.tolist() == [1, 2, 4]
    assert Carried.between(OLD, NEW, {"gone", "new"}).old.tolist() == []


def test_cells_go_with_their_streams():
    old, new = cells_of(OLD), cells_of(NEW)
    names_of_cells = np.array([f"{key}{i}" for key in OLD for i in range(SIZES[key])])
    fresh = np.array(["." * 5] * new.cells)
    told = MOVED.of_cells(old.offsets, new.offsets).into(fresh, names_of_cells)
    assert told[6:11].tolist() == ["c0", "c1", "a0", "a1", "a2"]
    assert told[-5:].tolist() == [f"b{i}" for i in range(5)]
    assert set(told[:6]) == {"....."}
    assert set(fresh) == {"....."}


def test_a_stream_with_other_cells_cannot_be_carried():
    with pytest.raises(ValueError, match="start afresh"):
        MOVED.of_cells(cells_of(OLD).offsets, Ragged(np.arange(len(NEW) + 1)).offsets)


def observations(count, keys, seed=0):
    """Each stream draws from a generator of its own, so that its values do not depend on others."""
    drawn = {key: np.random.default_rng([seed, i]) for i, key in enumerate(sorted(SIZES))}
    for index in range(count):
        step = 1.5 * (index >= count // 2)
        rows = [(drawn[key].integers(1, 4), drawn[key].normal(step)) for key in sorted(SIZES)]
        by_key = dict(zip(sorted(SIZES), rows, strict=True))
        n, mean = np.array([by_key[key] for key in keys], dtype=float).T
        yield Observation(n, mean, np.zeros(len(keys)))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("cut", [0, 3, 70, 130])
def test_a_carried_detector_has_the_same_future_and_a_new_one_starts_afresh(name, cut):
    def bank(keys):
        return build(name, len(keys), PARAMETERS.get(name, {}))

    whole, before, after = bank(OLD), bank(OLD), bank(NEW)
    alone = bank(("new", "other"))
    old, new = list(observations(160, OLD)), list(observations(160, NEW))
    for seen in old[:cut]:
        whole.reset(whole.update(seen).alarm)
        before.reset(before.update(seen).alarm)
    after.carry(before, MOVED)
    for seen, same in zip(new[cut:], old[cut:], strict=True):
        found, expected = after.update(seen), whole.update(same)
        fresh = alone.update(Observation(seen.n[[0, 3]], seen.mean[[0, 3]], seen.m2[[0, 3]]))
        for field in ("evidence", "level", "alarm"):
            told = getattr(found, field)
            assert told[MOVED.new].tolist() == getattr(expected, field)[MOVED.old].tolist()
            assert told[[0, 3]].tolist() == getattr(fresh, field).tolist()
        after.reset(found.alarm)
        whole.reset(expected.alarm)
        alone.reset(fresh.alarm)


def counts(count, keys, seed=5):
    """Panes of 200 events a stream; the shares of all change halfway, but for those of `c`."""
    drawn = {key: np.random.default_rng([seed, i]) for i, key in enumerate(sorted(SIZES))}
    for index in range(count):
        by_key = {}
        for key in sorted(SIZES):
            shares = np.arange(1, SIZES[key] + 1, dtype=float)
            if index >= count // 2 and key != "c":
                shares = shares[::-1]
            by_key[key] = drawn[key].multinomial(200, shares / shares.sum())
        yield np.concatenate([by_key[key] for key in keys])


def reference(keys):
    return np.concatenate([100.0 * np.arange(1, SIZES[key] + 1) for key in keys])


@pytest.mark.parametrize("cut", [0, 1, 20, 45])
def test_an_e_detector_goes_on_with_onsets_pool_and_alarms(cut):
    whole, before = (EDetector(cells_of(OLD), reference(OLD)) for _ in range(2))
    after = EDetector(cells_of(NEW), reference(NEW))
    old, new = list(counts(60, OLD)), list(counts(60, NEW))
    phi_old = np.full(len(OLD), 2.0)
    for seen in old[:cut]:
        for detector in (whole, before):
            detector.update(CellCounts(seen, phi_old))
    after.carry(before, MOVED)
    noticed = np.zeros(len(NEW), dtype=bool)
    for seen, same in zip(new[cut:], old[cut:], strict=True):
        found = after.update(CellCounts(seen, np.full(len(NEW), 2.0)))
        expected = whole.update(CellCounts(same, phi_old))
        for field in ("evidence", "alarm", "onset_panes"):
            told = getattr(found, field)[MOVED.new]
            np.testing.assert_allclose(told, getattr(expected, field)[MOVED.old], rtol=1e-12)
        noticed |= found.alarm
    assert noticed[MOVED.new].tolist() == [False, True, True]
    if cut < 30:
        assert noticed[[0, 3]].all()


def test_a_recovery_that_is_awaited_is_still_noticed():
    def panes(keys):
        rows = list(counts(60, keys))
        return [*rows[30:], *rows[:30]]

    detectors = {keys: EDetector(cells_of(keys), reference(keys)) for keys in (OLD, NEW)}
    whole, before = (Recovery(cells_of(OLD)) for _ in range(2))
    drifts = np.array([True, True, False, True])
    first = panes(OLD)[0].astype(float)
    whole.start(drifts, first)
    before.start(drifts, first)
    after, told = Recovery(cells_of(NEW)), []
    for index, pair in enumerate(zip(panes(OLD), panes(NEW), strict=True)):
        if index == 20:
            after.carry(before, MOVED)
            assert after.watched.tolist() == [False, False, True, False, True]
        known = {
            keys: (CellCounts(seen), detectors[keys].null(CellCounts(seen)))
            for keys, seen in zip((OLD, NEW), pair, strict=True)
        }
        expected = whole.update(*known[OLD])
        if index < 20:
            before.update(*known[OLD])
            continue
        found = after.update(*known[NEW])
        np.testing.assert_allclose(
            found.evidence[MOVED.new], expected.evidence[MOVED.old], rtol=1e-12
        )
        told.append(found.recovered[MOVED.new].tolist())
    assert told[0] == [False, False, False]
    assert told[-1] == [False, True, True]


@pytest.mark.parametrize("cut", [0, 1, 7, 64, 100])
def test_dependence_is_learned_on_with_the_same_blocks(cut):
    def learner(keys):
        shares = reference(keys)
        return DispersionLearner(cells_of(keys), shares / cells_of(keys).spread(
            cells_of(keys).total(shares)))  # fmt: skip

    whole, before, after = learner(OLD), learner(OLD), learner(NEW)
    old, new = list(counts(200, OLD)), list(counts(200, NEW))
    for seen in old[:cut]:
        whole.update(seen)
        before.update(seen)
    after.carry(before, MOVED)
    for seen, same in zip(new[cut:], old[cut:], strict=True):
        after.update(seen)
        whole.update(same)
    found, expected = after.estimate(), whole.estimate()
    for field in ("phi", "kappa", "panes"):
        told = getattr(found, field)
        np.testing.assert_allclose(told[MOVED.new], getattr(expected, field)[MOVED.old])
    assert found.panes[[0, 3]].tolist() == [200 - cut] * 2


EDGES = {"x": [0.0, 1.0], "y": [-1.0, 0.0, 1.0], "gone": [5.0], "fresh": [0.5]}
CATEGORIES = {"state": ("CA", "NY"), "plan": ("a", "b", "c"), "late": ("u",)}
BEFORE, AFTER = ("y", "gone", "x", "plan", "state"), ("fresh", "x", "y", "late", "state", "plan")


def layout_of(keys):
    return Layout(
        tuple(np.array(EDGES[key]) for key in keys if key in EDGES),
        tuple(CATEGORIES[key] for key in keys if key in CATEGORIES),
    )


def summary_of(keys, rows, seed):
    """`rows` rows; a stream's values are the same whatever others there are."""
    layout, summary = layout_of(keys), Summary(layout_of(keys))
    drawn = {k: np.random.default_rng([seed, i]) for i, k in enumerate([*EDGES, *CATEGORIES])}
    numeric = np.stack([drawn[k].normal(size=rows).round(2) for k in keys if k in EDGES], axis=1)
    codes = np.stack(
        [drawn[k].integers(-1, len(CATEGORIES[k]) + 1, rows) for k in keys if k in CATEGORIES],
        axis=1,
    ).astype(np.int32)  # fmt: skip
    novel = {}
    for place, key in enumerate(k for k in keys if k in CATEGORIES):
        others = np.flatnonzero(codes[:, place] == len(CATEGORIES[key]))
        novel[place] = (others, [f"{key}{i % 5}" for i in others.tolist()])
    assert layout.categories
    summary.update(numeric, codes, novel, float(rows))
    return summary


@pytest.mark.parametrize("rows", [3, 700])
def test_a_summary_keeps_all_of_the_streams_that_are_carried_and_merges_with_what_comes(rows):
    carried = Carried.between(BEFORE, AFTER, set(BEFORE) & set(AFTER))
    told = carried_summary(summary_of(BEFORE, rows, 1), layout_of(AFTER), carried)
    more = summary_of(AFTER, rows, 2)
    told.merge(more)
    whole = summary_of(AFTER, rows, 1)
    whole.merge(more)
    assert (told.rows, told.weight) == (2 * rows, 2.0 * rows)
    levels = np.array([0.1, 0.5, 0.9])
    for place in carried.new.tolist():
        held = slice(told.layout.offsets[place], told.layout.offsets[place + 1])
        assert told.cells[held].tolist() == whole.cells[held].tolist()
        assert told.distinct_counts()[place] == whole.distinct_counts()[place]
        assert told.heavy_hitters(place) == whole.heavy_hitters(place)
        if place < told.layout.numeric_count:
            assert told.quantile(levels)[place].tolist() == whole.quantile(levels)[place].tolist()
            assert told.moments.mean[place] == pytest.approx(whole.moments.mean[place])
            assert told.moments.m2[place] == pytest.approx(whole.moments.m2[place])
    for place in (0, 3):
        held = slice(told.layout.offsets[place], told.layout.offsets[place + 1])
        assert told.cells[held].tolist() == more.cells[held].tolist()
        assert told.heavy_hitters(place) == more.heavy_hitters(place)
    assert told.quantile(levels)[0].tolist() == more.quantile(levels)[0].tolist()
