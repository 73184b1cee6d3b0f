"""Whatever comes, the decoder does not raise, the books balance, and every name is clean."""

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.values.batches import Decoded
from service.values.rejects import Reason
from tests.unit.ingest.decode.decoding import (
    CREDIT,
    LEARNER,
    assert_balanced,
    chunk_of,
    decoder,
    only_batch,
    source,
)

INJECTION = 'a"} 1\nb{'


def names_of(decoded: Decoded):
    """Every name that could reach a label."""
    for batch in decoded.batches:
        yield from batch.model
        yield from (key.name for key in (*batch.plan.streams, *batch.learned))
        yield from (v for column in batch.learned.values() for v in column if isinstance(v, str))
        yield from (name for novel in batch.novel.values() for name in novel.names)
    for reject in decoded.rejects:
        yield from reject.model or ()
    for model, names in decoded.unknown_features.items():
        yield from (*model, *names)


def assert_clean(decoded: Decoded) -> None:
    for name in names_of(decoded):
        assert len(name.encode()) <= 128 + len("prediction[]")
        assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)


def hostile(value: str, field: str = "age") -> bytes:
    """An event with a raw JSON text as the value of one feature."""
    return b'{"model":"m","features":{"%s":%s,"income":5}}' % (field.encode(), value.encode())


HOSTILE = {
    "one MB of text": hostile('"' + "x" * 1_000_000 + '"'),
    "one MB of digits": hostile("9" * 1_000_000),
    "depth 1,000 in a field": hostile("[" * 1000 + "]" * 1000),
    "depth 100,000": b"[" * 100_000,
    "depth of objects": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "a lone surrogate": hostile('"\\ud800"'),
    "a lone surrogate as a name": hostile("1", "\\udfff"),
    "a lone surrogate as the model": b'{"model":"\\ud800","features":{"age":1}}',
    "an escaped NUL": hostile('"\\u0000"'),
    "a raw NUL": hostile('"\x00"'),
    "NaN": hostile("NaN"),
    "infinities": hostile("-Infinity"),
    "1e999": hostile("1e999"),
    "5,000 digits": hostile("1" * 5000),
    "5,000 digits as the version": b'{"model":"m","version":%s,"prediction":1}' % (b"1" * 5000),
    "duplicate keys": b'{"model":"m","model":"n","features":{"age":1,"age":2}}',
    "an injection in every name": json.dumps(
        {"model": INJECTION, "version": INJECTION, "features": {INJECTION: INJECTION}}
        | {"prediction": {INJECTION: 0.5}}
    ).encode(),
    "invalid UTF-8": b'{"model":"m","features":{"state":"\xff\xfe"}}',
    "a long name": hostile("1", "n" * 5000),
    "an empty name": hostile("1", ""),
    "UTF-16": '{"model":"m","features":{"age":1}}'.encode("utf-16"),
    "nothing but space": b"  ",
    "a number": b"5",
    "a null": b"null",
    "a list": b"[1,2]",
    "a model of another type": b'{"model":{"a":1},"prediction":1}',
    "features of another type": b'{"model":"m","features":"x"}',
    "a prediction of another type": b'{"model":"m","prediction":[[1]]}',
    "a time of another type": b'{"model":"m","prediction":1,"timestamp":{"a":1}}',
    "a time beyond time": b'{"model":"m","prediction":1,"timestamp":1e300}',
}


@pytest.mark.parametrize("plan", [CREDIT, LEARNER], ids=["with a plan", "learning"])
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_event_is_counted_and_harms_no_neighbour(value, plan):
    good = {"model": "m", "features": {"age": 1.0, "income": 2.0}, "prediction": 0.5}
    subject = decoder(plan)
    chunk = chunk_of(good, value, good)
    for _ in range(2):
        decoded = subject.decode(chunk)
        assert_balanced(decoded, chunk)
        assert_clean(decoded)
        offsets = {r.offset for batch in decoded.batches for r in batch.records}
        assert {0, 2} <= offsets


@pytest.mark.parametrize("mapping", [{}, {"text_numbers": True}, {"decode": ["base64", "gzip"]}])
@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_bytes_are_counted(mapping, values):
    subject = decoder(CREDIT, source(**mapping))
    chunk = chunk_of(*values)
    decoded = subject.decode(chunk)
    assert_balanced(decoded, chunk)
    assert_clean(decoded)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["model", "features", "prediction", "columns", "data", "instances"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
MAPPINGS = [
    {},
    {"features": {"include": "value.*"}, "time": "value.a"},
    {
        "features": {"rows": "value.features", "columns": ["a", "b"]},
        "prediction": {"rows": "value"},
    },
    {"features": {"rows": "value", "layout": "csv"}, "model": '"m"', "text_numbers": True},
    {"features": {"rows": "value.features", "layout": "split", "take": "a"}, "weight": "value.w"},
]


@pytest.mark.parametrize("mapping", MAPPINGS)
@given(
    st.lists(st.fixed_dictionaries({"model": JSONISH, "features": JSONISH}) | JSONISH, max_size=4)
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_json_is_counted_by_any_mapping(mapping, values):
    for plan in (CREDIT, LEARNER):
        chunk = chunk_of(*values)
        decoded = decoder(plan, source(**mapping)).decode(chunk)
        assert_balanced(decoded, chunk)
        assert_clean(decoded)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "9" * 400, "9" * 5000, "[1]", '"x"'])
def test_a_bad_value_costs_its_field_alone(value):
    batch = only_batch(decoder(CREDIT).decode(chunk_of(hostile(value))))
    assert np.isposinf(batch.numeric[0, 0])
    assert batch.numeric[0, 1] == 5.0


def test_depth_beyond_the_limit_is_malformed_even_where_nobody_looks():
    subject = decoder(CREDIT)
    inside = b'{"model":"m","features":{"age":1},"x":%s}' % (b"[" * 499 + b"]" * 499)
    beyond = b'{"model":"m","features":{"age":1},"x":%s}' % (b"[" * 500 + b"]" * 500)
    wide = b'{"model":"m","features":{"age":1},"x":[%s[]]}' % (b"[]," * 2000)
    in_text = b'{"model":"m","features":{"age":1},"x":"%s"}' % (b'\\"[{' * 2000)
    for _ in range(2):
        decoded = subject.decode(chunk_of(inside, beyond, wide, in_text))
        assert [r.offset for r in only_batch(decoded).records] == [0, 2, 3]
        assert [r.reason for r in decoded.rejects] == [Reason.MALFORMED]


def test_names_that_differ_after_128_bytes_stay_two():
    names = ["n" * 300 + "1", "n" * 300 + "2", "ß" * 100, "ß" * 101]
    batch = only_batch(
        decoder(LEARNER).decode(chunk_of({"model": "m", "features": dict.fromkeys(names, 1)}))
    )
    assert len(batch.learned) == len(names)
    assert all(len(key.name.encode()) <= 128 for key in batch.learned)


def test_an_injected_label_is_one_harmless_name():
    batch = only_batch(decoder(LEARNER).decode(chunk_of({"model": INJECTION, "prediction": 1})))
    assert batch.model.model == 'a"} 1\N{REPLACEMENT CHARACTER}b{'
