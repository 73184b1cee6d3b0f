"""The section `policy`: which limits hold for a model, where they come from, what is refused."""

import pytest

from config.show import show, show_model

RULES = """\
policy: {amber: 0.2}
models:
  credit-*:
    policy: {window: 90d, red: 0.5}
  sandbox-*:
    policy: null
"""


def test_without_a_word_there_is_no_policy(loaded):
    assert loaded("").settings.for_model("m").policy is None


def test_an_empty_policy_is_psi_over_deciles_of_thirty_days(loaded):
    policy = loaded("policy: {}").settings.for_model("m").policy
    assert (policy.method, policy.bins, policy.window) == ("psi", 10, 30 * 86_400.0)
    assert (policy.amber, policy.red) == (0.10, 0.25)


def test_a_model_says_only_what_differs(loaded):
    settings = loaded(RULES).settings
    credit, other = (settings.for_model(name).policy for name in ("credit-risk", "churn"))
    assert (credit.window, credit.amber, credit.red) == (90 * 86_400.0, 0.2, 0.5)
    assert (other.window, other.amber, other.red) == (30 * 86_400.0, 0.2, 0.25)


def test_a_model_can_have_none_where_all_others_do(loaded):
    assert loaded(RULES).settings.for_model("sandbox-1").policy is None


def test_a_model_can_have_one_where_no_other_has(loaded):
    settings = loaded("models: {credit-*: {policy: {bins: 5}}}").settings
    assert settings.for_model("credit-risk").policy.bins == 5
    assert settings.for_model("churn").policy is None


@pytest.mark.parametrize(
    ("text", "model", "line", "origin"),
    [
        (RULES, "credit-risk", "window: 90d", "anchorwatch.yaml:4"),
        (RULES, "credit-risk", "amber: 0.2", "anchorwatch.yaml:1"),
        (RULES, "churn", "method: psi", "default"),
        (RULES, "sandbox-1", "policy: null", "anchorwatch.yaml:6"),
        ("", "m", "policy: null", "default"),
        ("models: {m: {policy: {bins: 5}}}", "m", "bins: 5", "anchorwatch.yaml:1"),
        ("models: {m: {policy: {bins: 5}}}", "m", "window: 30d", "default"),
    ],
)
def test_each_limit_of_a_model_tells_where_it_comes_from(
    loaded, tmp_path, text, model, line, origin
):
    told = show_model(loaded(text), model, origin=True).replace(f"{tmp_path}/", "")
    found = [row for row in told.splitlines() if row.strip().startswith(line)]
    assert [row.split("  # ")[1] for row in found] == [origin]


def test_what_is_shown_gives_the_same_policy(loaded):
    again = loaded(show(loaded(RULES))).settings
    assert again == loaded(RULES).settings


def test_a_variable_sets_the_policy_or_a_part_of_it(loaded):
    whole = loaded("", ANCHORWATCH_POLICY="{window: 90d}").settings.policy
    part = loaded("policy: {red: 0.3}", ANCHORWATCH_POLICY__BINS="5").settings.policy
    assert whole.window == 90 * 86_400.0
    assert (part.red, part.bins) == (0.3, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bins: 20}", "policy.bins: must be from 2 to 10"),
        ("{bins: 4}", "policy.bins: must be 2, 5 or 10: counts are kept between the deciles"),
        ("{amber: 0.3, red: 0.2}", "policy.red: must be above amber"),
        ("{window: 30}", "policy.window: "),
        ("{method: hellinger}", "policy.method: "),
        ("{binz: 10}", "policy.binz: unknown key. Did you mean bins?"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(problems, text, message):
    (problem,) = problems(f"policy: {text}")
    assert f"anchorwatch.yaml:1: {message}" in problem
