import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.document import flow, read_document
from config.loader import load
from config.settings import Settings


def test_an_empty_file_is_a_configuration(loaded):
    assert loaded("").settings == Settings()
    assert loaded("# only a comment\n").settings == Settings()


def test_no_file_is_a_configuration():
    assert load(None, {}).settings == Settings()


def test_the_defaults_are_those_of_the_product():
    s = Settings()
    assert s.detection.false_alarm_budget.text() == "1 per 30d per team"
    assert s.detection.tolerance.shift == 0.15
    assert (s.detection.pane, s.detection.windows) == (60.0, (300.0, 3600.0, 86_400.0))
    assert s.detection.window_names == ("5m", "1h", "24h")
    assert (s.detection.lateness, s.detection.recover_after) == (60.0, 3)
    assert (s.detection.idle_after, s.detection.future) == (60.0, 300.0)
    assert s.detection.forget_after == 604_800.0
    assert [d.name for d in s.detection.detectors] == ["e_detector", "adwin", "page_hinkley"]
    assert (s.kafka.group, s.kafka.start.where, s.kafka.out_of_range) == (
        "anchorwatch",
        "latest",
        "stop",
    )
    assert (s.kafka.max_poll_records, s.kafka.session_timeout) == (5000, 10.0)
    assert (s.state.every, s.web.flush, s.watchdog.after) == (10.0, 1.0, 120.0)
    assert (s.web.host, s.web.port) == ("0.0.0.0", 9108)  # noqa: S104
    assert (s.metrics.detail, s.metrics.series) == ("auto", 50_000)
    limits = s.limits
    assert (limits.record, limits.rows_per_record, limits.models) == (1_048_576, 10_000, 1000)
    assert (limits.features, limits.categories) == (2000, 100)


def test_settings_cannot_be_changed(loaded):
    with pytest.raises(ValueError, match="frozen"):
        loaded("").settings.kafka.group = "other"


def test_values_with_units_become_seconds_and_bytes(loaded):
    settings = loaded(
        """\
        kafka: {start: -7d}
        detection: {pane: 30s, windows: [90s, 1h], false_alarm_budget: 2 per 1w in all}
        limits: {record: 256KiB}
        """
    ).settings
    assert (settings.kafka.start.where, settings.kafka.start.ago_seconds) == ("ago", 604_800.0)
    assert settings.detection.windows == (90.0, 3600.0)
    assert settings.limits.record == 262_144
    budget = settings.detection.false_alarm_budget
    assert (budget.alarms, budget.period_seconds, budget.scope) == (2.0, 604_800.0, "in all")


def test_python_code_may_give_numbers_without_units():
    settings = Settings.model_validate({"detection": {"pane": 1.0, "windows": [5, 10]}})
    assert settings.detection.windows == (5.0, 10.0)


def test_detectors_take_parameters(loaded):
    detection = loaded(
        "detection:\n  detectors: [page_hinkley, {name: river.KSWIN, alpha: 0.001}]"
    ).settings.detection
    assert [(d.name, dict(d.parameters)) for d in detection.detectors] == [
        ("page_hinkley", {}),
        ("river.KSWIN", {"alpha": 0.001}),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("010", 10),
        ("1e5", 100_000.0),
        ("2026-12-31", "2026-12-31"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("~", None),
        ("-.inf", float("-inf")),
        ("TRUE", True),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    assert read_document(f"key: {text}", "f").data == {"key": value}


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(blacklist_categories=["Cs", "Cc"])),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("ab:*. #-1n", max_size=4), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_written_yaml_is_read_back(value):
    document = read_document(f"key: {flow(value)}", "f")
    assert (document.data, document.problems) == ({"key": value}, [])


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_document_or_a_problem_and_never_a_crash(text):
    document = read_document(text, "f")
    assert document.problems or isinstance(document.data, dict)


def test_a_reference_to_the_environment_is_replaced(loaded):
    settings = loaded('kafka: {group: "a-${env:STAGE}-b"}', STAGE="prod").settings
    assert settings.kafka.group == "a-prod-b"


def test_a_reference_to_a_file_is_replaced_by_its_text(loaded, tmp_path):
    (tmp_path / "group").write_text("from-file\n")
    loaded = loaded(f"kafka: {{group: '${{file:{tmp_path}/group}}'}}")
    assert loaded.settings.kafka.group == "from-file"


def test_a_number_may_come_by_reference(loaded):
    assert loaded("limits: {models: '${env:N}'}", N="50").settings.limits.models == 50


def test_a_doubled_dollar_is_no_reference(loaded):
    assert loaded("kafka: {group: 'a$${env:X}'}").settings.kafka.group == "a${env:X}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${env:NONE}", "the environment has no NONE; set it, or take ${env:NONE} out"),
        ("${file:/none}", "/none cannot be read: No such file or directory"),
        ("${HOME}", "${HOME} must read ${file:/path} or ${env:NAME} ($${ = ${)"),
        ("${env:A", "${env:A must read ${file:/path} or ${env:NAME} ($${ = ${)"),
    ],
)
def test_a_reference_that_cannot_be_replaced_is_told_once_with_its_line(problems, value, message):
    told = problems(f"version: 1\nlimits:\n  models: '{value}'")
    assert told == [f"anchorwatch.yaml:3: limits.models: {message}"]


def test_a_secret_file_of_the_wrong_kind_is_refused(problems, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    told = problems(
        f"kafka:\n  group: ${{file:{tmp_path}/big}}\n  client_id: ${{file:{tmp_path}/binary}}"
    )
    assert told == [
        "anchorwatch.yaml:2: kafka.group: big is larger than 65536 bytes; is it the right file?",
        "anchorwatch.yaml:3: kafka.client_id: binary holds something else than UTF-8 text",
    ]


def test_the_environment_overrides_the_file(loaded):
    settings = loaded(
        "kafka: {group: file}\nstate: {every: 30s}",
        ANCHORWATCH_KAFKA__GROUP="0123",
        ANCHORWATCH_KAFKA__BOOTSTRAP_SERVERS="a:1,b:2",
        ANCHORWATCH_DETECTION__WINDOWS="[5m, 1h]",
        ANCHORWATCH_DETECTION__TOLERANCE__SHIFT="0.2",
        ANCHORWATCH_REFERENCE__FROM="/refs",
        ANCHORWATCH_SOURCES="[{name: a, topics: [t]}]",
        ANCHORWATCH_MODELS="'*': {team: risk}",
    ).settings
    assert settings.kafka.group == "0123"
    assert settings.kafka.bootstrap_servers == ("a:1", "b:2")
    assert settings.detection.windows == (300.0, 3600.0)
    assert settings.detection.tolerance.shift == 0.2
    assert str(settings.reference.directory) == "/refs"
    assert [source.name for source in settings.sources] == ["a"]
    assert settings.for_model("m").team == "risk"
    assert settings.state.every == 30.0


def test_an_override_replaces_a_reference_that_fails(loaded):
    loaded = loaded("kafka: {group: '${env:NONE}'}", ANCHORWATCH_KAFKA__GROUP="x")
    assert loaded.settings.kafka.group == "x"


def test_variables_that_kubernetes_sets_are_not_ours(loaded):
    loaded = loaded(
        "",
        ANCHORWATCH_PORT="tcp://10.0.0.1:9108",
        ANCHORWATCH_SERVICE_HOST="10.0.0.1",
        ANCHORWATCH_PORT_9108_TCP_ADDR="10.0.0.1",
        ANCHORWATCH_WEB_PORT="tcp://10.0.0.1:9108",
        ANCHORWATCH_KAFKA_SERVICE_HOST="10.0.0.2",
    )
    assert loaded.settings == Settings()


def test_variables_of_ours_that_set_nothing_are_not_refused(loaded):
    loaded = loaded(
        "",
        ANCHORWATCH_CONFIG="/etc/anchorwatch.yaml",
        ANCHORWATCH_REVISION="4f1c2ab",
        ANCHORWATCH_VERSION="0.1.0",
    )
    assert loaded.settings == Settings()


def test_only_the_environment_that_was_given_counts(loaded, monkeypatch):
    monkeypatch.setenv("ANCHORWATCH_KAFKA__GROUP", "of-the-process")
    monkeypatch.setenv("ANCHORWATCH_LIMITS__MODELS", "nonsense")
    assert loaded("", ANCHORWATCH_KAFKA__GROUP="given").settings.kafka.group == "given"
    assert loaded("").settings == Settings()


def test_a_variable_is_read_as_the_kind_of_its_setting(loaded):
    settings = loaded(
        "kafka: {security: {protocol: SSL}}",
        ANCHORWATCH_KAFKA__SECURITY__CHECK_HOSTNAME="false",
        ANCHORWATCH_KAFKA__DEAD_LETTERS="[not, yaml]",
        ANCHORWATCH_KAFKA__START="-7d",
        ANCHORWATCH_DETECTION__FALSE_ALARM_BUDGET="1 per 90d in all",
        ANCHORWATCH_DETECTION__DETECTORS="[{name: river.KSWIN, alpha: 0.001}]",
        ANCHORWATCH_STATE__PATH="/data: 1",
    ).settings
    assert settings.kafka.security.check_hostname is False
    assert settings.kafka.dead_letters == "[not, yaml]"
    assert settings.kafka.start.ago_seconds == 604_800.0
    assert settings.detection.false_alarm_budget.text() == "1 per 90d in all"
    assert settings.detection.detectors[0].parameters == {"alpha": 0.001}
    assert str(settings.state.path) == "/data: 1"


def test_a_longer_name_wins_over_a_shorter_one(loaded):
    settings = loaded(
        "log: {format: console}",
        ANCHORWATCH_LOG__LEVEL="error",
        ANCHORWATCH_LOG="{level: debug}",
    ).settings
    assert (settings.log.level, settings.log.format) == ("error", "json")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("KAFKA__GRUP", "x", "kafka.grup: unknown key. Did you mean group?"),
        ("KAFCA__GROUP", "x", "kafca: unknown key. Did you mean kafka?"),
        (
            "KAFKA_GROUP",
            "x",
            ("kafka.group: has one underscore where two belong: ANCHORWATCH_KAFKA__GROUP"),
        ),
        (
            "MODELS__CREDIT__TEAM",
            "x",
            ("models.credit.team: is set as a whole: ANCHORWATCH_MODELS, as YAML"),
        ),
        ("LIMITS__MODELS", "many", "limits.models: must be a whole number (it is many)"),
        ("LIMITS__MODELS", "", "limits.models: must be a whole number (it is '')"),
        ("LOG", "debug", "log: must be a mapping (key: value) (it is debug)"),
        ("KAFKA__GROUP__NAME", "x", "kafka.group: must be text"),
        (
            "KAFKA__SECURITY__TOKEN_COMMAND",
            "[a]",
            (
                "kafka.security.token_command: comes with a later version and has no "
                "effect in this one; take it out"
            ),
        ),
        (
            "SOURCES",
            "[",
            (
                "sources: not YAML: while parsing a flow node, expected the node "
                "content, but found '<stream end>'"
            ),
        ),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(problems, name, value, message):
    told = problems("", **{f"ANCHORWATCH_{name}": value})
    assert f"environment ANCHORWATCH_{name}: {message}" in told


def test_every_setting_has_an_origin(loaded, tmp_path):
    origins = loaded(
        """\
        kafka:
          group: x
        models:
          'credit.*':
            team: risk
        sources:
          - name: a
            topics: [t]
            prediction: value.score
        """,
        ANCHORWATCH_STATE__EVERY="5s",
        ANCHORWATCH_LOG="{level: debug}",
    ).origins
    file = tmp_path / "anchorwatch.yaml"
    assert origins["kafka.group"] == f"{file}:2"
    assert origins["models.'credit.*'.team"] == f"{file}:5"
    assert origins["sources[0].name"] == f"{file}:7"
    assert origins["sources[0].prediction.rows"] == f"{file}:9"
    assert origins["sources[0].decode"] == "default"
    assert origins["kafka.client_id"] == "default"
    assert origins["state.every"] == "environment ANCHORWATCH_STATE__EVERY"
    assert origins["log.level"] == "environment ANCHORWATCH_LOG"
    assert origins["log.format"] == "default"


def test_the_hash_is_of_what_holds_and_not_of_how_it_is_written(loaded):
    plain = loaded("detection: {lateness: 1m}").hash
    assert plain == loaded("").hash == load(None, {}).hash
    assert len(plain) == 64
    assert loaded("detection: {lateness: 2m}").hash != plain
    assert loaded("", ANCHORWATCH_DETECTION__LATENESS="60s").hash == plain


def test_the_hash_tells_the_order_of_rules(loaded):
    first = loaded("models: {'a*': {tier: 1}, '*': {tier: 2}}")
    other = loaded("models: {'*': {tier: 2}, 'a*': {tier: 1}}")
    assert first.hash != other.hash
