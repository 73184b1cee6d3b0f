"""The typed path and the general path say the same of every record."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.ingest.decode.decoder import Decoder
from service.values.streams import LATENCY, PREDICTION, class_probability
from tests.unit.ingest.decode.decoding import (
    CREDIT,
    DERIVED,
    DERIVING,
    RELATED,
    assert_balanced,
    assert_equal,
    chunk_of,
    decoder,
    feature,
    plan_of,
    source,
)

# A filter on a header that no record has: what it says is the same, yet no typed path is built.
GENERAL_ONLY = {"drop_if": {"header.never": "present"}}

PLANS = {
    "credit": CREDIT,
    "scores": plan_of(("age",), classes=("good", "bad"), missing=(-999.0, "n/a")),
    "classes": plan_of(("age",), outputs=(PREDICTION, class_probability("good"))),
    "half": plan_of(("income",), {"state": ("MA",)}, learn_outputs=True, ignored=("secret_*",)),
    "rare": plan_of(
        ("age",),
        {"state": ("MA",)},
        classes=("good",),
        missing=("n/a",),
        rare={feature("state"): ("CA", "12", "true", "n/a"), PREDICTION: ("bad",)},
    ),
    "open": plan_of(
        ("age",),
        {"state": ("MA",), "other": ()},
        ("has_card",),
        classes=("good",),
        rare={feature("state"): ("CA", "12")},
        open_ended=frozenset({feature("other"), PREDICTION}),
    ),
    "deriving": DERIVING,
    "derived": DERIVED,
    "all": plan_of(("age", "income"), projection=RELATED, cutoffs=(0.5,), learn_outputs=True),
    "blind": plan_of((), {"state": ("MA", "5411")}, outputs=(LATENCY,)),
}

WARM = [
    {"model": model, "version": version, "features": {"age": 1, "income": 2, "state": "MA"}}
    for model in PLANS
    for version in ("3", 3, None)
]

ODD = (
    *(
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "41",
        "52000.5",
        "-0.0",
        "1e3",
        "12",
        "12.0",
        "-999",
    ),
    *("5411", "1e999", "NaN", "Infinity", "-Infinity", "1e22", "0.1", "12345678901234567890"),
    *("18446744073709551616", "123456789012345678901234567890", "9" * 400, "9" * 5000),
    *("-" + "8" * 309, "[]", "{}", "[1]", '{"a":1}', '{"good":0.4,"bad":0.6}', '{"good":"x"}'),
    *('""', '"MA"', '"CA"', '"NY"', '"12"', '"true"', '"n/a"', '"-999"', '"\\u0000"', '"\\ud800"'),
    *('"' + "x" * 200 + '"', '"a\\"} 1\\nb{"', '{"a":0.5,"b":0.5}'),
)
ODD_TIMES = (
    *('"2026-11-23T10:15:00.123Z"', '"2026-11-23T10:15:00+05:30"', '"2026-11-23T10:15:00"'),
    *('"2026-11-23"', '"x"', '""', "1700000000", "1700000000000", "1700000000.25", "null", "true"),
    *("-5", "1e999", "99999999999", "100000000000", '"1700000000"', '"0001-01-01T00:00:00Z"', "[]"),
)
SCALARS, TIMES = st.sampled_from(ODD), st.sampled_from(ODD_TIMES)
NAMES = ("age", "income", "state", "has_card", "secret_1", "other", "\\u0061ge")
FEATURES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        SCALARS,
    ),
    max_size=6,
)


def as_map(pairs: list[tuple[str, str]]) -> str:
    """JSON text of an object, equal keys and all."""
    return "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"


MEMBERS = st.one_of(
    st.tuples(st.just("model"), st.sampled_from([json.dumps(m) for m in (*PLANS, "new", "", 5)])),
    st.tuples(
        st.just("version"), st.sampled_from(['"3"', "3", "3.0", "null", '""', "true", '"9"'])
    ),
    st.tuples(st.just("timestamp"), TIMES),
    st.tuples(st.just("features"), st.one_of(FEATURES.map(as_map), SCALARS)),
    st.tuples(st.just("prediction"), SCALARS),
    st.tuples(st.just("latency_ms"), SCALARS),
    st.tuples(st.just("unwatched"), SCALARS),
)


@st.composite
def records(draw) -> bytes | None:
    """Mostly events, of which some are broken."""
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return draw(st.sampled_from([None, b"", b" ", b"\xff", b"{}", b"[]", b"5", b"{", b"\x00"]))
    whole = [
        ("model", json.dumps(draw(st.sampled_from(list(PLANS))))),
        ("features", as_map(draw(FEATURES))),
        ("prediction", draw(SCALARS)),
    ]
    text = as_map(whole[: draw(st.integers(1, 3))] + draw(st.lists(MEMBERS, max_size=4)))
    raw = text.encode()
    if kind == 1:
        position = draw(st.integers(0, len(raw) - 1))
        raw = (
            raw[:position]
            + draw(st.sampled_from([b"\xff", b"\x01", b"", b'"', b"}"]))
            + raw[position + 1 :]
        )
    return raw


def pair(**more) -> tuple[Decoder, Decoder]:
    """A decoder that has met every model, and one that only has the general path."""
    typed = decoder(PLANS, source(**more))
    general = decoder(PLANS, source(**GENERAL_ONLY, **more))
    general._bindings._schedules = typed._bindings._schedules
    typed.decode(chunk_of(*WARM))
    return typed, general


@given(st.lists(records(), max_size=8))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_both_paths_give_equal_batches_rejects_and_books(values):
    typed, general = pair()
    chunk = chunk_of(*values)
    decoded = typed.decode(chunk)
    assert_balanced(decoded, chunk)
    assert_equal(decoded, general.decode(chunk))


def test_both_paths_agree_on_every_odd_value_in_every_place():
    places = ["version", "timestamp", "features", "prediction", "latency_ms", "unwatched"]
    values = [
        as_map([("model", f'"{model}"'), ("features", '{"age":1}'), (place, odd)]).encode()
        for model in PLANS
        for place in places
        for odd in (*ODD, *ODD_TIMES)
    ]
    values += [
        as_map([("model", f'"{model}"'), ("features", as_map([(name, odd)]))]).encode()
        for model in PLANS
        for name in NAMES
        for odd in ODD
    ]
    typed, general = pair()
    chunk = chunk_of(*values)
    typed.decode(chunk)
    decoded = typed.decode(chunk)
    assert_balanced(decoded, chunk)
    assert_equal(decoded, general.decode(chunk))


@pytest.mark.parametrize(
    "mapping",
    [
        {"features": {"include": "value.f_*", "strip_prefix": "f_"}},
        {"features": "value.request.inputs", "prediction": "value.response.score"},
        {"model": '"credit"', "version": ["value.meta.v", '"7"'], "time": "record.timestamp"},
        {"model": "value.name", "time": "value.meta.at", "latency": {"path": "value.meta.s"}},
        {"version": "value.model"},
        {"latency": "value.prediction", "prediction": "value.prediction"},
        {"time": "value.a\\b"},
        {"version": "value.features.v"},
        {"version_pattern": r"^(\d+)\."},
        {"missing": [-1, "n/a"]},
        {"features": {"rows": "value.features", "layout": "single", "exclude": ["inc*"]}},
    ],
)
def test_both_paths_agree_on_foreign_mappings(mapping):
    rows = [
        {"age": 41, "income": 5.5, "state": "MA", "has_card": True},
        {"age": -1, "income": None, "state": "n/a", "has_card": 1},
        {"age": "x", "state": 12, "other": 1},
        {},
        None,
        [1, 2],
    ]
    values = [
        {
            "model": "credit",
            "name": "credit",
            "version": version,
            "timestamp": 1.7e9,
            "features": row,
            "request": {"inputs": row},
            "response": {"score": 0.5},
            "meta": {"v": version, "at": 1.6e12, "s": 0.25},
            "prediction": 0.25,
        }
        | {f"f_{name}": value for name, value in (row.items() if isinstance(row, dict) else ())}
        for row in rows
        for version in ("3.1.7", "3", 4)
    ]
    values += [
        value | {"meta": meta, "response": meta} for value in values[:2] for meta in (None, 5, {})
    ]
    typed, general = pair(**mapping)
    chunk = chunk_of(*values)
    typed.decode(chunk)
    decoded = typed.decode(chunk)
    assert decoded.batches
    assert_equal(decoded, general.decode(chunk))


def test_the_typed_path_takes_the_events_it_is_meant_for():
    typed, _ = pair()
    left = []
    typed._general.read = lambda position, harvest: left.append(position)
    event = {"model": "credit", "version": "3", "timestamp": "2026-11-23T10:15:00Z"}
    event |= {"features": {"age": 1, "state": "MA"}, "prediction": 0.5, "id": "x"}
    typed.decode(chunk_of(event, event | {"timestamp": 1.7e9}, event | {"extra": [1, {"a": 2}]}))
    assert left == []
    typed.decode(chunk_of(event, event | {"features": {"age": "old"}}))
    assert left == [1]


def test_a_new_schedule_takes_its_model_off_the_typed_path_at_once():
    plans = dict(PLANS)
    subject = decoder(plans)
    event = {"model": "credit", "version": "3", "features": {"age": 1.0, "state": "MA"}}
    chunk = chunk_of(event)
    for _ in range(2):
        assert subject.decode(chunk).batches[0].plan is CREDIT
    later = plan_of(("state",), {"age": ("1",)})
    subject._bindings._schedules.plans = {"credit": later}
    subject._bindings._schedules.known.clear()
    for _ in range(3):
        batch = subject.decode(chunk).batches[0]
        assert batch.plan is later
        assert np.isinf(batch.numeric[0, 0])
        assert batch.codes[0, 0] == 0


def test_rows_keep_the_order_of_their_records_whichever_path_they_took():
    typed, general = pair()
    ages = [1, "x", 2, 3, float("nan"), 4]
    values = [{"model": "credit", "version": "3", "features": {"age": age}} for age in ages]
    batch = typed.decode(chunk_of(*values)).batches[0]
    offsets = [record.offset for record in batch.records]
    assert all(earlier < later for earlier, later in pairwise(offsets))
    assert_equal(typed.decode(chunk_of(*values)), general.decode(chunk_of(*values)))


def test_versions_of_one_model_with_unlike_plans_are_told_apart():
    plans = {"m": CREDIT}
    subject = decoder(plans)
    old, new = plan_of(("age",)), plan_of((), {"age": ("1",)})

    class ByVersion(type(subject._bindings._schedules)):
        def schedule(self, model):
            self.plans = {"m": old if model.version == "1" else new}
            self.known = self.__dict__.setdefault("all", {}).setdefault(model.version, {})
            return super().schedule(model)

    subject._bindings._schedules = ByVersion(plans)
    chunk = chunk_of(
        *({"model": "m", "version": v, "features": {"age": 1}} for v in ("1", "2") * 2)
    )
    for _ in range(3):
        plans_used = [batch.plan for batch in subject.decode(chunk).batches]
        assert plans_used[0] is old
        assert plans_used[1] is new
