"""Settings said on a command line: validated as those of a file, and the last word."""

import pytest

from config.assignments import Assignments, parsed
from config.errors import ConfigurationProblems
from config.loader import load
from config.tree import dotted

FILE = """
detection: {tolerance: {shift: 0.15}}
models:
  credit-risk: {tier: 1, tolerance: {shift: 0.2}}
  'credit-*': {tolerance: {shift: 0.3}}
"""


@pytest.fixture
def said(tmp_path):
    """Loads FILE with what is said over it."""
    file = tmp_path / "a.yaml"
    file.write_text(FILE, "utf-8")
    return lambda *texts, model=None: load(file, {}, Assignments(texts, model))


def shift(loaded, model):
    return loaded.settings.for_model(model).tolerance.shift


def test_what_a_model_may_have_is_said_of_the_model_and_wins_over_later_globs(said):
    loaded = said("tolerance.shift=0.25", model="credit-risk")
    assert shift(loaded, "credit-risk") == 0.25
    assert shift(loaded, "credit-limit") == 0.3
    assert loaded.settings.for_model("credit-risk").tier == 1


def test_without_a_model_it_is_said_of_all(said):
    loaded = said("tolerance.shift=0.25")
    assert {shift(loaded, name) for name in ("credit-risk", "credit-limit", "churn")} == {0.25}


def test_a_name_with_signs_of_a_glob_means_itself(tmp_path):
    loaded = load(None, {}, Assignments(("tier=3",), "m[1]*"))
    assert loaded.settings.for_model("m[1]*").tier == 3
    assert loaded.settings.for_model("m1x").tier == 2


def test_any_other_key_is_that_of_the_file(said):
    loaded = said(
        "detection.false_alarm_budget=2 per 7d per model",
        "detection.pane=30s",
        "models.'credit-l*'.tier=3",
        model="credit-risk",
    )
    assert loaded.settings.detection.false_alarm_budget.alarms == 2
    assert loaded.settings.detection.pane == 30
    assert loaded.settings.for_model("credit-limit").tier == 3
    assert loaded.origin(("detection", "pane")) == "--set detection.pane"


def test_values_are_yaml_and_the_last_one_wins(said):
    loaded = said("windows=[5m, 2h]", "features.income.ignore=true", "tier=2", "tier=3", model="m")
    model = loaded.settings.for_model("m")
    assert model.windows == (300.0, 7200.0)
    assert model.for_feature("income").ignore is True
    assert model.tier == 3


def test_nothing_said_changes_nothing(said, tmp_path):
    assert said().hash == load(tmp_path / "a.yaml", {}).hash
    assert said("tier=3", model="m").hash != said().hash


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tollerance.shift=0.2", "--set tollerance.shift: unknown key. Did you mean tolerance?"),
        ("false_alarm_budget=1", "Did you mean detection.false_alarm_budget?"),
        ("zzz=1", "--set zzz: unknown key. Known are, for example: team"),
        ("tolerance.shfit=0.2", "tolerance.shfit: unknown key. Did you mean shift?"),
        ("tolerance.shift=much", "--set tolerance.shift"),
        ("tolerance.shift", "says no value: write --set tolerance.shift=VALUE"),
        ("a b=1", "is no dotted path of a setting"),
        ("=1", "is no dotted path of a setting"),
        ("tolerance.shift=[1", "--set tolerance.shift: not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_the_option(said, text, problem):
    with pytest.raises(ConfigurationProblems) as raised:
        said(text, model="credit-risk")
    assert problem in str(raised.value)
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize(
    "path", [("a",), ("sources", 0, "name"), ("models", "v1.*", "team"), ("models", "*", "tier")]
)
def test_a_path_is_read_as_it_is_told(path):
    assert parsed(dotted(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", "a..b", "[0]", "a b", "'a'b", "a[x]", "'a"])
def test_what_is_no_path_is_none(text):
    assert parsed(text) is None
