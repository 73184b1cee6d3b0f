import jsonschema
import pytest

from config.document import read_document
from config.loader import load
from config.schema import DIALECT, json_schema
from config.show import show

SAMPLE = """\
version: 1
kafka:
  bootstrap_servers: [kafka-1:9093, kafka-2:9093]
  security:
    protocol: SASL_SSL
    mechanism: SCRAM-SHA-512
    username: anchorwatch
    password: ${file:/etc/anchorwatch/kafka/password}
    ca_file: /etc/anchorwatch/kafka/ca.pem
  start: -7d
  out_of_range: stop
  dead_letters: null
sources:
  - {name: decisions, topics: [ml.predictions], format: native}
  - name: credit
    topics: {pattern: '^credit\\.(?P<part>.*)$'}
    model: '"credit-risk"'
    version: [value.v, '"1"']
    features: {include: 'value.f_*', strip_prefix: f_}
    prediction: value.score
    latency: {path: value.elapsed, unit: ms}
    weight: value.w
    missing: [-999, '', N/A]
    keep_if: {value.channel: [branch, app], value.loadTest: [false], header.x: present}
detection:
  false_alarm_budget: 1 per 30d per team
  tolerance: {shift: 0.15}
  pane: 1m
  windows: [5m, 1h, 24h]
  detectors: [adwin, {name: river.KSWIN, alpha: 0.01}]
models:
  '*':
    team: unowned
    features: {'*_id': {ignore: true}}
  credit-*:
    missing: [-999, '']
    tolerance: {shift: 0.3}
    features:
      flag: {mute: {until: 2026-12-31, by: a.name, why: campaign, ticket: RC-1182}}
limits: {record: 1MiB, models: '${env:MODELS}'}
"""


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(json_schema())


def wrong(validator, text):
    return [e.json_path for e in validator.iter_errors(read_document(text, "f").data)]


def test_the_schema_is_one_of_draft_2020_12(validator):
    assert json_schema()["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(validator.schema)


def test_the_schema_accepts_what_people_write(validator):
    assert wrong(validator, SAMPLE) == []


def test_the_schema_accepts_what_is_shown(validator):
    assert wrong(validator, show(load(None, {}))) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("detection: {pane: 60}", "$.detection.pane"),
        ("detection: {tollerance: {}}", "$.detection"),
        ("detection: {false_alarm_budget: often}", "$.detection.false_alarm_budget"),
        ("limits: {models: 0}", "$.limits.models"),
        ("limits: {record: 1 MiB}", "$.limits.record"),
        ("kafka: {start: soon}", "$.kafka.start"),
        ("labels: []", "$"),
        ("models: {a: {tier: 4}}", "$.models.a.tier"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(validator, problems, text, place):
    assert wrong(validator, text) == [place]
    assert problems(text)


def test_descriptions_tell_bounds_default_and_variable():
    pane = json_schema()["$defs"]["DetectionSettings"]["properties"]["pane"]
    assert pane["default"] == "1m"
    assert pane["description"].endswith(
        "From 100ms to 1h. Default: 1m. Environment: ANCHORWATCH_DETECTION__PANE."
    )
