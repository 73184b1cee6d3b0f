import pytest

from config.document import read_document
from config.loader import load
from config.show import show, show_feature, show_model

TEXT = """\
kafka:
  bootstrap_servers: [kafka-1:9093]
  security:
    protocol: SASL_SSL
    mechanism: PLAIN
    username: ${env:USER_NAME}
    password: ${env:PW}
sources:
  - {name: a, topics: [t], prediction: value.score, keep_if: {value.country: ['NO', no]}}
detection:
  detectors: [adwin, {name: river.KSWIN, alpha: 0.1}]
models:
  '*':
    team: '1e5'
    tolerance: {shift: 0.3}
    features:
      income: {missing: [0], mute: {until: 2026-12-31, by: a, why: b}}
"""
VARIABLE = "ANCHORWATCH_KAFKA__SECURITY__PASSWORD"
SECRETS = {"PW": "hunter2", "USER_NAME": "robot7"}


@pytest.fixture
def shown(loaded):
    return loaded(TEXT, **SECRETS)


def test_what_is_shown_is_a_configuration_that_gives_the_same(shown, write):
    again = load(write(show(shown), "shown.yaml"), SECRETS)
    assert again.settings == shown.settings
    assert again.hash == shown.hash


def test_what_is_shown_for_the_defaults_gives_the_defaults(write):
    loaded = load(None, {})
    assert load(write(show(loaded)), {}).settings == loaded.settings


def test_each_line_tells_where_its_value_comes_from(shown, tmp_path):
    lines = show(shown, origin=True).replace(f"{tmp_path}/", "").splitlines()
    found = {line.split("  # ")[0].strip(): line.split("  # ")[1] for line in lines if "# " in line}
    assert found["bootstrap_servers: ['kafka-1:9093']"] == "anchorwatch.yaml:2"
    assert found["- name: a"] == "anchorwatch.yaml:9"
    assert found["team: '1e5'"] == "anchorwatch.yaml:14"
    assert found["shift: 0.15"] == "default"
    assert found["shift: 0.3"] == "anchorwatch.yaml:15"


def test_secrets_are_shown_nowhere(loaded):
    by_reference = loaded(TEXT, **SECRETS)
    by_variable = loaded(TEXT, **SECRETS, **{VARIABLE: "hunter2"})
    for one in (by_reference, by_variable):
        told = [
            show(one),
            show(one, origin=True),
            show_model(one, "m", origin=True),
            repr(one),
            repr(one.settings),
            str(one.settings.kafka.security),
            one.settings.model_dump_json(),
            one.hash,
        ]
        assert not [text for text in told if "hunter2" in text]
    assert "password: ${env:PW}" in show(by_reference)
    assert "password: '***'" in show(by_variable)


def test_what_came_by_reference_is_shown_as_it_was_written(shown):
    text = show(shown)
    assert "username: ${env:USER_NAME}" in text
    assert "robot7" not in text


def test_the_hash_does_not_depend_on_secrets(loaded):
    other = {**SECRETS, "PW": "another"}
    assert loaded(TEXT, **SECRETS).hash == loaded(TEXT, **other).hash


def test_a_problem_never_shows_a_secret(problems):
    told = problems("web: {listen: '${env:PW}'}\nmetrics: {detail: '${env:PW}'}", PW="hunter2")
    assert "hunter2" not in "".join(told)
    assert any("(it is ${env:PW})" in line for line in told)
    told = problems("kafka: {security: {password: 12345}}")
    assert "12345" not in "".join(told)


def test_a_model_is_shown_with_the_line_of_each_value(shown, tmp_path):
    text = show_model(shown, "credit-risk", origin=True).replace(f"{tmp_path}/", "")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "team: '1e5' # anchorwatch.yaml:14" in lines
    assert "tier: 2 # default" in lines
    assert "shift: 0.3 # anchorwatch.yaml:15" in lines
    assert "events: 10000 # default" in lines
    assert "windows: [5m, 1h, 24h] # default" in lines
    assert "- {'*_id': {ignore: true}} # built in" in lines
    assert "- {income: {missing: [0]}} # anchorwatch.yaml:17" in lines


def test_a_feature_is_shown_with_the_line_of_each_value(shown, tmp_path):
    text = show_feature(shown, "m", "income", origin=True).replace(f"{tmp_path}/", "")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "missing: [0] # anchorwatch.yaml:17" in lines
    assert "mute: {until: 2026-12-31, by: a, why: b} # anchorwatch.yaml:17" in lines
    assert "ignore: false # default" in lines
    assert "kind: null # default: inferred" in lines


def test_a_rule_that_nobody_wrote_is_told_as_built_in(shown):
    lines = show_feature(shown, "m", "customer_id", origin=True).splitlines()
    assert any(line.startswith("ignore: true ") and line.endswith("# built in") for line in lines)


RULES = """\
models:
  '*': {tier: 3, features: {'*': {source: w}}}
  credit-*: {team: c, features: {income: {kind: numeric}}}
  churn: {tier: 1}
"""


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("credit-risk", "lines under `models` that match, later ones win: '*', credit-*"),
        ("other", "one line under `models` matches: '*'"),
    ],
)
def test_a_model_is_shown_below_the_globs_that_match_it(loaded, model, told):
    assert show_model(loaded(RULES), model).splitlines()[0] == f"# Model {model}: {told}"


def test_a_model_that_no_line_is_about_says_so(loaded):
    assert show_model(loaded(""), "m").splitlines()[0] == (
        "# Model m: no line under `models` matches"
    )


def test_a_feature_is_shown_below_the_globs_that_match_it(loaded):
    first = show_feature(loaded(RULES), "credit-risk", "income").splitlines()[0]
    assert first == (
        "# Feature income of model credit-risk: lines for features that match, later ones win: "
        "'*', income"
    )


def test_what_is_shown_of_a_model_is_yaml(loaded):
    document = read_document(show_model(loaded(RULES), "a\nb: [", origin=True), "f")
    assert document.problems == []
    assert document.data["tier"] == 3
