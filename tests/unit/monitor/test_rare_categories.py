"""A feature of many categories, from the rows of its reference to live rows compared with it."""

import math

import numpy as np
import pytest

from detectors.distance import distances
from detectors.summary.profile import Profile
from service.monitor.counting.panes import Pane
from service.monitor.references.file import read, write
from service.monitor.references.reference import build_reference, plan_of, reference_cells
from service.values.references import Lineage
from tests.unit.ingest.decode.decoding import chunk_of, decoder, feature

ROWS = 20_000
SHOP = feature("shop")


def zipf(categories, seed):
    """ROWS names, the k-th in proportion to 1 / k."""
    shares = 1 / np.arange(1, categories + 1)
    numbers = np.random.default_rng(seed).choice(categories, ROWS, p=shares / shares.sum())
    return [f"shop {number}" for number in numbers.tolist()]


def reference_of(names):
    profile = Profile()
    profile.update_texts(names)
    built = build_reference("m", "1", {SHOP: profile}, len(names), Lineage("a", "b", 1.0, "c"))
    return read(write(built), "ref.json")


def seen_live(reference, names):
    """The pane of events with these names, decoded under the reference's plan."""
    plan = plan_of(reference)
    (batch,) = (
        decoder(plan)
        .decode(chunk_of(*({"model": "m", "features": {"shop": name}} for name in names)))
        .batches
    )
    pane = Pane(0.0, plan)
    pane.add(batch, None)
    return pane


def psi(reference, pane):
    nothing = np.full(1, math.nan)
    live, known = pane.summary.cells, reference_cells(reference)
    return distances(pane.plan.layout, live, known, nothing, nothing, nothing).psi[0]


def unseen(pane):
    return int(pane.summary.cells[pane.plan.layout.unseen_cells()][0])


@pytest.mark.parametrize(("categories", "open_ended"), [(300, False), (5000, True)])
def test_many_categories_of_one_distribution_have_not_drifted(categories, open_ended):
    reference = reference_of(zipf(categories, 1))
    pane = seen_live(reference, zipf(categories, 2))
    (stream,) = reference.streams
    other = int(pane.summary.cells[len(stream.categories)])
    assert stream.open_ended is open_ended
    assert other == pytest.approx(int(stream.counts[-1]), rel=0.05)
    assert other > ROWS / 10
    assert unseen(pane) < ROWS / 1000
    assert psi(reference, pane) < 0.02


def test_a_category_that_is_not_in_the_reference_is_unseen_and_named():
    reference = reference_of(zipf(300, 1))
    pane = seen_live(reference, [*zipf(300, 2)[:1000], *["a new shop"] * 40])
    assert unseen(pane) == 40
    assert pane.summary.names[0].top()[0][0] == "a new shop"


def test_an_open_ended_reference_cannot_tell_a_new_category_from_a_rare_one():
    reference = reference_of(zipf(5000, 1))
    pane = seen_live(reference, ["a new shop"] * 40)
    other = len(reference.streams[0].categories)
    assert unseen(pane) == 0
    assert pane.summary.cells[other] == 40
    assert psi(reference, pane) > 0.5


def test_a_shift_among_rare_categories_is_a_drift():
    reference = reference_of(zipf(300, 1))
    pane = seen_live(reference, [f"shop {100 + number % 200}" for number in range(1000)])
    assert psi(reference, pane) > 1
