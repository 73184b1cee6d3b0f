"""What no event holds is computed of every batch: the reconstruction error and the cut-offs."""

import math

import numpy as np
import pytest

from detectors.joint import reconstruction_errors
from detectors.summary.layout import Layout
from detectors.summary.profile import INVALID_VALUE
from service.values.batches import INVALID, MISSING
from service.values.plans import Plan
from service.values.streams import JOINT, PREDICTION, above_cutoff, cutoff_of
from tests.unit.ingest.decode.decoding import (
    DERIVED,
    DERIVING,
    RELATED,
    chunk_of,
    decoder,
    feature,
    only_batch,
    plan_of,
    source,
)

CUTOFF = above_cutoff(0.62)
ROWS = ((41, 52_000.0, 0.83), (17, 9e4, 0.62), (60, None, None), (None, None, "high"))


def event(age, income, prediction):
    return {
        "model": "m",
        "version": "1",
        "features": {"age": age, "income": income, "state": "MA"},
        "prediction": prediction,
    }


def decoded(plan, **settings):
    """Twice, so that the second time the typed path takes what it can."""
    subject = decoder(plan, source(**settings))
    chunk = chunk_of(*(event(*row) for row in ROWS))
    subject.decode(chunk)
    return only_batch(subject.decode(chunk))


def expected():
    rows = [[math.nan if v is None else v for v in row[:2]] for row in ROWS]
    return reconstruction_errors(RELATED, np.array(rows, dtype=np.float64))


def test_the_error_is_one_more_numeric_column():
    batch = decoded(DERIVED)
    assert batch.plan.numeric[3] == JOINT
    np.testing.assert_array_equal(batch.numeric[:, 3], expected())
    assert np.isnan(batch.numeric[:, 3]).tolist() == [False, False, False, True]
    assert batch.learned == {}


def test_the_error_is_learned_when_it_has_no_cells():
    errors = expected().tolist()
    assert decoded(DERIVING).learned[JOINT] == [*errors[:3], None]


def test_the_error_knows_sentinels_and_features_that_are_excluded():
    subject = decoder(DERIVED, source(missing=[41]))
    batch = only_batch(subject.decode(chunk_of(event(*ROWS[0]))))
    gap = reconstruction_errors(RELATED, np.array([[math.nan, 52_000.0]]))
    assert batch.numeric[0, 3] == gap[0]
    batch = decoded(DERIVED, features={"rows": "value.features", "exclude": ["income"]})
    assert batch.numeric[0, 3] == reconstruction_errors(RELATED, np.array([[41.0, math.nan]]))[0]


def test_a_cut_off_splits_the_predictions_strictly():
    batch = decoded(DERIVED)
    assert batch.plan.categorical[2] == CUTOFF
    assert batch.codes[:, 2].tolist() == [1, 0, MISSING, INVALID]
    assert batch.codes[:, 1].tolist() == [1, 1, MISSING, INVALID]
    assert batch.codes[:, 0].tolist() == [0, 0, 0, 0]


def test_a_cut_off_is_learned_when_it_has_no_cells():
    assert decoded(DERIVING).learned[CUTOFF] == [True, False, None, INVALID_VALUE]


def test_a_cut_off_is_learned_beside_the_prediction():
    learner = Plan("none", Layout(), learn_inputs=True, learn_outputs=True, cutoffs=(0.62,))
    batch = decoded(learner)
    assert batch.learned[PREDICTION] == [0.83, 0.62, None, "high"]
    assert batch.learned[CUTOFF] == [True, False, None, INVALID_VALUE]


def test_without_any_prediction_nothing_is_learned_of_a_cut_off():
    subject = decoder(plan_of(("age",), cutoffs=(0.5,)))
    batch = only_batch(subject.decode(chunk_of(event(41, 1.0, 0.9))))
    assert batch.learned == {}


@pytest.mark.parametrize("cutoff", [0.62, 1.0, -3.0, 1e-9, 250_000.0])
def test_the_name_of_a_cut_off_tells_it(cutoff):
    assert cutoff_of(above_cutoff(cutoff)) == cutoff


def test_other_streams_are_no_cut_offs():
    names = (PREDICTION, feature("prediction>0.5"), PREDICTION._replace(name="prediction>x"))
    assert [cutoff_of(key) for key in names] == [None] * 3
