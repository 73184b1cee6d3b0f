"""Section `web`, and the file with TLS and logins that it names."""

import pytest

from config.errors import ConfigurationProblems
from config.web_file import WebFile, read_web_file

HASH = "$2y$04$" + "a" * 53
SECRET = "hunter2-in-plain-text"
TLS = "tls_server_config: {cert_file: c.pem, key_file: k.pem, %s}"


@pytest.fixture
def said(write):
    return lambda text: read_web_file(write(text, "web.yaml"))


@pytest.fixture
def wrong(write, tmp_path):
    def find(text):
        with pytest.raises(ConfigurationProblems) as caught:
            read_web_file(write(text, "web.yaml"))
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return find


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://anchorwatch.bank.example", "https://anchorwatch.bank.example"),
        ("http://10.0.0.7:9108/", "http://10.0.0.7:9108"),
        ("https://[::1]:9108", "https://[::1]:9108"),
    ],
)
def test_an_address_for_people_is_kept_without_a_slash_at_its_end(loaded, value, kept):
    assert loaded(f"web: {{external_url: '{value}'}}").settings.web.external_url == kept


@pytest.mark.parametrize(
    "value",
    [
        "anchorwatch.bank.example",
        "javascript:alert(1)",
        "https://name:secret@a.example",
        "https://a.example/anchorwatch",
        "https://a.example?x=1",
        "",
    ],
)
def test_an_address_for_people_is_the_root_of_a_host(problems, value):
    (line,) = problems(f"web: {{external_url: '{value}'}}")
    assert "must be http:// or https:// and a host without a path or a login" in line


def test_frames_are_allowed_to_origins_and_to_nothing_that_ends_the_header(loaded, problems):
    web = loaded("web: {frame_ancestors: [self, 'https://*.bank.example:3000']}").settings.web
    assert web.frame_ancestors == ("self", "https://*.bank.example:3000")
    for value in (
        "*",
        "https://a; script-src *",
        "https://a b",
        "https://a\\r\\nX: y",
        "a.example",
    ):
        (line,) = problems(f'web: {{frame_ancestors: ["{value}"]}}')
        assert "must be self, or an origin such as https://grafana.bank.example" in line


def test_a_file_that_says_nothing_protects_nothing(said):
    assert said("") == WebFile()


def test_files_are_relative_to_the_directory_of_the_one_that_names_them(said, tmp_path):
    tls = said(
        "tls_server_config:\n  cert_file: tls/c.pem\n  key_file: /etc/k.pem\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem"
    ).tls_server_config
    assert tls.cert_file == tmp_path / "tls/c.pem"
    assert str(tls.key_file) == "/etc/k.pem"
    assert tls.client_ca_file == tmp_path / "ca.pem"


def test_a_file_as_exporters_have_it_is_understood(said):
    file = said(
        f"""\
        tls_server_config:
          cert_file: c.pem
          key_file: k.pem
          min_version: TLS13
        http_server_config:
          http2: false
          headers:
            Strict-Transport-Security: max-age=31536000
        basic_auth_users:
          prometheus: {HASH}
        """
    )
    assert file.tls_server_config.min_version == "TLS13"
    assert file.http_server_config.headers.hsts == "max-age=31536000"
    assert file.basic_auth_users["prometheus"].get_secret_value() == HASH
    assert HASH not in repr(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tls_server_config: {cert_file: c.pem}", "key_file: is needed"),
        (
            TLS % "client_auth_type: RequireAnyClientCert",
            "asks for a certificate without verifying",
        ),
        (
            TLS % "client_auth_type: RequireAndVerifyClientCert",
            "client_ca_file: is needed with client_auth_type RequireAndVerifyClientCert",
        ),
        (TLS % "client_ca_file: ca.pem", "client_ca_file: has no effect without client_auth_type"),
        (TLS % "min_version: TLS11", "min_version: is broken (RFC 8996): write TLS12 or TLS13"),
        (TLS % "min_version: TLS13, max_version: TLS12", "max_version: is older than min_version"),
        (TLS % "cipher_suites: [a]", "cipher_suites: unknown key"),
        (TLS % "client_allowed_sans: [a]", "client_allowed_sans: unknown key"),
        ("tls_config: {}", "tls_config: unknown key. Did you mean tls_server_config?"),
        ("http_server_config: {headers: {X-Frame-Options: DENY}}", "X-Frame-Options: unknown key"),
        (
            'http_server_config: {headers: {Strict-Transport-Security: "a\\nb"}}',
            "Strict-Transport-Security",
        ),
        ("basic_auth_users: {'a:b': x}", "must be a name without a colon"),
        (f"basic_auth_users: {{a: {HASH.replace('04', '31')}}}", "must have a cost from 4 to 15"),
        ("basic_auth_users: [1]", "basic_auth_users: must be a mapping"),
        ("basic_auth_users: {a: ", "not YAML"),
    ],
)
def test_what_has_no_effect_or_is_wrong_is_refused_with_its_line(wrong, text, told):
    lines = wrong(text)
    assert any(told in line for line in lines), lines
    assert all(line.startswith("web.yaml") for line in lines)


def test_a_password_in_the_place_of_its_hash_is_not_repeated(wrong):
    (line,) = wrong(f"basic_auth_users:\n  prometheus: {SECRET}")
    assert line.startswith("web.yaml:2: basic_auth_users.prometheus: must be a bcrypt hash")
    assert "htpasswd -nBC 10" in line
    assert SECRET not in line


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigurationProblems, match="cannot be read: No such file"):
        read_web_file(tmp_path / "none.yaml")
