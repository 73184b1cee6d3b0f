"""What a reference says of the values it was built from, and what the monitor makes of it."""

import math
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.profile import INVALID_VALUE, Profile
from service.monitor.references.reference import (
    build_reference,
    content_hash,
    layout_of,
    merge_references,
    plan_of,
    reference_cells,
)
from service.values.references import Lineage
from service.values.streams import (
    LATENCY,
    PREDICTION,
    Kind,
    StreamKey,
    ValueType,
    class_probability,
)

LINEAGE = Lineage("train.csv", "abc", 1000.0, "ada", 10.0, 20.0, "ds-1", {"depth": "6"})
NUMERIC, CATEGORICAL, BOOLEAN = ValueType.NUMERIC, ValueType.CATEGORICAL, ValueType.BOOLEAN


def feature(name):
    return StreamKey(Kind.INPUT, name)


def profile_of(*parts):
    profile = Profile()
    for part in parts:
        profile.update(part)
    return profile


def build(columns, types=None, lineage=LINEAGE, **options):
    profiles = {
        key if isinstance(key, StreamKey) else feature(key): profile_of(values)
        for key, values in columns.items()
    }
    rows = max((p.rows for p in profiles.values()), default=0)
    forced = {feature(name): type_ for name, type_ in (types or {}).items()}
    return build_reference("m", "1", profiles, rows, lineage, forced, **options)


def only(columns, types=None, **options):
    (stream,) = build(columns, types, **options).streams
    return stream


def cells_by_hand(stream, values):
    counts = [0] * len(stream.counts)
    for value in values:
        counts[sum(edge <= value for edge in stream.edges.tolist())] += 1
    return counts


def test_counts_of_a_numeric_stream_equal_a_recount():
    values = np.random.default_rng(1).lognormal(3, 1, 4000).tolist()
    stream = only({"x": [*values, None, None, INVALID_VALUE, "text", True]})
    assert stream.type is NUMERIC
    assert stream.counts.tolist() == cells_by_hand(stream, values)
    assert (stream.missing, stream.invalid, stream.valid) == (2, 3, 4000)
    assert (stream.minimum, stream.maximum) == (min(values), max(values))
    assert (stream.quantiles[0.0], stream.quantiles[1.0]) == (min(values), max(values))
    assert stream.mean == pytest.approx(np.mean(values), rel=1e-8)
    assert stream.sd == pytest.approx(np.std(values, ddof=1), rel=1e-8)
    assert stream.quantiles[0.5] == pytest.approx(np.median(values), rel=0.01)
    assert stream.distinct == pytest.approx(4000, rel=0.1)


def test_counts_of_a_categorical_stream_equal_a_recount():
    values = np.random.default_rng(2).choice(list("abcde"), 3000, p=[0.5, 0.3, 0.1, 0.09, 0.01])
    seen = [*values.tolist(), *(f"rare{i}" for i in range(7))]
    stream = only({"x": [*seen, None]})
    counted = Counter(seen)
    assert stream.type is CATEGORICAL
    for name, count in zip(stream.categories, stream.counts.tolist(), strict=False):
        assert count == counted[name]
    assert stream.valid == len(seen)
    assert stream.missing == 1
    assert stream.singletons == 7
    assert stream.distinct == 12


def test_categories_are_limited_and_the_rest_is_other():
    values = [f"c{i}" for i in range(80)] * 50
    stream = only({"x": values}, categories_max=10)
    assert len(stream.categories) == 10
    assert stream.counts[-1] == 70 * 50
    assert len(only({"x": values}).categories) == 50


def test_rare_categories_are_named_and_part_of_the_hash_and_the_plan():
    reference = build({"x": ["a"] * 500 + ["b", "b", "c"] + [7.0]})
    (stream,) = reference.streams
    assert (stream.categories, stream.rare, stream.open_ended) == (("a",), ("b", "7", "c"), False)
    plan = plan_of(reference)
    assert plan.rare == {feature("x"): ("b", "7", "c")}
    assert plan.open_ended == frozenset()
    for changes in ({"rare": ("b", "c")}, {"open_ended": True}):
        changed = msgspec.structs.replace(stream, **changes)
        assert content_hash(reference.rows, (changed,), LINEAGE) != reference.hash


def test_a_stream_of_too_many_rare_categories_is_open_ended():
    reference = build({"x": ["a"] * 500 + [f"user {i}" for i in range(2000)], "y": [1.0] * 2500})
    stream = reference.streams[1]
    assert (stream.rare, stream.open_ended) == ((), True)
    assert plan_of(reference).open_ended == {feature("x")}


def test_a_boolean_stream_has_the_categories_false_and_true():
    stream = only({"x": [True] * 30 + [False] * 10 + [None]})
    assert stream.type is BOOLEAN
    assert stream.categories == ("false", "true")
    assert stream.counts.tolist() == [10, 30, 0]
    assert (stream.missing, stream.distinct) == (1, 2)


def test_numbers_forced_to_be_categories_are_named_as_live_ones_are():
    stream = only({"x": [5411.0] * 60 + [5812.0] * 40 + [0.5] * 30 + [None]}, {"x": CATEGORICAL})
    assert stream.categories == ("5411", "5812", "0.5")
    assert stream.counts.tolist() == [60, 40, 30, 0]
    assert (stream.invalid, stream.distinct) == (0, 3)


def test_numbers_and_booleans_among_categories_are_categories():
    stream = only({"x": ["a"] * 60 + [7.0] * 40 + [True] * 30 + ["7"] * 5 + [INVALID_VALUE]})
    assert stream.categories == ("a", "7", "true")
    assert stream.counts.tolist() == [60, 45, 30, 0]
    assert stream.invalid == 1


def test_too_many_different_numbers_forced_to_be_categories_are_other():
    stream = only({"x": [i + 0.5 for i in range(6000)]}, {"x": CATEGORICAL})
    assert stream.categories == ()
    assert stream.open_ended
    assert stream.counts.tolist() == [6000]


def test_zeros_and_ones_forced_to_be_boolean_are_false_and_true():
    stream = only({"x": [0.0] * 3 + [1.0] * 5 + [2.0, "true", "no", True]}, {"x": BOOLEAN})
    assert stream.counts.tolist() == [3, 7, 0]
    assert stream.invalid == 2


def test_texts_forced_to_be_numeric_are_invalid():
    stream = only({"x": ["a"] * 30 + [1.0]}, {"x": NUMERIC})
    assert (stream.type, stream.valid, stream.invalid) == (NUMERIC, 1, 30)


def test_numeric_streams_come_first_then_by_kind_and_name():
    reference = build(
        {
            "b": ["x"] * 30,
            "d": [1.0, 2.0],
            LATENCY: [0.1],
            PREDICTION: [0.5],
            "a": [True],
            "c": [1.0],
        }
    )
    names = [stream.key.name for stream in reference.streams]
    assert names == ["c", "d", "latency", "prediction", "a", "b"]


def test_no_rows_give_a_reference_without_streams():
    reference = build({})
    assert (reference.rows, reference.streams) == (0, ())
    assert len(reference_cells(reference)) == layout_of(reference).cell_count == 0
    assert build({"x": []}).streams == ()


def test_one_row_gives_one_value_with_sd_zero():
    stream = only({"x": [3.5]})
    assert (stream.mean, stream.sd, stream.minimum, stream.maximum) == (3.5, 0.0, 3.5, 3.5)
    assert stream.valid == 1
    assert set(stream.quantiles.values()) == {3.5}


def test_a_constant_column_sets_its_value_apart_from_all_others():
    stream = only({"x": [3.5] * 1000})
    fence, lower, upper, other_fence = stream.edges.tolist()
    assert lower <= 3.5 < upper
    assert (fence, other_fence) == (0.0, 7.0)
    assert stream.counts.tolist() == [0, 0, 1000, 0, 0]
    assert stream.sd == 0.0


@pytest.mark.parametrize(
    ("values", "fences"),
    [
        (np.linspace(20, 80, 500), (0.0, 140.0)),
        (np.linspace(0, 80, 500), (0.0, 160.0)),
        (np.linspace(-1, 3, 500), (-5.0, 7.0)),
        (np.linspace(-80, -20, 500), (-140.0, 40.0)),
        ([0.0] * 30, (0.0, 1.0)),
        ([7.0, 9.0], (0.0, 11.0)),
    ],
)
def test_an_input_is_fenced_as_far_out_as_its_range_is_wide_and_at_0_where_nothing_is_below(
    values, fences
):
    stream = only({"x": list(values)})
    assert stream.fenced
    assert (stream.edges[0], stream.edges[-1]) == fences
    assert (stream.counts[0], stream.counts[-1]) == (0, 0)
    assert stream.counts.sum() == len(values)


def test_numbers_too_large_to_go_further_out_are_not_fenced():
    stream = only({"x": (1.7e308 * np.linspace(-1, 1, 500)).tolist()})
    assert not stream.fenced
    assert stream.counts.min() >= 5


def test_a_width_that_is_lost_beside_the_values_still_leaves_them_inside():
    values = [1e16, 1e16 + 2] * 50
    stream = only({"x": values})
    assert stream.fenced
    assert stream.edges[-1] > max(values)


@pytest.mark.parametrize("values", [[None] * 9, [INVALID_VALUE] * 9, [math.nan] * 9])
def test_a_column_without_a_valid_value_has_no_category(values):
    stream = only({"x": values})
    assert (stream.type, stream.categories, stream.valid) == (CATEGORICAL, (), 0)
    assert stream.missing + stream.invalid == 9
    assert math.isnan(stream.mean)


@pytest.mark.parametrize("type_", list(ValueType))
def test_a_column_without_a_valid_value_may_be_of_any_forced_type(type_):
    stream = only({"x": [None] * 9}, {"x": type_})
    assert (stream.type, stream.valid, stream.missing) == (type_, 0, 9)


@pytest.mark.parametrize("key", [LATENCY, class_probability("fraud")])
@pytest.mark.parametrize("forced", [None, CATEGORICAL])
def test_latencies_and_class_probabilities_are_numeric_even_without_a_value(key, forced):
    profile = profile_of([None] * 9)
    reference = build_reference("m", "1", {key: profile}, 9, LINEAGE, {key: forced})
    assert plan_of(reference).numeric == (key,)


def test_values_too_large_to_square_give_no_error():
    stream = only({"x": [1e308, -1e308, 1e300] * 10})
    assert stream.valid == 30
    assert not math.isinf(stream.sd)


def test_building_again_later_by_somebody_else_gives_the_same_hash():
    columns = {"x": [1.0, 2.0, None], "y": ["a", "b", "a"]}
    later = msgspec.structs.replace(LINEAGE, created_seconds=9e8, created_by="bob")
    assert build(columns).hash == build(columns, lineage=later).hash


@pytest.mark.parametrize(
    "change",
    [
        {"source": "b"},
        {"data_hash": "b"},
        {"from_seconds": 1.0},
        {"dataset": "b"},
        {"metadata": {}},
    ],
)
def test_another_origin_gives_another_hash(change):
    lineage = msgspec.structs.replace(LINEAGE, **change)
    assert build({"x": [1.0]}).hash != build({"x": [1.0]}, lineage=lineage).hash


def test_other_data_give_another_hash():
    hashes = {
        build({"x": values}).hash
        for values in ([1.0], [2.0], [1.0, None], ["1"], [True], [1.0, 1.0])
    }
    assert len(hashes) == 6


values = st.floats(-1e6, 1e6) | st.none() | st.sampled_from(["a", "b", True])


@settings(max_examples=50)
@given(st.lists(values, min_size=1, max_size=60), st.data())
def test_order_and_split_of_rows_play_no_part(rows, data):
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    first, second = profile_of(shuffled[:cut]), profile_of(shuffled[cut:])
    first.merge(second)
    whole = build({"x": rows})
    parts = build_reference("m", "1", {feature("x"): first}, len(rows), LINEAGE)
    assert parts.hash == whole.hash


def test_order_of_many_rows_leaves_no_trace_in_the_moments():
    rng = np.random.default_rng(3)
    rows = rng.lognormal(10, 1, 20_000)
    hashes = set()
    for parts in (1, 3, 40):
        rng.shuffle(rows)
        profile = Profile()
        for part in np.array_split(rows, parts):
            profile.update_numbers(part)
        hashes.add(build_reference("m", "1", {feature("x"): profile}, 20_000, LINEAGE).hash)
    assert len(hashes) == 1


def test_reference_cells_lie_as_the_layout_says():
    reference = build(
        {
            "age": [*range(100), None],
            "state": ["MA"] * 60 + ["NY"] * 30 + ["TX"] + [None] * 10,
            "card": [True] * 50 + [False] * 51,
        }
    )
    layout, cells = layout_of(reference), reference_cells(reference)
    assert len(cells) == layout.cell_count
    assert cells.dtype == np.int64
    assert cells[layout.missing_cells()].tolist() == [1, 0, 10]
    assert cells[layout.invalid_cells()].tolist() == [0, 0, 0]
    assert cells[layout.unseen_cells()].tolist() == [0, 0]
    assert cells[layout.values_of(1)].tolist() == [51, 50, 0, 0]
    assert cells[layout.values_of(2)].tolist() == [60, 30, 1, 0]
    assert cells.sum() == 3 * 101


def test_a_plan_names_the_streams_in_the_order_of_the_layout():
    reference = build({"s": ["a"] * 30, "b": [True], "n": [1.0], PREDICTION: [0.5]})
    plan = plan_of(reference, learn_inputs=True, ignored=("id",), missing=(-999.0,))
    assert plan.reference_hash == reference.hash
    assert plan.numeric == (feature("n"), PREDICTION)
    assert plan.categorical == (feature("b"), feature("s"))
    assert plan.boolean == {feature("b")}
    assert plan.layout.categories == (("false", "true"), ("a",))
    assert (plan.learn_inputs, plan.learn_outputs) == (True, False)
    assert (plan.ignored, plan.missing) == (("id",), (-999.0,))


def test_a_plan_without_a_reference_has_no_cell():
    plan = plan_of(None, learn_inputs=True, learn_outputs=True)
    assert (plan.reference_hash, plan.streams, plan.layout.cell_count) == ("", (), 0)
    assert plan.learn_outputs


def test_merging_adds_only_the_streams_that_were_lacking():
    base = build({"x": [1.0, 2.0]})
    learned = build({"x": [5.0] * 3, LATENCY: [0.1] * 3}, lineage=Lineage("learned", "", 5.0, "aw"))
    merged = merge_references(base, learned)
    assert [s.key for s in merged.streams] == [feature("x"), LATENCY]
    assert merged.streams[0] is base.streams[0]
    assert (merged.rows, merged.lineage.source) == (2, "train.csv")
    assert merged.lineage.metadata == {"depth": "6", "learned": "latency latency"}
    assert merged.hash == content_hash(merged.rows, merged.streams, merged.lineage) != base.hash


def test_merging_what_is_known_changes_nothing():
    base = build({"x": [1.0, 2.0]})
    assert merge_references(base, build({"x": [5.0]})) is base
