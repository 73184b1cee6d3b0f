"""Predictions of a file give the streams that the same predictions give live."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.profile import Profile
from service.commands.profiling import Profiling, Roles
from service.ingest.files.tables import Cells, read_tables
from service.values.streams import PREDICTION, Kind, class_probability
from tests.unit.ingest.decode.decoding import LEARNER, chunk_of, decoder

GOOD, BAD = class_probability("good"), class_probability("bad")


def live(events):
    """What a model without a reference learns of its prediction, by stream."""
    profiles = {}
    (batch,) = decoder(LEARNER).decode(chunk_of(*events)).batches
    for key, values in batch.learned.items():
        profiles.setdefault(key, Profile()).update(values)
    return outputs(profiles)


def profiled(path, roles):
    profiling = Profiling(roles)
    bad = []
    cells = Cells(prediction=None if roles.probabilities else roles.prediction)
    for table in read_tables([path], bad.append, cells):
        profiling.add(table)
    assert bad == []
    return outputs(profiling.profiles())


def outputs(profiles):
    """Counts of each stream in which there is any value."""
    return {
        key: (
            profile.missing,
            profile.invalid,
            dict(profile.names.counts),
            profile.booleans.tolist(),
            _numbers(profile),
        )
        for key, profile in profiles.items()
        if key.kind is Kind.OUTPUT and profile.rows > profile.missing
    }


def _numbers(profile):
    buckets = profile.quantiles.buckets(0)
    return dict(zip(buckets.lower.tolist(), buckets.counts.tolist(), strict=True))


def in_json_lines(tmp_path, events):
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return profiled(path, Roles("prediction", "latency_ms"))


def event(prediction):
    return {"model": "m", "features": {"age": 1}, "prediction": prediction}


PROBABILITIES = st.none() | st.booleans() | st.text(max_size=3) | st.floats(allow_nan=False)
CLASSES = st.sampled_from(["good", "bad", "", "0", "x" * 200, "\ud800"])
PREDICTIONS = st.lists(
    st.one_of(
        st.dictionaries(CLASSES, PROBABILITIES | st.floats(0, 1), max_size=4),
        st.lists(st.floats(0, 1), max_size=2),
        PROBABILITIES,
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(PREDICTIONS)
def test_recorded_predictions_give_the_streams_of_live_ones(tmp_path_factory, predictions):
    events = [event(prediction) for prediction in predictions]
    found = in_json_lines(tmp_path_factory.mktemp("events"), events)
    assert found == live(events)


def test_the_top_class_is_the_first_by_name_of_equals(tmp_path):
    events = [event({"good": 0.5, "bad": 0.5}), event({"good": 0.7, "bad": 0.3}), event("good")]
    found = in_json_lines(tmp_path, events)
    assert found[PREDICTION][2] == {"bad": 1, "good": 2}
    assert found[GOOD][4] == {0.5: 1, 0.7: 1}
    assert found[BAD][0] == 1


MAPS = [{"good": 0.25, "bad": 0.75}, {"good": 0.5, "bad": 0.5}, {"good": None, "bad": 0.1}, None]


@pytest.mark.parametrize(
    "type_",
    [pa.map_(pa.string(), pa.float64()), pa.struct({"good": pa.float64(), "bad": pa.float64()})],
)
def test_maps_and_structs_of_parquet_are_predictions_too(tmp_path, type_):
    values = [m and list(m.items()) for m in MAPS] if pa.types.is_map(type_) else MAPS
    table = pa.table({"age": [1.0] * 4, "score": pa.array(values, type_)})
    pa.parquet.write_table(table, tmp_path / "train.parquet")
    found = profiled(tmp_path / "train.parquet", Roles("score"))
    assert found == live([event(prediction) for prediction in MAPS])


def test_columns_of_probabilities_are_a_prediction(tmp_path):
    path = tmp_path / "train.csv"
    rows = ["age,p_good,p_bad,prediction", *("1,.25,.75,x", "1,.5,.5,x", "1,,.1,x", "1,,,x")]
    path.write_text("\n".join(rows))
    roles = Roles("prediction", probabilities={"good": "p_good", "bad": "p_bad"})
    assert profiled(path, roles) == live([event(prediction) for prediction in MAPS])


def test_a_probability_that_is_no_number_is_invalid(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("p_good,p_bad\nhigh,0.2\nhigh,low\n0.9,true\n")
    found = profiled(path, Roles(probabilities={"good": "p_good", "bad": "p_bad"}))
    assert found[PREDICTION][:3] == (0, 1, {"bad": 1, "good": 1})
