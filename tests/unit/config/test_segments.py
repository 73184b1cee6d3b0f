"""By which features predictions are told apart, as a file says it."""

import pytest

from config.segments import Segmentation, segmentation
from config.show import show_model

FILE = "anchorwatch.yaml"

MODELS = "models: {'*': {segments: [region]}, credit: {segments: %s}}"


def segments_of(loaded, text):
    return loaded(MODELS % text).settings.for_model("credit").segments


@pytest.mark.parametrize(
    "text",
    [
        "[channel, 'age: [18, 25.5, 65]']",
        "[channel, {age: [18, 25.5, 65]}]",
        "[channel, age: [18, 25.5, 65]]",
    ],
)
def test_a_feature_stands_alone_or_with_its_cuts(loaded, text):
    found = segments_of(loaded, text)
    assert found == ("channel", "age: [18, 25.5, 65]")
    assert [segmentation(one) for one in found] == [
        Segmentation("channel", ()),
        Segmentation("age", (18.0, 25.5, 65.0)),
    ]


def test_a_later_line_wins_and_an_empty_one_takes_all_back(loaded):
    settings = loaded(MODELS % "[]").settings
    assert settings.for_model("credit").segments == ()
    assert settings.for_model("churn").segments == ("region",)
    assert loaded("").settings.for_model("churn").segments == ()


def test_what_is_shown_of_a_model_can_be_written_again(loaded):
    text = show_model(loaded(MODELS % "[{age: [18, 65]}]"), "credit", origin=True)
    (line,) = [line for line in text.splitlines() if line.startswith("segments:")]
    assert "age" in line
    assert f"{FILE}:1" in line


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        ("[age, age]", "segments", "a feature is there twice"),
        ("['a=b']", "segments[0]", "'a=b' is neither a feature nor `feature: [18, 25, 40, 65]`"),
        ("['age: [x]']", "segments[0]", "'x' are no numbers with commas between them"),
        (
            "[{age: [65, 18]}]",
            "segments[0]",
            "cuts must ascend, each a finite number: [65.0, 18.0] do not",
        ),
        ("[{age: [.inf]}]", "segments[0]", "cuts must ascend, each a finite number: [inf] do not"),
        ("[{age: []}]", "segments[0]", "must be one feature with its cuts"),
        ("[{age: [old]}]", "segments[0]", "'old' is not a number"),
        ("[{age: [1], sex: [2]}]", "segments[0]", "must be one feature with its cuts"),
        (f"[{{age: {list(range(20))}}}]", "segments[0]", "20 cuts are more than 19"),
        ("[a, b, c, d, e, f, g, h, i]", "segments", "at most 8"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(problems, text, path, why):
    (problem,) = problems(MODELS % text)
    assert problem.startswith(f"{FILE}:1: models.credit.{path}: ")
    assert why in problem


def test_how_finely_is_bounded(problems):
    (problem,) = problems("segments: {top: 1}")
    assert "segments.top" in problem
    assert "from 2 to 100" in problem
