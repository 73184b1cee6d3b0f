import pytest

VARIABLE = "ANCHORWATCH_KAFKA__SECURITY__PASSWORD"
SASL = "kafka: {security: {protocol: SASL_SSL, mechanism: PLAIN, username: u, password: '%s'}}"


def test_a_login_by_password_is_complete(loaded):
    security = loaded(SASL % "${env:PW}", PW="hunter2").settings.kafka.security
    assert security.uses_tls
    assert security.uses_sasl
    assert security.password.get_secret_value() == "hunter2"


def test_plain_text_needs_nothing(loaded):
    security = loaded("").settings.kafka.security
    assert (security.uses_tls, security.uses_sasl) == (False, False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("protocol: SASL_SSL", ["mechanism: is needed with protocol SASL_SSL"]),
        (
            "mechanism: PLAIN, username: u, password: '${env:PW}'",
            ["mechanism: has no effect with protocol PLAINTEXT; set protocol to SASL_SSL"],
        ),
        (
            "protocol: SASL_PLAINTEXT, mechanism: SCRAM-SHA-256",
            [
                "username: is needed with mechanism SCRAM-SHA-256",
                "password: is needed with mechanism SCRAM-SHA-256",
            ],
        ),
        (
            "protocol: SASL_SSL, mechanism: OAUTHBEARER, username: u",
            [
                "username: has no effect with mechanism OAUTHBEARER",
                "token_file: is needed with mechanism OAUTHBEARER",
            ],
        ),
        (
            "protocol: SASL_SSL, mechanism: GSSAPI, token_file: /t",
            ["token_file: has no effect with mechanism GSSAPI"],
        ),
        ("username: u", ["username: has no effect with mechanism none"]),
        (
            "ca_file: /ca.pem",
            ["ca_file: has no effect with protocol PLAINTEXT; set protocol to SSL"],
        ),
        ("protocol: SSL, certificate_file: /c.pem", ["key_file: is needed with certificate_file"]),
        ("protocol: SSL, key_file: /k.pem", ["certificate_file: is needed with key_file"]),
        (
            "protocol: SSL, key_password: '${env:PW}'",
            ["key_password: has no effect without key_file"],
        ),
    ],
)
def test_a_login_that_cannot_work_is_refused(problems, given, told):
    lines = problems(f"kafka: {{security: {{{given}}}}}", PW="hunter2")
    place = "anchorwatch.yaml:1: kafka.security."
    assert sorted(lines) == sorted(place + line for line in told)


def test_a_secret_does_not_stand_in_the_file(problems):
    (line,) = problems(SASL % "hunter2")
    assert line == (
        "anchorwatch.yaml:1: kafka.security.password: must not stand in the file: "
        "write ${file:/path} or ${env:NAME}"
    )


def test_a_secret_may_come_from_a_variable_of_ours(loaded):
    loaded = loaded(SASL % "${env:NONE}", **{VARIABLE: "${odd: hunter2"})
    assert loaded.settings.kafka.security.password.get_secret_value() == "${odd: hunter2"
