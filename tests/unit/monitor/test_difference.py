"""What two references say otherwise: which streams, by how much, in which order."""

import math

import numpy as np
import pytest

from service.monitor.references.difference import difference
from service.values.streams import Kind, StreamKey, ValueType
from tests.unit.monitor.events import reference


def of(seed=0, rows=20_000, **columns):
    rng = np.random.default_rng(seed)
    inputs = {
        name: column(rng, rows) if callable(column) else column for name, column in columns.items()
    }
    made = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in inputs.items()}
    return reference(rows, inputs=made, outputs=False)


def normal(mean=0.0, sd=1.0):
    return lambda rng, rows: rng.normal(mean, sd, rows)


def key(name):
    return StreamKey(Kind.INPUT, name)


def only(found):
    (stream,) = found.streams
    return stream


def plain_psi(before, after):
    """Ten bins at the deciles of the earlier sample, as the textbook has it."""
    edges = np.quantile(before, np.arange(1, 10) / 10)
    shares = [
        np.bincount(np.searchsorted(edges, x), minlength=10) / len(x) for x in (before, after)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def test_a_reference_does_not_differ_from_itself():
    one = of(x=normal(), y=normal(5.0), s=lambda rng, n: rng.choice(["a", "b"], n))
    found = difference(one, one)
    assert found.added == found.removed == found.retyped == ()
    assert {s.psi for s in found.streams} == {0.0}
    assert {s.size for s in found.streams} == {0.0}


def test_two_samples_of_one_distribution_hardly_differ():
    found = only(difference(of(1, x=normal()), of(2, x=normal())))
    assert found.psi < 0.01
    assert abs(found.shift_sd) < 0.03


@pytest.mark.parametrize(("mean", "sd"), [(0.25, 1.0), (0.5, 1.0), (1.0, 1.0), (0.0, 1.5)])
def test_the_psi_is_that_of_ten_deciles_of_the_rows_themselves(mean, sd):
    found = only(difference(of(1, x=normal()), of(2, x=normal(mean, sd))))
    rng = [np.random.default_rng(seed) for seed in (1, 2)]
    expected = plain_psi(rng[0].normal(0.0, 1.0, 20_000), rng[1].normal(mean, sd, 20_000))
    assert found.psi == pytest.approx(expected, rel=0.05, abs=0.003)
    assert found.shift_sd == pytest.approx(mean, abs=0.03)


def test_it_is_the_same_where_values_are_lognormal_or_few_and_discrete():
    def lognormal(mean):
        return lambda rng, rows: rng.lognormal(mean, 1.0, rows)

    found = only(difference(of(1, x=lognormal(10.0)), of(2, x=lognormal(10.5))))
    rng = [np.random.default_rng(seed) for seed in (1, 2)]
    samples = [r.lognormal(mean, 1.0, 20_000) for r, mean in zip(rng, (10.0, 10.5), strict=True)]
    assert found.psi == pytest.approx(plain_psi(*samples), rel=0.05)

    counts = [lambda rng, rows, p=p: rng.binomial(3, p, rows).astype(float) for p in (0.3, 0.4)]
    found = only(difference(of(1, x=counts[0]), of(2, x=counts[1])))
    shares = [
        np.bincount(r.binomial(3, p, 20_000)) / 20_000
        for r, p in zip([np.random.default_rng(seed) for seed in (1, 2)], (0.3, 0.4), strict=True)
    ]
    expected = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    assert found.psi == pytest.approx(expected, rel=0.15)


def test_categories_are_compared_by_their_names_whatever_their_order():
    a = of(s=["MA"] * 700 + ["CA"] * 300, rows=1000)
    b = of(s=["CA"] * 700 + ["MA"] * 300, rows=1000)
    found = only(difference(a, b))
    assert found.psi == pytest.approx(2 * 0.4 * math.log(7 / 3), rel=0.01)
    assert found.new == found.gone == {}


def test_categories_that_only_one_has_are_named_with_their_share():
    a = of(s=["MA"] * 900 + ["CA"] * 100, rows=1000)
    b = of(s=["MA"] * 900 + ["NY"] * 100, rows=1000)
    found = only(difference(a, b))
    assert found.new == {"NY": 0.1}
    assert found.gone == {"CA": 0.1}
    assert found.psi > 0.5


def test_what_is_missing_more_often_counts_even_where_values_do_not_change():
    a = of(x=[1.0, 2.0] * 500, rows=1000)
    b = of(x=[1.0, 2.0] * 400 + [None] * 200, rows=1000)
    found = only(difference(a, b))
    assert (found.missing_before, found.missing_after) == (0.0, 0.2)
    assert found.psi < 0.01
    assert found.size > 0.5


def test_streams_that_came_went_or_changed_their_type_are_told():
    a = of(x=normal(), gone=normal(), t=[1.0, 2.0] * 500, rows=1000)
    b = of(x=normal(), new=normal(), t=["a", "b"] * 500, rows=1000)
    found = difference(a, b)
    assert found.added == (key("new"),)
    assert found.removed == (key("gone"),)
    (retyped,) = found.retyped
    assert (retyped.key, retyped.before, retyped.after) == (
        key("t"),
        ValueType.NUMERIC,
        ValueType.CATEGORICAL,
    )


def test_the_most_different_come_first():
    a = of(1, x=normal(), y=normal(), z=normal())
    b = of(2, x=normal(0.3), y=normal(1.0), z=normal())
    found = difference(a, b)
    assert [s.key.name for s in found.streams] == ["y", "x", "z"]
    assert [s.key.name for s in found.beyond(0.1)] == ["y"]


def test_streams_without_a_value_and_constants_are_compared_without_an_error():
    a = of(x=[None] * 10, c=[1.0] * 10, rows=10)
    b = of(x=[1.0] * 10, c=[2.0] * 10, rows=10)
    found = {s.key.name: s for s in difference(a, b).streams}
    assert "x" not in found or math.isnan(found["x"].psi)
    assert found["c"].psi > 1.0
    assert math.isnan(found["c"].shift_sd)
    assert difference(b, a).streams is not None
