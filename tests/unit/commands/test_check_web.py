"""The web configuration file, as `check` and `run` look at it with all else."""

from datetime import UTC, datetime

import pytest

from service.commands.soundness import soundness

NOW = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
HASH = "$2y$04$" + "a" * 53
PRINTS = "`htpasswd -nBC 10 NAME` prints"


@pytest.fixture
def look(tmp_path):
    def look_at(text):
        (tmp_path / "web.yaml").write_text(text)
        file = tmp_path / "a.yaml"
        file.write_text(f"web: {{config_file: {tmp_path}/web.yaml}}")
        found = soundness(file, {}, NOW)
        return [
            [str(told).replace(f"{tmp_path}/", "") for told in kind]
            for kind in (found.problems, found.hints)
        ]

    return look_at


def test_each_problem_in_it_is_told_with_its_own_line(look):
    problems, _ = look("basic_auth_users:\n  a: plain\ntls_server_config: {}\n")
    assert problems == [
        "web.yaml:2: basic_auth_users.a: must be a bcrypt hash: write what " + PRINTS,
        "web.yaml:3: tls_server_config.cert_file: is needed",
        "web.yaml:3: tls_server_config.key_file: is needed",
    ]


def test_a_certificate_that_is_not_there_is_a_problem(look, tmp_path):
    problems, _ = look("tls_server_config: {cert_file: c.pem, key_file: k.pem}")
    assert problems == [
        (
            "web.yaml: tls_server_config: c.pem cannot be read (No such file or directory): put it "
            "there, correct the path, or grant this user read access"
        )
    ]


def test_passwords_that_cross_the_network_as_they_are_are_worth_a_hint(look):
    problems, hints = look(f"basic_auth_users: {{a: {HASH}}}")
    assert problems == []
    assert [hint for hint in hints if "passwords cross the network as they are" in hint]
    assert not [hint for hint in look("")[1] if "passwords" in hint]


def test_a_file_that_is_not_there_is_a_problem(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(f"web: {{config_file: {tmp_path}/none.yaml}}")
    (problem,) = soundness(file, {}, NOW).problems
    assert "none.yaml: cannot be read: No such file" in str(problem)
