"""Records of producers in the wild, through the mappings that the product promises for them."""

import base64
import gzip
import json

import numpy as np
import pytest
import yaml

from config.sources import SourceSettings
from service.values.records import Chunk, Partition, Record
from service.values.streams import PREDICTION, ModelKey, class_probability
from tests.unit.ingest.decode.decoding import (
    LEARNER,
    assert_balanced,
    chunk_of,
    decoder,
    feature,
    only_batch,
    plan_of,
)

SAGEMAKER = """
name: sagemaker
files: ['s3-sync/datacapture/**/*.jsonl']
decode: [json]
model: '"churn"'
version: [path.variant, '"unversioned"']
path_pattern: '/datacapture/(?P<variant>[^/]+)/'
id: '{value.eventMetadata.eventId}#{row}'
time: value.eventMetadata.inferenceTime
features:
  rows: value.captureData.endpointInput.data
  layout:
    {from: value.captureData.endpointInput.encoding, CSV: csv, JSON: auto, BASE64: base64+auto}
  columns: [account_length, plan, day_minutes]
prediction:
  rows: value.captureData.endpointOutput.data
  layout: {from: value.captureData.endpointOutput.encoding, CSV: csv, JSON: auto}
missing: ['']
"""
DATABRICKS = """
name: databricks
files: ['exports/inference_table/*.parquet']
model: value.served_model
version: value.served_model_version
id: '{value.databricks_request_id}#{row}'
time: value.timestamp_ms
keep_if: {value.status_code: [200]}
weight: {path: value.sampling_fraction, inverse: true}
features: {rows: value.request, layout: json+auto}
prediction: {rows: value.response, layout: json+auto}
latency: {path: value.execution_time_ms, unit: ms}
"""
BANK = """
name: credit-decisions
topics: [credit.decisions.v2]
model: '"credit-risk"'
version: value.modelVersion
version_pattern: '^(\\d+)\\.'
id: value.applicationId
time: value.decidedAt
keep_if: {value.channel: [branch, app, web], value.loadTest: [false]}
weight: value.samplingWeight
features: {include: 'value.f_*', strip_prefix: f_}
missing: [-999, -999999, '', 'N/A', 'UNKNOWN']
prediction: value.score
latency: {path: value.elapsedMs, unit: ms}
"""
KSERVE = """
name: kserve
topics: {pattern: '^knative-broker-(?P<ns>[^.]+)$'}
model: '{topic.ns}/{header.ce_inferenceservicename}'
version: [value.model_version, header.ce_endpoint, '"unversioned"']
id: '{header.ce_id}#{row}'
time: header.ce_time
features: {rows: [value.instances, value.inputs], layout: auto}
prediction: {rows: [value.predictions, value.outputs], layout: auto}
"""


def mapping(text: str) -> SourceSettings:
    return SourceSettings.model_validate(yaml.safe_load(text))


def captured(inputs: str, outputs: str, *encodings: str) -> dict:
    return {
        "captureData": {
            "endpointInput": {"data": inputs, "encoding": encodings[0]},
            "endpointOutput": {"data": outputs, "encoding": encodings[1]},
        },
        "eventMetadata": {"eventId": "e1", "inferenceTime": "2026-11-23T10:15:00Z"},
        "eventVersion": "0",
    }


CHURN = plan_of(("account_length", "day_minutes"), {"plan": ("yes", "no")}, (), (PREDICTION,))


@pytest.mark.parametrize(
    "record",
    [
        captured("128,yes,265.1\n,no,161.6\n", "0.014\n0.91", "CSV", "CSV"),
        captured(
            json.dumps([[128, "yes", 265.1], [None, "no", 161.6]]), "[0.014, 0.91]", "JSON", "JSON"
        ),
        captured(
            base64.b64encode(b'{"instances": [[128, "yes", 265.1], ["", "no", 161.6]]}').decode(),
            '{"predictions": [[0.014], [0.91]]}',
            *("BASE64", "JSON"),
        ),
    ],
    ids=["csv", "json", "base64"],
)
def test_sagemaker_capture_gives_its_lines_as_rows(record):
    chunk = chunk_of(record, topic="s3-sync/datacapture/blue/2026/11/part-0.jsonl")
    decoded = decoder(CHURN, mapping(SAGEMAKER)).decode(chunk)
    assert_balanced(decoded, chunk)
    batch = only_batch(decoded)
    assert batch.model == ModelKey("churn", "blue")
    assert batch.rows.tolist() == [0, 1]
    assert decoded.applied == 1
    np.testing.assert_array_equal(batch.numeric, [[128.0, 265.1, 0.014], [np.nan, 161.6, 0.91]])
    assert batch.codes.tolist() == [[0], [1]]
    assert batch.times_seconds.tolist() == [1795428900.0] * 2


def test_sagemaker_path_without_a_variant_is_unversioned():
    record = captured("128,yes,1", "0.5", "CSV", "CSV")
    batch = only_batch(decoder(CHURN, mapping(SAGEMAKER)).decode(chunk_of(record, topic="other")))
    assert batch.model.version == "unversioned"
    assert batch.numeric.tolist() == [[128.0, 1.0, 0.5]]


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_split": {"columns": ["age", "city"], "data": [[41, "Rome"], [28, "Oslo"]]}},
        {"dataframe_records": [{"age": 41, "city": "Rome"}, {"age": 28, "city": "Oslo"}]},
        {"instances": [{"age": 41, "city": "Rome"}, {"age": 28, "city": "Oslo"}]},
        {"inputs": [{"age": 41, "city": "Rome"}, {"age": 28, "city": "Oslo"}]},
    ],
    ids=lambda request: next(iter(request)),
)
def test_databricks_tables_hold_json_in_strings(request_):
    row = {
        "served_model": "reco",
        "served_model_version": 7,
        "timestamp_ms": 1_700_000_000_123,
        "status_code": 200,
        "sampling_fraction": 0.25,
        "execution_time_ms": 40,
        "request": json.dumps(request_),
        "response": json.dumps({"predictions": [0.25, 0.75]}),
    }
    failed = row | {"status_code": 500}
    decoded = decoder(LEARNER, mapping(DATABRICKS)).decode(chunk_of(row, failed))
    batch = only_batch(decoded)
    assert (decoded.applied, decoded.ignored) == (1, 1)
    assert batch.model == ModelKey("reco", "7")
    assert batch.learned[feature("age")] == [41.0, 28.0]
    assert batch.learned[feature("city")] == ["Rome", "Oslo"]
    assert batch.learned[PREDICTION] == [0.25, 0.75]
    assert batch.weights.tolist() == [4.0, 4.0]
    assert batch.latency_seconds.tolist() == [0.04, 0.04]
    assert batch.times_seconds.tolist() == [1_700_000_000.123] * 2


def test_a_banks_flat_record_with_sentinels_filters_and_weights():
    plan = plan_of(("income", "bureau"), {"job": ("clerk",)}, (), (PREDICTION,))
    record = {
        "modelVersion": "3.1.7-hotfix2",
        "applicationId": "a1",
        "decidedAt": 1_700_000_000_000,
        "channel": "app",
        "loadTest": False,
        "samplingWeight": 10,
        "f_income": 52000,
        "f_bureau": -999,
        "f_job": "UNKNOWN",
        "score": 0.4,
        "elapsedMs": 12.5,
        "region": "north",
    }
    ignored = [record | {"loadTest": True}, record | {"channel": "test"}]
    text = record | {"f_income": "N/A", "f_job": "clerk", "f_new": 1}
    decoded = decoder(plan, mapping(BANK)).decode(chunk_of(record, *ignored, text))
    assert (decoded.applied, decoded.ignored) == (2, 2)
    batch = only_batch(decoded)
    assert batch.model == ModelKey("credit-risk", "3")
    np.testing.assert_array_equal(batch.numeric, [[52000.0, np.nan, 0.4], [np.nan, np.nan, 0.4]])
    assert batch.codes.tolist() == [[-1], [0]]
    assert batch.weights.tolist() == [10.0, 10.0]
    assert batch.latency_seconds.tolist() == [0.0125, 0.0125]


def test_a_version_that_the_pattern_does_not_match_stays():
    record = {"modelVersion": "main", "channel": "web", "loadTest": False, "score": 0.1}
    batch = only_batch(decoder(LEARNER, mapping(BANK)).decode(chunk_of(record)))
    assert batch.model.version == "main"


HEADERS = (
    ("ce_id", b"7"),
    ("ce_inferenceservicename", b"iris"),
    ("ce_endpoint", b"canary"),
    ("ce_time", b"2026-11-23T10:15:00.5Z"),
)
IRIS = plan_of(("length", "width"), columns=("length", "width"))


@pytest.mark.parametrize(
    "instances",
    [[[5.1, 3.5], [4.9, 3.0]], [{"width": 3.5, "length": 5.1}, {"length": 4.9, "width": 3.0}]],
    ids=["matrix", "records"],
)
def test_kserve_instances_take_their_names_from_the_plan(instances):
    chunk = chunk_of({"instances": instances}, topic="knative-broker-prod", headers=HEADERS)
    batch = only_batch(decoder(IRIS, mapping(KSERVE)).decode(chunk))
    assert batch.model == ModelKey("prod/iris", "canary")
    assert batch.numeric.tolist() == [[5.1, 3.5], [4.9, 3.0]]
    assert batch.times_seconds.tolist() == [1795428900.5] * 2


def test_kserve_responses_are_rows_of_their_own():
    chunk = chunk_of(
        {"predictions": ["setosa", "virginica"], "model_version": "2"},
        topic="knative-broker-prod",
        headers=HEADERS,
    )
    plan = plan_of((), classes=("setosa",))
    batch = only_batch(decoder(plan, mapping(KSERVE)).decode(chunk))
    assert batch.model.version == "2"
    assert batch.codes.tolist() == [[0], [-3]]
    assert batch.novel[0].names == ["virginica"]


def test_one_instance_of_plain_numbers_is_one_row_when_it_has_as_many_columns():
    chunk = chunk_of({"instances": [5.1, 3.5]}, topic="knative-broker-prod", headers=HEADERS)
    batch = only_batch(decoder(IRIS, mapping(KSERVE)).decode(chunk))
    assert batch.numeric.tolist() == [[5.1, 3.5]]


def test_csv_topics_are_read_through_columns_with_numbers_in_text():
    settings = mapping("""
      {name: c, topics: [t], decode: [csv], model: key, features: {rows: value, layout: csv,
      columns: [age, has_card, state]}, prediction: value.none, time: record.timestamp}
    """)
    plan = plan_of(("age",), {"state": ("MA",)}, ("has_card",))
    value = b'41,True,MA\r\n,0,"x,y"\n\nold,maybe,\n'
    batch = only_batch(decoder(plan, settings).decode(chunk_of(value, key=b"credit")))
    assert batch.model.model == "credit"
    np.testing.assert_array_equal(batch.numeric, [[41.0], [np.nan], [np.inf]])
    assert batch.codes.tolist() == [[0, 1], [-3, 0], [-1, -2]]
    assert batch.novel[0].names == ["x,y"]


def test_files_of_text_read_numbers_and_booleans_out_of_strings():
    settings = mapping("{name: f, files: ['*.csv'], text_numbers: true}")
    plan = plan_of(("age",), {"zip": ("02139",)}, ("has_card",), (PREDICTION,))
    event = {"model": "m", "features": {"age": "41", "zip": "02139", "has_card": "TRUE"}}
    event |= {"prediction": "0.5", "timestamp": "1700000000", "latency_ms": "12"}
    empty = {"model": "m", "features": {"age": "", "zip": ""}, "prediction": "1", "timestamp": ""}
    batch = only_batch(decoder(plan, settings).decode(chunk_of(event, empty)))
    np.testing.assert_array_equal(batch.numeric, [[41.0, 0.5], [np.nan, 1.0]])
    assert batch.codes.tolist() == [[0, 1], [-1, -1]]
    assert batch.times_seconds.tolist() == [1_700_000_000.0, 1_700_000_001.0]
    assert batch.latency_seconds[0] == 0.012


def test_packed_values_are_unpacked_by_the_chain():
    settings = mapping("{name: p, topics: [t], decode: [base64, gzip, json]}")
    event = json.dumps({"model": "m", "prediction": 1}).encode()
    value = base64.b64encode(gzip.compress(event[:9]) + gzip.compress(event[9:]))
    assert only_batch(decoder(LEARNER, settings).decode(chunk_of(value))).learned == {
        PREDICTION: [1.0]
    }


def test_an_array_of_whole_events_gives_features_and_predictions_by_take():
    settings = mapping("""
      {name: a, topics: [t], features: {rows: value.events, take: input},
      prediction: {rows: value.events, take: output.score}}
    """)
    events = [{"input": {"age": 41}, "output": {"score": 0.5}}, {"input": {"age": 28}}]
    batch = only_batch(
        decoder(LEARNER, settings).decode(chunk_of({"model": "m", "events": events}))
    )
    assert batch.learned == {feature("age"): [41.0, 28.0], PREDICTION: [0.5, None]}


def test_probabilities_by_position_are_named_by_the_classes_of_the_mapping():
    settings = mapping("""
      {name: a, topics: [t], prediction: {rows: value.p, columns: [bad, good]}}
    """)
    plan = plan_of((), outputs=(class_probability("good"),), classes=("good", "bad"))
    chunk = chunk_of({"model": "m", "p": [[0.1, 0.9], [0.5, 0.5], [0.2, 0.3, 0.5]]})
    batch = only_batch(decoder(plan, settings).decode(chunk_of(json.loads(chunk.records[0].value))))
    np.testing.assert_array_equal(batch.numeric, [[0.9], [0.5]])
    assert batch.codes.tolist() == [[0], [1]]


def test_a_topic_pattern_names_the_model():
    settings = mapping("""
      {name: t, topics: {pattern: '^pred\\.(?P<team>[^.]+)\\.(?P<model>[^.]+)$'},
      model: '{topic.team}/{topic.model}'}
    """)
    record = Record(0, 1.7e9, b'{"prediction": 1}')
    subject = decoder(LEARNER, settings)
    named = subject.decode(Chunk(Partition("pred.risk.churn", 0), [record], 1))
    assert only_batch(named).model == ModelKey("risk/churn", "unversioned")
    assert subject.decode(Chunk(Partition("other", 0), [record], 1)).rejected == 1
