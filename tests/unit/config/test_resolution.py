from datetime import UTC, datetime

import pytest

RULES = """\
detection:
  tolerance: {shift: 0.2}
reference: {if_missing: stop}
models:
  '*':
    tier: 3
    runbook: https://runbooks.example/{model}
    features:
      income: {kind: numeric, missing: [-1]}
      '*': {source: warehouse}
  credit-*:
    team: credit
    missing: [-999, '']
    reference: {learn: {events: 500}}
    features:
      income: {missing: [0]}
      '*_id': {ignore: false}
  credit-risk:
    tier: 1
    tolerance: {shift: 0.3}
    windows: [10m, 1h]
    columns: [a, b]
"""


@pytest.fixture
def settings(loaded):
    return loaded(RULES).settings


def test_a_model_without_rules_has_the_defaults(loaded):
    model = loaded("").settings.for_model("m")
    assert (model.team, model.tier, model.runbook, model.missing) == ("unowned", 2, "", ())
    assert (model.columns, model.windows) == ((), (300.0, 3600.0, 86_400.0))
    assert model.tolerance.shift == 0.15


def test_later_lines_win_and_earlier_ones_fill_the_rest(settings):
    model = settings.for_model("credit-risk")
    assert (model.team, model.tier, model.windows) == ("credit", 1, (600.0, 3600.0))
    assert (model.missing, model.columns) == ((-999.0, ""), ("a", "b"))
    assert settings.for_model("credit-limit").tier == 3
    assert settings.for_model("other").team == "unowned"


def test_the_order_of_lines_decides_not_how_exact_a_glob_is(loaded):
    models = "models: {credit-risk: {tier: 1}, '*': {tier: 3}}"
    assert loaded(models).settings.for_model("credit-risk").tier == 3


def test_sections_merge_key_by_key(settings):
    model = settings.for_model("credit-risk")
    assert model.tolerance.shift == 0.3
    assert model.reference.if_missing == "stop"
    assert (model.reference.learn.events, model.reference.learn.at_least) == (500, 0.0)
    assert str(model.reference.directory) == "/etc/anchorwatch/references"
    assert settings.for_model("other").tolerance.shift == 0.2


def test_the_name_is_put_into_the_runbook(settings):
    assert settings.for_model("churn").runbook == "https://runbooks.example/churn"


def test_a_feature_follows_the_same_rule(settings):
    income = settings.for_model("credit-risk").for_feature("income")
    assert (income.kind, income.missing, income.source) == ("numeric", (0.0,), "warehouse")
    assert settings.for_model("churn").for_feature("income").missing == (-1.0,)


def test_identifiers_are_ignored_until_a_line_says_otherwise(settings):
    assert settings.for_model("churn").for_feature("customer_id").ignore
    assert not settings.for_model("credit-risk").for_feature("customer_id").ignore
    assert not settings.for_model("churn").for_feature("identity").ignore
    assert settings.for_model("churn").ignored_globs == ("*_id",)
    assert settings.for_model("credit-risk").ignored_globs == ()


def test_a_narrower_line_takes_back_one_feature_and_leaves_the_glob(loaded):
    rules = "models: {'*': {features: {customer_id: {ignore: false}}}}"
    model = loaded(rules).settings.for_model("m")
    assert not model.for_feature("customer_id").ignore
    assert model.for_feature("device_id").ignore
    assert model.ignored_globs == ("*_id",)


def test_names_are_matched_by_case(loaded):
    assert loaded("models: {Credit: {tier: 1}}").settings.for_model("credit").tier == 2


def test_answers_are_remembered(settings):
    model = settings.for_model("credit-risk")
    assert settings.for_model("credit-risk") is model
    assert model.for_feature("a") is model.for_feature("a")


def test_a_changed_copy_remembers_nothing(settings):
    assert settings.for_model("churn").tier == 3
    changed = settings.model_copy(update={"models": {}})
    assert changed.for_model("churn").tier == 2
    assert settings.model_copy(deep=True, update={"models": {}}).for_model("churn").tier == 2


def test_memory_for_answers_is_bounded(loaded):
    settings = loaded("").settings
    for number in range(5000):
        settings.for_model(f"m{number}")
    assert len(settings.resolver.known) <= 4096


def test_a_mute_ends_with_its_last_day(loaded):
    rule = "{until: 2026-12-31, by: a.name, why: campaign, ticket: RC-1}"
    settings = loaded(f"models: {{m: {{features: {{f: {{mute: {rule}}}}}}}}}").settings
    mute = settings.for_model("m").for_feature("f").mute
    assert mute.holds(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    assert not mute.holds(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
    assert (mute.by, mute.why, mute.ticket) == ("a.name", "campaign", "RC-1")


def test_a_later_line_lifts_a_mute(loaded):
    rules = "{'*': {mute: {until: 2026-12-31, by: a, why: b}}, f: {mute: null}}"
    model = loaded(f"models: {{m: {{features: {rules}}}}}").settings.for_model("m")
    assert model.for_feature("f").mute is None
    assert model.for_feature("g").mute is not None


def test_cut_offs_are_sorted_and_replaced_by_later_lines(loaded):
    text = "models: {'*': {prediction: {cutoffs: [0.62, 0.5]}}, b: {prediction: {cutoffs: [0.9]}}}"
    settings = loaded(text).settings
    assert settings.for_model("a").prediction.cutoffs == (0.5, 0.62)
    assert settings.for_model("b").prediction.cutoffs == (0.9,)
    assert loaded("").settings.for_model("a").prediction.cutoffs == ()
