"""How the inputs of a reference are related is in its file, in its hash and in its plan."""

import json

import numpy as np
import pytest
from msgspec.structs import replace

from detectors.joint import NOTHING, JointMoments, Projection
from detectors.summary.profile import Profile
from service.errors import ConfigurationError
from service.monitor.references.file import read, write
from service.monitor.references.planning import plan_for, watched_part
from service.monitor.references.projection import scaling_of
from service.monitor.references.reference import (
    build_reference,
    merge_references,
    plan_of,
    same_cells,
    with_projection,
)
from service.values.references import LEARNED, Lineage
from service.values.streams import JOINT, PREDICTION, Kind, StreamKey, above_cutoff
from service.values.watches import FeatureWatch
from tests.unit.monitor.events import MODEL, watch

LINEAGE = Lineage("train.csv", "abc", 0.0, "somebody")
ROWS = 2000


def feature(name):
    return StreamKey(Kind.INPUT, name)


def values():
    rng = np.random.default_rng(1)
    first = rng.normal(size=ROWS)
    return {"a": first, "b": first + 0.3 * rng.normal(size=ROWS), "c": rng.normal(size=ROWS)}


def profile(numbers):
    made = Profile()
    made.update_numbers(numbers)
    return made


def base(source="train.csv"):
    columns = {feature(name): profile(column) for name, column in values().items()}
    columns[PREDICTION] = profile(values()["c"])
    return build_reference("m", "1", columns, ROWS, replace(LINEAGE, source=source))


def related(reference):
    scaling = scaling_of(reference.streams)
    moments = JointMoments(len(scaling))
    moments.update(scaling, np.column_stack([values()[name] for name in scaling.features]))
    return with_projection(reference, Projection.of_moments(scaling, moments))


def complete(reference):
    """With cells for the error too."""
    errors = {JOINT: profile(np.abs(values()["c"]))}
    return merge_references(
        reference, build_reference("m", "1", errors, ROWS, replace(LINEAGE, source=LEARNED))
    )


def test_a_file_holds_the_projection_and_gives_it_back():
    written = complete(related(base()))
    text = write(written)
    assert [entry["feature"] for entry in json.loads(text)["projection"]] == ["a", "b"]
    found = read(text, "ref.json")
    assert found.hash == written.hash
    for name in ("mean", "residuals"):
        np.testing.assert_array_equal(
            getattr(found.projection, name), getattr(written.projection, name)
        )
    for name in ("features", "centre", "below", "above"):
        np.testing.assert_array_equal(
            getattr(found.projection.scaling, name), getattr(written.projection.scaling, name)
        )


def test_a_file_tells_unrelated_inputs_from_inputs_that_nobody_looked_at():
    assert read(write(base()), "ref.json").projection is None
    empty = read(write(with_projection(base(), NOTHING)), "ref.json").projection
    assert empty is not None
    assert not empty


def test_the_projection_is_in_the_hash_and_does_not_change_what_has_none():
    plain = base()
    hashes = {plain.hash, related(plain).hash, with_projection(plain, NOTHING).hash}
    assert len(hashes) == 3
    assert read(write(plain), "ref.json").hash == plain.hash


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("feature", "z", "no numeric input"),
        ("feature", "b", "named twice"),
        ("below", 0.0, "must be positive"),
        ("residuals", [1.0], "must be 2 numbers"),
        ("centre", "x", "Expected `float`"),
    ],
)
def test_a_projection_that_does_not_fit_is_refused_by_name(field, value, said):
    tree = json.loads(write(related(base())))
    tree["projection"][0][field] = value
    with pytest.raises(ConfigurationError, match=said):
        read(json.dumps(tree), "ref.json")


def test_cells_of_the_error_without_a_projection_are_refused():
    tree = json.loads(write(complete(related(base()))))
    del tree["projection"], tree["hash"]
    with pytest.raises(ConfigurationError, match="projection: the stream 'reconstruction error'"):
        read(json.dumps(tree), "ref.json")


def test_what_is_added_to_a_reference_leaves_its_projection():
    whole = complete(related(base()))
    assert whole.projection is not None
    assert whole.projection.features == ("a", "b")
    assert whole.streams[3].key == JOINT
    assert plan_of(whole).projection is whole.projection


def test_a_projection_leaves_the_cells_as_they_are():
    assert same_cells(base(), related(base()))
    assert not same_cells(base(), complete(related(base())))


def test_a_learned_reference_learns_first_how_its_inputs_are_related_then_the_error():
    plan = plan_for(MODEL, watch(), base(LEARNED), learns=True)
    assert plan.scaling is not None
    assert plan.scaling.features == ("a", "b", "c")
    assert (plan.learns, plan.learn_inputs, plan.learn_outputs) == (True, False, False)
    plan = plan_for(MODEL, watch(), related(base(LEARNED)), learns=True)
    assert (plan.scaling, plan.derived, plan.learns) == (None, (JOINT,), True)
    plan = plan_for(MODEL, watch(), complete(related(base(LEARNED))), learns=True)
    assert (plan.scaling, plan.derived, plan.learns) == (None, (), False)


def test_nothing_is_learned_where_nothing_is_related():
    plan = plan_for(MODEL, watch(), with_projection(base(LEARNED), NOTHING), learns=True)
    assert (plan.projection, plan.derived, plan.learns) == (None, (), False)


def test_of_a_given_reference_nobody_learns_how_its_inputs_are_related():
    assert plan_for(MODEL, watch(), base(), learns=True).scaling is None
    assert plan_for(MODEL, watch(), related(base()), learns=True).derived == (JOINT,)
    assert plan_for(MODEL, watch(learn=False), related(base()), learns=True).projection is None


def test_one_input_alone_has_no_relation_to_learn():
    columns = {feature("a"): profile(values()["a"])}
    alone = build_reference("m", "1", columns, ROWS, replace(LINEAGE, source=LEARNED))
    assert plan_for(MODEL, watch(), alone, learns=True).scaling is None


def test_cut_offs_without_cells_are_to_be_learned():
    watched = replace(watch(), cutoffs=(0.5, 0.62))
    plan = plan_for(MODEL, watched, base(), learns=True)
    assert plan.derived == (above_cutoff(0.5), above_cutoff(0.62))
    assert plan_for(MODEL, watched, base(), learns=False).derived == ()


def test_an_ignored_feature_takes_the_projection_with_it_if_it_is_part_of_it():
    whole = complete(related(base()))

    def ignoring(name):
        return replace(watch(), feature=lambda feature: FeatureWatch(ignore=feature == name))

    assert watched_part(whole, ignoring("c")).projection is whole.projection
    left = watched_part(whole, ignoring("a"))
    assert left.projection is None
    assert JOINT not in {stream.key for stream in left.streams}
    assert read(write(left), "ref.json").hash == left.hash
