"""A server with TLS and logins, while the files that say so change under it."""

import base64
import http.client
import socket
import ssl
import time
from contextlib import contextmanager

import bcrypt
import pytest
from structlog.testing import capture_logs

from config.errors import ConfigurationProblems
from config.web import WebSettings
from service.clock import ManualClock
from service.errors import ConfigurationError
from service.publish.access import LOOK_SECONDS, Access, Refusal
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.listener import HANDSHAKE_SECONDS
from service.publish.page import StatusPage
from service.publish.server import CONNECTIONS_MAX, Server
from tests.unit.publish import reports
from tests.unit.publish.certificates import Authority, with_password

PASSWORD = "planted-password"


def hashed(password, cost=4):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


LOGIN = f"basic_auth_users: {{prometheus: {hashed(PASSWORD)}}}\n"


class Stage:
    """A server under a web configuration file, which `say` changes."""

    def __init__(self, directory, text):
        self.directory, self.clock = directory, ManualClock(1.0)
        self.file = directory / "web.yaml"
        self.file.write_text(text)
        self.board = Board()
        self.access = Access(WebSettings(config_file=self.file), self.clock)
        report = reports.report(service=reports.service(warnings=("topic secret-topic",)))
        self.exposition = Exposition(collectors=(), access=self.access)
        self.board.publish(self.exposition.render(report, "auto", 1000), report)
        page = StatusPage(ManualClock(reports.AT), lambda: 0)
        self.server = Server(
            self.board, lambda: None, page, host="127.0.0.1", port=0, access=self.access
        )

    def say(self, text):
        """The file says this from now on, and it is time to look."""
        written = self.file.with_suffix(".new")
        written.write_text(text)
        written.replace(self.file)  # as a volume of Kubernetes changes: another file
        self.clock.sleep(LOOK_SECONDS)

    def ask(self, path="/metrics", *, password=None, trust=None, identity=None, name="prometheus"):
        """GET: status and headers. Raises what ssl raises."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        if trust is not None:
            context = ssl.create_default_context(cafile=trust.certificate)
            if identity is not None:
                context.load_cert_chain(*identity)
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.server.port, timeout=5, context=context
            )
        headers = {}
        if password is not None:
            both = base64.b64encode(f"{name}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {both}"
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@contextmanager
def on_stage(directory, text):
    stage = Stage(directory, text)
    stage.server.start()
    try:
        yield stage
    finally:
        stage.server.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "other")


@pytest.fixture(scope="module")
def identity(authority):
    return authority.issue("server")


def tls(identity, more=""):
    return (
        f"tls_server_config:\n  cert_file: {identity.certificate}\n  key_file: {identity.key}\n"
        + more
    )


def clients(authority, kind="RequireAndVerifyClientCert"):
    return f"  client_auth_type: {kind}\n  client_ca_file: {authority.certificate}\n"


def test_nothing_but_yes_and_no_is_told_without_a_login(tmp_path):
    with on_stage(tmp_path, LOGIN) as stage:
        for path in ("/", "/metrics", "/api/v1/status", "/style.css", "/app.js", "/nope"):
            status, headers, body = stage.ask(path)
            assert (status, body) == (401, b"Log in with a name and a password.")
            assert headers["www-authenticate"] == 'Basic realm="Anchorwatch", charset="UTF-8"'
            assert headers["x-content-type-options"] == "nosniff"
        assert stage.ask("/livez")[::2] == (200, b"alive")
        assert stage.ask("/readyz")[::2] == (200, b"ready")
        assert stage.ask(password=PASSWORD)[0] == 200
        assert stage.ask(password="guess")[0] == 401
        assert stage.access.refused[Refusal.LOGIN] == 7


def test_who_may_log_in_changes_without_a_restart(tmp_path):
    with on_stage(tmp_path, LOGIN) as stage:
        assert stage.ask(password=PASSWORD)[0] == 200
        stage.say(f"basic_auth_users: {{prometheus: '{hashed('another')}'}}")
        assert stage.ask(password=PASSWORD)[0] == 401
        assert stage.ask(password="another")[0] == 200
        stage.say("")
        assert stage.ask()[0] == 200


def test_a_file_that_goes_wrong_locks_nobody_out_and_lets_nobody_in(tmp_path):
    with on_stage(tmp_path, LOGIN) as stage, capture_logs() as logs:
        for text in ("basic_auth_users: {prometheus: oops}", "basic_auth_users: [", "other: 1"):
            stage.say(text)
            assert stage.ask()[0] == 401
            assert stage.ask(password=PASSWORD)[0] == 200
            assert not stage.access.is_ok
        page = stage.exposition.render(reports.report(), "auto", 1000).text.decode()
        assert f'anchorwatch_config_file_ok{{file="{stage.file}"}} 0' in page
        assert [entry["event"] for entry in logs] == ["web_config_refused"] * 3
        assert "oops" not in str(logs)
        stage.file.unlink()
        stage.clock.sleep(LOOK_SECONDS)
        assert stage.ask()[0] == 401
        stage.say(LOGIN)
        assert stage.ask(password=PASSWORD)[0] == 200
        assert stage.access.is_ok


def test_a_file_is_not_looked_at_more_than_once_a_second(tmp_path):
    stage = Stage(tmp_path, LOGIN)
    stage.file.write_text("")
    assert stage.access.terms().users
    stage.clock.sleep(LOOK_SECONDS)
    assert not stage.access.terms().users


def test_metrics_come_by_tls_and_not_in_plain_text(tmp_path, authority, identity):
    more = "http_server_config: {headers: {Strict-Transport-Security: max-age=60}}\n"
    with on_stage(tmp_path, tls(identity) + more) as stage:
        status, headers, _ = stage.ask(trust=authority)
        assert (status, headers["strict-transport-security"]) == (200, "max-age=60")
        with pytest.raises((http.client.HTTPException, OSError)):
            stage.ask()


def test_a_certificate_is_renewed_without_a_restart(tmp_path, authority, other, identity):
    with on_stage(tmp_path, tls(identity)) as stage:
        assert stage.ask(trust=authority)[0] == 200
        stage.say(tls(other.issue("renewed")))
        assert stage.ask(trust=other)[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            stage.ask(trust=authority)


def test_files_renewed_in_their_place_are_taken_up_once_they_fit(tmp_path, authority, other):
    mine = authority.issue("in-place")
    renewed = other.issue("in-place")
    with on_stage(tmp_path, tls(mine)) as stage, capture_logs() as logs:
        renewed.certificate.replace(mine.certificate)
        stage.clock.sleep(LOOK_SECONDS)
        assert stage.ask(trust=authority)[0] == 200  # the key does not fit it yet
        assert not stage.access.is_ok
        renewed.key.replace(mine.key)
        stage.clock.sleep(LOOK_SECONDS)
        assert stage.ask(trust=other)[0] == 200
    assert [entry["event"] for entry in logs] == ["web_config_refused", "web_config_taken_up"]
    assert "is no private key that fits" in logs[0]["reason"]


def test_clients_have_to_show_a_certificate_of_the_right_authority(
    tmp_path, authority, other, identity
):
    with on_stage(tmp_path, tls(identity, clients(authority))) as stage:
        good, bad = authority.issue("client"), other.issue("client")
        assert stage.ask(trust=authority, identity=good)[0] == 200
        for wrong in (None, bad):
            with pytest.raises(OSError):  # noqa: PT011 - whether refused or reset is TLS's matter
                stage.ask(trust=authority, identity=wrong)
        stage.say(tls(identity, clients(other)))
        assert stage.ask(trust=authority, identity=bad)[0] == 200
        with pytest.raises(OSError):  # noqa: PT011 - an authority that left is trusted no more
            stage.ask(trust=authority, identity=good)
        stage.say(tls(identity, clients(other, "VerifyClientCertIfGiven")))
        assert stage.ask(trust=authority)[0] == 200
        stage.say(tls(identity))
        assert stage.ask(trust=authority)[0] == 200


def test_old_versions_of_tls_are_refused(tmp_path, authority, identity):
    with on_stage(tmp_path, tls(identity, "  min_version: TLS13\n")) as stage:
        context = ssl.create_default_context(cafile=authority.certificate)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(("127.0.0.1", stage.server.port), timeout=5) as plain,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
        assert stage.ask(trust=authority)[0] == 200


def test_whether_tls_is_spoken_is_settled_by_the_start(tmp_path, authority, identity):
    with on_stage(tmp_path, tls(identity)) as stage, capture_logs() as logs:
        stage.say("")
        assert stage.ask(trust=authority)[0] == 200
        assert "takes a restart" in logs[0]["reason"]


def test_who_does_not_shake_hands_is_hung_up_on(tmp_path, identity):
    with on_stage(tmp_path, tls(identity)) as stage:
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", stage.server.port), timeout=20) as silent:
            assert silent.recv(1) == b""
        assert HANDSHAKE_SECONDS - 0.5 < time.monotonic() - started < HANDSHAKE_SECONDS + 5


def test_a_flood_of_handshakes_that_never_come_keeps_nobody_out(tmp_path, authority, identity):
    with on_stage(tmp_path, tls(identity)) as stage:
        crowd = []
        for _ in range(3 * CONNECTIONS_MAX):
            address = ("127.0.0.1", stage.server.port)
            crowd.append(socket.create_connection(address, timeout=5))
        assert stage.ask(trust=authority)[0] == 200
        assert stage.access.refused[Refusal.CONNECTIONS] > CONNECTIONS_MAX
        assert crowd[0].recv(1) == b""
        for silent in crowd:
            silent.close()


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("basic_auth_users: {a: b}", ConfigurationProblems, "must be a bcrypt hash"),
        ("tls_server_config: {cert_file: a, key_file: b}", ConfigurationError, "cannot be read"),
    ],
)
def test_a_start_under_a_file_that_is_wrong_is_refused(tmp_path, text, error, told):
    with pytest.raises(error, match=told):
        Stage(tmp_path, text)


def test_a_key_with_a_password_is_refused_without_asking_for_it(tmp_path, identity):
    locked = with_password(identity.key, tmp_path / "locked.key")
    with pytest.raises(ConfigurationError, match="must not need a password"):
        Stage(tmp_path, tls(identity._replace(key=locked)))


def test_an_authority_that_is_no_certificate_is_refused(tmp_path, identity):
    (tmp_path / "ca.pem").write_text("nothing")
    more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    with pytest.raises(ConfigurationError, match="holds no certificate in PEM form"):
        Stage(tmp_path, tls(identity, more))
