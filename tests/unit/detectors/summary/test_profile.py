"""Profiles of streams without a reference."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.profile import INVALID_VALUE, NAMES_MAX, Profile
from tests.unit.detectors.summary.distributions import NAMES, draw, same_state

values = st.lists(
    st.floats()
    | st.integers(-(10**400), 10**400)
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.just(INVALID_VALUE),
    max_size=40,
)


def profile_of(stream):
    profile = Profile()
    profile.update(stream)
    return profile


def test_every_value_is_counted_as_what_it_is():
    stream = [1, 2.5, -0.0, True, False, True, "a", "b", "a", None, float("nan")]
    stream += [INVALID_VALUE, float("inf"), 10**400, [1], np.float64(2.5)]
    profile = profile_of(stream)
    assert profile.rows == len(stream)
    assert profile.numbers == 4
    assert profile.booleans.tolist() == [1, 2]
    assert profile.texts == 3
    assert profile.names.top() == [("a", 2), ("b", 1)]
    assert profile.missing == 2
    assert profile.invalid == 4
    assert profile.singletons == 1
    assert profile.distinct_texts == 2
    assert profile.distinct_numbers == pytest.approx(3, abs=0.1)


def test_typed_updates_count_as_mixed_ones_do():
    typed = Profile()
    typed.update_numbers(np.array([1.0, np.nan, np.inf, 2.0]))
    typed.update_texts(["x", None, "x"])
    typed.update_booleans([True, None, False, False])
    mixed = profile_of(
        [1.0, float("nan"), float("inf"), 2.0, "x", None, "x", True, None, False, False]
    )
    assert same_state(typed.state(), mixed.state())


@settings(max_examples=80, deadline=None)
@given(stream=values, cut=st.integers(0, 40))
def test_merge_of_any_cut_equals_the_whole(stream, cut):
    whole, left, right = profile_of(stream), profile_of(stream[:cut]), profile_of(stream[cut:])
    before = right.state()
    left.merge(right)
    assert same_state(right.state(), before)
    assert same_state(exact(left), exact(whole))
    assert left.rows == len(stream)


def exact(profile):
    return {k: v for k, v in profile.state().items() if not k.startswith("moments.")}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_every_distribution_are_summarised_exactly(name):
    stream = draw(name, 3000)
    profile = Profile()
    profile.update_numbers(stream[:2000].reshape(40, 50))
    profile.update(stream[2000:].tolist())
    assert profile.numbers == 3000
    probabilities = np.array([0.01, 0.5, 0.99])
    exact_quantiles = np.quantile(stream, probabilities, method="lower")
    # up to 4,096 different numbers are held exactly
    assert profile.quantiles.quantile(probabilities)[0].tolist() == exact_quantiles.tolist()
    assert profile.moments.mean[0] == pytest.approx(stream.mean(), rel=1e-9)


def test_beyond_the_exact_names_the_frequent_ones_are_kept_and_the_rest_estimated():
    profile = Profile()
    rng = np.random.default_rng(3)
    truth = Counter()
    for start in range(0, 3 * NAMES_MAX, 2500):
        names = [f"id {i}" for i in range(start, start + 2500)] + ["often"] * 300
        rng.shuffle(names)
        profile.update_texts(names)
        truth.update(names)
    assert len(profile.names.counts) <= NAMES_MAX
    assert profile.names.error <= truth.total() / (NAMES_MAX + 1)
    assert truth["often"] - profile.names.error <= profile.names.counts["often"] <= truth["often"]
    assert profile.texts == truth.total()
    assert profile.distinct_texts == pytest.approx(len(truth), rel=0.13)
    assert profile.singletons == pytest.approx(len(truth) - 1, rel=0.13)


@pytest.mark.parametrize("prefix", "abcdef")
def test_no_more_names_were_seen_once_than_no_counter_holds(prefix):
    profile = Profile()
    profile.update_texts([f"{prefix}{i}" for i in range(NAMES_MAX + 1)])
    assert profile.names.error == 1
    assert profile.singletons <= profile.texts
    assert profile.singletons == pytest.approx(NAMES_MAX + 1, rel=0.13)


def test_nothing_seen_is_zero_everywhere():
    profile = profile_of([])
    assert profile.rows == profile.numbers == profile.texts == profile.singletons == 0
    assert profile.distinct_numbers == profile.distinct_texts == 0
    assert np.isnan(profile.quantiles.quantile(np.array([0.5]))).all()


def test_state_round_trips_and_the_future_is_the_same():
    stream = [1.5, None, "a", True, INVALID_VALUE, "b", 7] * 30
    profile = profile_of(stream)
    again = Profile.from_state(profile.state())
    assert same_state(again.state(), profile.state())
    for one in (profile, again):
        one.update(stream[::-1])
    assert same_state(again.state(), profile.state())
    assert all(isinstance(v, np.ndarray | int | float | list) for v in again.state().values())


def test_the_invalid_value_says_what_it_is():
    assert repr(INVALID_VALUE) == "INVALID_VALUE"
