"""What becomes of each record, row and value."""

import numpy as np
import pytest

from config.limits import LimitsSettings
from detectors.summary.profile import INVALID_VALUE
from service.errors import ConfigurationError
from service.ingest.decode.decoder import Decoder
from service.values.plans import Schedule
from service.values.records import Skipped
from service.values.rejects import Reason
from service.values.streams import LATENCY, PREDICTION, ModelKey, class_probability
from tests.unit.ingest.decode.decoding import (
    ARRIVED,
    CREDIT,
    LEARNER,
    Plans,
    assert_balanced,
    chunk_of,
    decoder,
    feature,
    only_batch,
    plan_of,
    source,
)

EVENT = {
    "model": "credit",
    "version": "3",
    "id": "b3f0",
    "timestamp": "2026-11-23T10:15:00.123Z",
    "features": {"age": 41, "income": 52000.0, "state": "MA", "has_card": True, "score_x": None},
    "prediction": 0.83,
    "latency_ms": 12.5,
}


def event(**features) -> dict:
    return {"model": "m", "features": features}


def test_the_native_event_fills_every_column():
    decoded = decoder(CREDIT).decode(chunk_of(EVENT))
    batch = only_batch(decoded)
    assert batch.model == ModelKey("credit", "3")
    assert batch.plan is CREDIT
    assert batch.numeric.tolist() == [[41.0, 52000.0, 0.83, 0.0125]]
    assert batch.codes.tolist() == [[0, 1]]
    assert batch.times_seconds.tolist() == [1795428900.123]
    assert batch.arrivals_seconds.tolist() == [ARRIVED]
    assert batch.latency_seconds.tolist() == [0.0125]
    assert batch.weights.tolist() == [1.0]
    assert [record.offset for record in batch.records] == [0]
    assert decoded.unknown_features == {ModelKey("credit", "3"): frozenset({"score_x"})}


def test_an_empty_chunk_has_empty_books():
    decoded = decoder(CREDIT).decode(chunk_of())
    assert (decoded.batches, decoded.rejects, decoded.consumed) == ([], [], 0)


def test_each_kind_of_refused_record_has_its_reason():
    subject = decoder({"m": CREDIT}, record=1024, rows_per_record=3)
    chunk = chunk_of(
        b"x" * 1025,
        b"{",
        {"features": {"age": 1}},
        {"model": "other", "prediction": 1},
        {"model": "", "prediction": 1},
    )
    decoded = subject.decode(chunk)
    assert_balanced(decoded, chunk)
    assert [(r.reason, r.record.offset, r.row, r.model) for r in decoded.rejects] == [
        (Reason.OVERSIZED, 0, None, None),
        (Reason.MALFORMED, 1, None, None),
        (Reason.NO_MODEL, 2, None, None),
        (Reason.OVER_LIMIT, 3, None, None),
        (Reason.NO_MODEL, 4, None, None),
    ]
    assert all(reject.detail for reject in decoded.rejects)


def test_a_record_of_too_many_rows_is_refused_whole():
    settings = source(features={"rows": "value.rows"})
    subject = decoder(LEARNER, settings, rows_per_record=3)
    chunk = chunk_of(*({"model": "m", "rows": [{"a": 1}] * count} for count in (3, 4, 0)))
    decoded = subject.decode(chunk)
    assert_balanced(decoded, chunk)
    assert [r.reason for r in decoded.rejects] == [Reason.OVER_LIMIT]
    assert len(only_batch(decoded)) == 3
    assert decoded.applied == 2


def test_rows_without_features_and_prediction_are_mistyped_and_their_record_applied():
    unusable = [
        {"model": "m", "latency_ms": 3.0},
        {"model": "m", "features": {}},
        {"model": "m", "features": [1, 2]},
        {"model": "m", "features": "x", "prediction": None},
        {"model": "m", "features": None, "prediction": [1, 2]},
        {"model": "m", "prediction": {}},
    ]
    chunk = chunk_of(*unusable)
    decoded = decoder(CREDIT).decode(chunk)
    assert_balanced(decoded, chunk)
    assert decoded.batches == []
    assert decoded.applied == len(unusable)
    assert {(r.reason, r.row, r.model) for r in decoded.rejects} == {
        (Reason.MISTYPED, 0, ModelKey("m", "unversioned"))
    }


@pytest.mark.parametrize("known", [True, False])
def test_a_record_in_which_nothing_is_found_is_refused_and_makes_no_model_known(known):
    plans = Plans(CREDIT)
    subject = Decoder(source(model=['"m"']), plans, LimitsSettings(), 60.0)
    if known:
        subject.decode(chunk_of({"features": {"age": 41}}))
    chunk = chunk_of({"hello": 1}, {"features": None, "prediction": None, "latency_ms": None})
    decoded = subject.decode(chunk)
    assert_balanced(decoded, chunk)
    assert [(r.reason, r.row, r.model) for r in decoded.rejects] == [
        (Reason.NO_FIELDS, None, None)
    ] * 2
    assert (plans.known != {}) is known


def test_one_usable_side_is_enough():
    decoded = decoder(CREDIT).decode(
        chunk_of(
            {"model": "m", "features": 5, "prediction": 0.5}, {"model": "m", "features": {"z": 1}}
        )
    )
    assert decoded.rejects == []
    batch = only_batch(decoded)
    np.testing.assert_array_equal(batch.numeric[:, 2], [0.5, np.nan])
    assert np.isnan(batch.numeric[:, :2]).all()


def test_surplus_rows_of_unequal_sides_are_refused_alone():
    settings = source(features={"rows": "value.x"}, prediction={"rows": "value.y"})
    chunk = chunk_of({"model": "m", "x": [{"age": 1}, {"age": 2}], "y": [0.1, 0.2, 0.3]})
    decoded = decoder(CREDIT, settings).decode(chunk)
    assert_balanced(decoded, chunk)
    assert only_batch(decoded).numeric[:, 2].tolist() == [0.1, 0.2]
    (reject,) = decoded.rejects
    assert (reject.reason, reject.row) == (Reason.MISTYPED, 2)
    assert "2 rows of features, 3 predictions" in reject.detail


def test_tombstones_and_filtered_records_are_ignored():
    settings = source(
        keep_if={"value.channel": ["app", None], "header.env": ["prod"]},
        drop_if={"value.test": "present"},
    )
    headers = [("env", b"test"), ("env", b"prod")]
    chunk = chunk_of(
        None,
        b"",
        EVENT,
        EVENT | {"channel": "app"},
        EVENT | {"channel": "batch"},
        EVENT | {"test": 0},
        headers=headers,
    )
    decoded = decoder(CREDIT, settings).decode(chunk)
    assert_balanced(decoded, chunk)
    assert [r.offset for r in only_batch(decoded).records] == [2, 3]
    assert decoded.ignored == 4


def test_filters_tell_text_numbers_and_truth_apart_by_how_they_are_written():
    settings = source(keep_if={"value.code": [200, False]})
    codes = [200, 200.0, "200", True, False, "false", 0, [200], None]
    values = [EVENT | {"code": code} for code in codes]
    decoded = decoder(CREDIT, settings).decode(chunk_of(*values))
    assert [r.offset for r in only_batch(decoded).records] == [0, 1, 2, 4, 5]


def test_skipped_offsets_are_consumed_and_rejected_without_a_reject_each():
    lost = [Skipped(3, 6, Reason.CORRUPT_BATCH, "crc"), Skipped(9, 9, Reason.CORRUPT_BATCH, "crc")]
    chunk = chunk_of(EVENT, skipped=lost)
    decoded = decoder(CREDIT).decode(chunk)
    assert_balanced(decoded, chunk)
    assert (decoded.consumed, decoded.applied, decoded.rejected) == (6, 1, 5)
    assert decoded.rejects == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-23T10:15:00Z", 1795428900.0),
        ("2026-11-23T10:15:00.25+02:00", 1795421700.25),
        ("2026-11-23T10:15:00", 1795428900.0),
        ("2026-11-23 10:15:00", 1795428900.0),
        ("2026-11-23", 1795392000.0),
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.5, 1_700_000_000.5),
        (1_700_000_000_500, 1_700_000_000.5),
        (99_999_999_999, 99_999_999_999.0),
        (100_000_000_000, 100_000_000.0),
        (0, 0.0),
        (None, ARRIVED),
    ],
)
def test_event_time_is_read_in_every_form(value, seconds):
    subject = decoder(CREDIT)
    for _ in range(2):
        batch = only_batch(subject.decode(chunk_of(EVENT | {"timestamp": value})))
        assert batch.times_seconds.tolist() == [seconds]


@pytest.mark.parametrize(
    "value", ["yesterday", "", True, [], {}, -1, 1e300, "0001-01-01T00:00:00Z"]
)
def test_an_unreadable_time_refuses_every_row_of_its_record(value):
    settings = source(features={"rows": "value.rows"})
    chunk = chunk_of({"model": "m", "rows": [{"age": 1}, {"age": 2}], "timestamp": value})
    decoded = decoder(CREDIT, settings).decode(chunk)
    assert_balanced(decoded, chunk)
    assert [(r.reason, r.row) for r in decoded.rejects] == [
        (Reason.TIMESTAMP, 0),
        (Reason.TIMESTAMP, 1),
    ]
    assert decoded.applied == 1


def test_the_plan_of_a_row_is_that_of_its_panes_start():
    old, new = plan_of(("age",)), plan_of((), {"age": ("1",)})
    schedule = Schedule(((float("-inf"), old), (120.0, new)))
    times = [119.0, 120.0, 60.0, 179.9]
    values = [event(age=1) | {"timestamp": time} for time in times]
    decoded = decoder({"m": schedule}).decode(chunk_of(*values))
    assert [(batch.plan is new, batch.times_seconds.tolist()) for batch in decoded.batches] == [
        (False, [119.0, 60.0]),
        (True, [120.0, 179.9]),
    ]


def test_a_plan_that_begins_within_a_pane_waits_for_the_next():
    old, new = plan_of(("age",)), plan_of(("age",))
    schedule = Schedule(((float("-inf"), old), (130.0, new)))
    values = [event(age=1) | {"timestamp": time} for time in (179.0, 180.0)]
    batches = decoder({"m": schedule}).decode(chunk_of(*values)).batches
    assert batches[0].plan is old
    assert batches[1].plan is new


def test_numbers_are_missing_when_absent_and_invalid_when_they_are_none():
    values = [41, 41.5, None, "41", True, [], {}, 10**400, 1e308]
    chunk = chunk_of(*(event(age=value, income=1) for value in values), event(income=1))
    numbers = only_batch(decoder(CREDIT).decode(chunk)).numeric[:, 0]
    inf, nan = np.inf, np.nan
    expected = [41.0, 41.5, nan, inf, inf, inf, inf, inf, 1e308, nan]
    np.testing.assert_array_equal(numbers, expected)


def test_categories_are_texts_and_their_codes_tell_missing_invalid_and_unseen():
    plan = plan_of((), {"c": ("MA", "12", "true", "0.5", "")})
    values = ["MA", 12, 12.0, "12", True, "true", 0.5, "", None, [], "NY", 13, 1e30, 2**70, False]
    batch = only_batch(decoder(plan).decode(chunk_of(*(event(c=value) for value in values))))
    codes = [0, 1, 1, 1, 2, 2, 3, 4, -1, -2, -3, -3, -3, -2, -3]
    assert batch.codes[:, 0].tolist() == codes
    assert batch.novel[0].rows.tolist() == [10, 11, 12, 14]
    assert batch.novel[0].names == ["NY", "13", "1e+30", "false"]


def test_booleans_are_truths_zeros_ones_and_their_names():
    plan = plan_of((), booleans=("b",))
    values = [True, False, 1, 0, 1.0, "true", "false", "1", "yes", 2, None]
    batch = only_batch(decoder(plan).decode(chunk_of(*(event(b=value) for value in values))))
    assert batch.codes[:, 0].tolist() == [1, 0, 1, 0, 1, 1, 0, -2, -2, -2, -1]
    assert batch.novel == {}


def test_a_truth_that_the_reference_never_saw_is_unseen_by_name():
    plan = plan_of((), {"b": ("false",)})
    plan = type(plan)(
        "h", plan.layout, categorical=plan.categorical, boolean=frozenset(plan.streams)
    )
    batch = only_batch(decoder(plan).decode(chunk_of(event(b=1), event(b=True), event(b=0))))
    assert batch.codes[:, 0].tolist() == [-3, -3, 0]
    assert batch.novel[0].names == ["true", "true"]


def test_sentinels_are_missing_for_all_features_or_for_some():
    plan = plan_of(
        ("age", "income"),
        {"state": ("MA", "-999")},
        missing=(-999.0, "N/A"),
        missing_by_feature={"age": (0.0,), "state": ("MA",)},
    )
    chunk = chunk_of(
        event(age=-999, income=0, state=-999),
        event(age=0, income=-999.0, state="MA"),
        event(age="N/A", income="-999", state="N/A"),
    )
    subject = decoder(plan)
    for _ in range(2):
        batch = only_batch(subject.decode(chunk))
        nan = np.nan
        np.testing.assert_array_equal(batch.numeric, [[nan, 0.0], [nan, nan], [nan, nan]])
        assert batch.codes.tolist() == [[-1], [-1], [-1]]


def test_a_learning_plan_takes_whatever_comes_as_python_values():
    chunk = chunk_of(
        EVENT,
        EVENT | {"features": {"age": "x", "new": [1]}, "prediction": "yes", "latency_ms": None},
    )
    batch = only_batch(decoder(LEARNER).decode(chunk))
    assert batch.numeric.shape == (2, 0)
    assert batch.codes.shape == (2, 0)
    assert batch.learned == {
        feature("age"): [41.0, "x"],
        feature("income"): [52000.0, None],
        feature("state"): ["MA", None],
        feature("has_card"): [True, None],
        feature("new"): [None, INVALID_VALUE],
        PREDICTION: [0.83, "yes"],
        LATENCY: [0.0125, None],
    }


def test_learning_leaves_out_what_is_watched_ignored_excluded_or_missing():
    plan = plan_of(
        ("age",), learn_inputs=True, ignored=("*_id",), missing=(-1.0, "?"), features_max=4
    )
    settings = source(features={"rows": "value.features", "layout": "single", "exclude": ["x*"]})
    given = {"age": 1, "case_id": 5, "xyz": 1, "a": -1, "b": "?", "c": 2, "d": 3, "e": 4}
    decoded = decoder(plan, settings).decode(chunk_of(event(**given), event(a=1, c=5)))
    batch = only_batch(decoded)
    assert batch.learned == {feature("a"): [None, 1.0], feature("c"): [2.0, 5.0]}
    assert decoded.unknown_features == {batch.model: frozenset({"d", "e"})}


def test_a_map_of_probabilities_gives_one_stream_a_class_and_the_top_class():
    plan = plan_of(
        (), outputs=(class_probability("bad"),), classes=("bad", "good"), learn_outputs=True
    )
    given = [
        {"good": 0.7, "bad": 0.3},
        {"good": 0.5, "bad": 0.5},
        {"good": "x", "bad": None},
        {"new": 1},
    ]
    batch = only_batch(
        decoder(plan).decode(chunk_of(*({"model": "m", "prediction": p} for p in given)))
    )
    np.testing.assert_array_equal(batch.numeric[:, 0], [0.3, 0.5, np.nan, np.nan])
    assert batch.codes[:, 0].tolist() == [1, 0, -2, -3]
    assert batch.novel[0].names == ["new"]
    assert batch.learned[class_probability("good")] == [0.7, 0.5, INVALID_VALUE, None]
    assert batch.learned[class_probability("new")] == [None, None, None, 1.0]


def test_a_prediction_of_the_other_type_is_invalid():
    numeric = plan_of((), outputs=(PREDICTION,))
    predictions = [0.5, "yes", True, {"a": 1.0}, None]
    chunk = chunk_of(*(event(x=1) | {"prediction": p} for p in predictions))
    inf = np.inf
    found = only_batch(decoder(numeric).decode(chunk)).numeric[:, 0]
    np.testing.assert_array_equal(found, [0.5, inf, inf, inf, np.nan])
    named = plan_of((), classes=("yes", "true", "0.5"))
    chunk = chunk_of(*(event(x=1) | {"prediction": p} for p in ["yes", True, 0.5, [1, 2], None]))
    assert only_batch(decoder(named).decode(chunk)).codes[:, 0].tolist() == [0, 1, 2, -2, -1]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_latency_has_a_unit_and_cannot_be_negative(unit):
    settings = source(latency={"path": "value.took", "unit": unit})
    factor = {"s": 1.0, "ms": 1e-3, "us": 1e-6}[unit]
    plan = plan_of((), outputs=(LATENCY,))
    chunk = chunk_of(*(event(x=1) | {"took": took} for took in [250, -1, "slow", None]))
    batch = only_batch(decoder(plan, settings).decode(chunk))
    nan, inf = np.nan, np.inf
    np.testing.assert_array_equal(batch.latency_seconds, [250 * factor, nan, nan, nan])
    np.testing.assert_array_equal(batch.numeric[:, 0], [250 * factor, inf, inf, nan])


def test_weights_out_of_range_count_once():
    settings = source(weight={"path": "value.kept", "inverse": True})
    weights = [0.25, 0, -1, "0.5", None, 1e-9, float("nan"), "x"]
    chunk = chunk_of(*(EVENT | {"kept": weight} for weight in weights))
    batch = only_batch(decoder(CREDIT, settings).decode(chunk))
    assert batch.weights.tolist() == [4.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0]


def test_unknown_features_are_looked_for_in_the_first_record_of_each_model():
    plan = plan_of(("age",), ignored=("*_id",))
    chunk = chunk_of(event(age=1, new=1, row_id=3), event(age=1, later=1))
    decoded = decoder(plan).decode(chunk)
    assert decoded.unknown_features == {ModelKey("m", "unversioned"): frozenset({"new"})}
    assert decoder(LEARNER).decode(chunk).unknown_features == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decode": ["avro"]}, "no stage 'avro'; there are json, csv, base64, gzip"),
        ({"decode": ["json", "gzip"]}, "'json' gives a value; no stage can follow it"),
        ({"features": {"rows": "value.x", "layout": "tensors"}}, "no layout 'tensors'; there are"),
        ({"features": {"rows": "value.x", "layout": "zip+auto"}}, "no stage 'zip'"),
        ({"features": {"include": "f_*"}}, "include 'f_*': expected a path"),
        ({"keep_if": {"valu.x": [1]}}, "source 'test'.keep_if: 'valu.x': no such place"),
        ({"id": "value..x"}, "source 'test'.id: 'value..x': expected .name"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_a_configuration_error(settings, message):
    with pytest.raises(ConfigurationError) as error:
        decoder(CREDIT, source(**settings))
    assert message in str(error.value)
