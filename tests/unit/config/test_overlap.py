import itertools
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.overlap import common_name

SAMPLES = [
    "".join(letters) for length in range(5) for letters in itertools.product("ab-", repeat=length)
]

globs = st.lists(
    st.sampled_from(["a", "b", "-", "*", "?", "[ab]", "[!a]", "[a-b]", "[", "]"]), max_size=4
).map("".join)


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("credit-*", "credit-risk", True),
        ("credit-*", "*-risk", True),
        ("credit-*", "card-*", False),
        ("credit-?", "credit-risk", False),
        ("[a-c]x", "[!a-c]x", False),
        ("[a-c]x", "[c-e]x", True),
        ("*", "", True),
        ("a", "A", False),
        ("x[", "x[", True),
    ],
)
def test_two_globs_meet_where_one_name_matches_both(one, other, meets):
    name = common_name(one, other)
    assert (name is not None) is meets
    assert name is None or (fnmatchcase(name, one) and fnmatchcase(name, other))


@given(globs, globs)
def test_whatever_the_globs_are_they_meet_exactly_where_some_name_matches_both(one, other):
    name = common_name(one, other)
    if name is None:
        assert not [s for s in SAMPLES if fnmatchcase(s, one) and fnmatchcase(s, other)]
    else:
        assert fnmatchcase(name, one)
        assert fnmatchcase(name, other)
