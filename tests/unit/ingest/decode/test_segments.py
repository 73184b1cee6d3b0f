"""A prediction is a value of its segment's stream, and of no other of the segmentation."""

import math

import numpy as np
import pytest

from detectors.summary.layout import Layout
from detectors.summary.profile import INVALID_VALUE
from service.values.batches import MISSING, UNSEEN
from service.values.plans import Plan, Segments
from service.values.streams import OTHER_SEGMENT, PREDICTION, Segment, in_segment, segment_of
from tests.unit.ingest.decode.decoding import (
    chunk_of,
    decoder,
    feature,
    only_batch,
    plan_of,
    source,
)

STATE = Segments(feature("state"), ("CA", "MA", OTHER_SEGMENT))
AGE = Segments(feature("age"), ("<18", "[18, 65)", ">=65"), (18.0, 65.0))
ROWS = (
    ("MA", 17, 0.1),
    ("CA", 18, 0.2),
    ("NY", 64.9, 0.3),
    ("TX", 65, 0.4),
    (None, None, 0.5),
    (["MA"], "old", 0.6),
    ("MA", 30, None),
    ("MA", 30, "high"),
)
"""NY is a category without a segment of its own, TX unseen."""

CATEGORIES = {"state": ("CA", "MA", "NY")}


def event(state, age, prediction):
    return {
        "model": "m",
        "version": "1",
        "features": {"state": state, "age": age},
        "prediction": prediction,
    }


def decoded(plan, rows=ROWS):
    """Twice, so that the second time the typed path takes what it can."""
    subject = decoder(plan, source())
    chunk = chunk_of(*(event(*row) for row in rows))
    subject.decode(chunk)
    return only_batch(subject.decode(chunk))


def test_each_prediction_is_in_the_columns_of_its_segments_alone():
    streams = (*STATE.streams, *AGE.streams)
    plan = plan_of(("age",), CATEGORIES, outputs=(PREDICTION, *streams), segments=(STATE, AGE))
    batch = decoded(plan)
    nan, bad = math.nan, math.inf
    expected = {
        "CA": [nan, 0.2, nan, nan, nan, nan, nan, nan],
        "MA": [0.1, nan, nan, nan, nan, nan, nan, bad],
        OTHER_SEGMENT: [nan, nan, 0.3, 0.4, nan, nan, nan, nan],
        "<18": [0.1, nan, nan, nan, nan, nan, nan, nan],
        "[18, 65)": [nan, 0.2, 0.3, nan, nan, nan, nan, bad],
        ">=65": [nan, nan, nan, 0.4, nan, nan, nan, nan],
    }
    for column, name in enumerate(expected, start=2):
        np.testing.assert_array_equal(batch.numeric[:, column], expected[name], err_msg=name)
    assert batch.learned == {}


def test_without_other_what_has_no_segment_is_in_none():
    segments = Segments(feature("state"), ("CA", "MA"))
    plan = plan_of((), CATEGORIES, outputs=(PREDICTION, *segments.streams), segments=(segments,))
    batch = decoded(plan, ROWS[:4])
    assert np.nanmax(batch.numeric[:, 1:], axis=0).tolist() == [0.2, 0.1]
    assert np.isnan(batch.numeric[2:, 1:]).all()


def test_segments_without_cells_are_learned():
    plan = plan_of(
        ("age",), CATEGORIES, outputs=(PREDICTION,), segments=(STATE,), learn_segments=True
    )
    learned = decoded(plan).learned
    assert set(learned) == set(STATE.streams)
    assert learned[STATE.streams[1]] == [0.1, *[None] * 6, INVALID_VALUE]
    assert learned[STATE.streams[2]] == [None, None, 0.3, 0.4, *[None] * 4]


def test_segments_are_learned_beside_the_prediction_as_it_came():
    plan = plan_of((), CATEGORIES, segments=(STATE,), learn_segments=True, learn_outputs=True)
    learned = decoded(plan).learned
    assert learned[PREDICTION] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, None, "high"]
    assert learned[STATE.streams[1]] == [0.1, *[None] * 6, "high"]


def test_segments_that_are_not_to_be_learned_cost_nothing():
    plan = plan_of((), CATEGORIES, outputs=(PREDICTION,), segments=(STATE,))
    assert decoded(plan).learned == {}


CLASSES = ("bad", "good")
DECISIONS = (
    ("MA", 1, "good"),
    ("CA", 1, "bad"),
    ("MA", 1, "odd"),
    ("MA", 1, None),
    ("NY", 1, "good"),
)


def test_decisions_are_categories_in_their_segments_too():
    segment = STATE.streams[1]
    plan = Plan(
        "hash",
        Layout((), (CATEGORIES["state"], CLASSES, ("good",))),
        categorical=(feature("state"), PREDICTION, segment),
        segments=(STATE,),
        learn_segments=True,
    )
    batch = decoded(plan, DECISIONS)
    assert batch.codes[:, 2].tolist() == [0, MISSING, UNSEEN, MISSING, MISSING]
    assert (batch.novel[2].rows.tolist(), batch.novel[2].names) == ([2], ["odd"])
    assert batch.learned[STATE.streams[0]] == [None, "bad", None, None, None]
    assert batch.learned[STATE.streams[2]] == [*[None] * 4, "good"]
    assert batch.codes[:, 1].tolist() == [1, 0, UNSEEN, MISSING, 1]


def test_without_any_prediction_nothing_is_learned_of_segments():
    plan = plan_of((), CATEGORIES, segments=(STATE,), learn_segments=True)
    assert decoded(plan).learned == {}


@pytest.mark.parametrize("name", ["NE", "[18, 65)", "a=b", "a}", OTHER_SEGMENT, ">=65"])
def test_the_name_of_a_stream_tells_its_segment(name):
    assert segment_of(in_segment(Segment("region", name))) == Segment("region", name)


def test_other_streams_are_of_no_segment():
    others = (PREDICTION, feature("prediction{a=b}"), PREDICTION._replace(name="prediction{a}"))
    assert [segment_of(key) for key in others] == [None] * 3
