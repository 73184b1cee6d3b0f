"""The server of a running service: a real Prometheus logs in by TLS; floods take nothing down."""

import base64
import contextlib
import http.client
import json
import socket
import threading
import time

import bcrypt
import psutil
import pytest

from service.publish.guard import ImpatientProtocol
from service.publish.server import CONNECTIONS_MAX, REQUESTS_MAX
from tests.integration.parts.ports import free_port
from tests.integration.parts.prometheus_server import Prometheus
from tests.unit.publish.certificates import Authority

PASSWORD = "planted-password"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(6)).decode()


@pytest.fixture
def service(service_on):
    """A service whose broker does not answer: its page is there all the same."""
    service = service_on(f"127.0.0.1:{free_port()}", "nowhere")
    service.start()
    service.wait_for(lambda page: page.get("ready") == 0)
    return service


class Prober:
    """What a kubelet and a Prometheus would see meanwhile: the answers, and how long they took."""

    def __init__(self, service, path):
        self._service, self._path = service, path
        self.seconds, self.failures = [], []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._probe)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _probe(self):
        while not self._stop.wait(0.1):
            started = time.monotonic()
            try:
                status, body = self._service.get(self._path)
            except OSError as error:
                self.failures.append(repr(error))
            else:
                if status != http.client.OK:
                    self.failures.append((status, body))
            self.seconds.append(time.monotonic() - started)


def connected(service, sent=b""):
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
    with contextlib.suppress(OSError):  # the server may have hung up for the next one
        connection.sendall(sent)
    return connection


def wait_for_refused(service, reason, least):
    """The page is rendered now and then, not by who asks for it."""
    name = "web_refused_total"
    service.wait_for(lambda page: (page.get(name, reason=reason) or 0) >= least, 40)


def test_a_flood_of_silent_connections_keeps_nobody_out(service):
    process = psutil.Process(service.process.pid)
    before, crowd = process.num_fds(), []
    with Prober(service, "/livez") as alive, Prober(service, "/metrics") as scrapes:
        for _ in range(10):
            crowd += [connected(service) for _ in range(40)]
            assert process.num_fds() < before + 2 * CONNECTIONS_MAX
            time.sleep(0.2)
    assert alive.failures == []
    assert scrapes.failures == []
    assert len(alive.seconds) > 5
    assert max(alive.seconds) < 5.0
    for connection in crowd:  # whoever was not hung up on for another is so for asking nothing
        connection.settimeout(ImpatientProtocol.request_seconds + 5)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert process.num_fds() <= before + 4
    wait_for_refused(service, "connections", len(crowd) - 2 * CONNECTIONS_MAX)


def test_headers_that_drip_in_are_not_waited_for(service):
    start = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
    slow = [connected(service, start) for _ in range(REQUESTS_MAX + 4)]
    began, ended = time.monotonic(), {}
    with Prober(service, "/metrics") as scrapes:
        while len(ended) < len(slow) and time.monotonic() < began + 20:
            for number, connection in enumerate(slow):
                if number in ended:
                    continue
                try:
                    connection.sendall(b"X-Slow: 1\r\n")
                except OSError:
                    ended[number] = time.monotonic() - began
            time.sleep(0.3)
    assert len(ended) == len(slow)
    assert max(ended.values()) < ImpatientProtocol.request_seconds + 4
    assert scrapes.failures == []
    wait_for_refused(service, "slow", len(slow))
    for connection in slow:
        connection.close()


def test_a_body_without_an_end_is_not_waited_for(service):
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    connection = connected(service, head)
    began = time.monotonic()
    is_open = True
    while is_open and time.monotonic() < began + 30:
        try:
            connection.sendall(b"x" * 1000)
        except OSError:
            is_open = False
        time.sleep(0.2)
    assert time.monotonic() < began + 20
    assert service.get("/livez")[0] == 200


def test_a_crowd_of_requests_is_answered_or_told_to_come_back(service):
    statuses, lock = [], threading.Lock()

    def ask():
        for _ in range(5):
            with contextlib.suppress(OSError):
                status, _ = service.get("/")
                with lock:
                    statuses.append(status)

    crowd = [threading.Thread(target=ask) for _ in range(40)]
    with Prober(service, "/livez") as alive:
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
    assert alive.failures == []
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > len(statuses) / 4


def test_prometheus_logs_in_by_tls_and_goes_on_after_both_are_renewed(service_on, tmp_path):
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    web = tmp_path / "web.yaml"
    said = {
        "tls_server_config": {
            "cert_file": str(server.certificate),
            "key_file": str(server.key),
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": str(authority.certificate),
        },
        "basic_auth_users": {"prometheus": HASH},
    }
    web.write_text(json.dumps(said))
    sections = {"external_url": "https://anchorwatch.example", "config_file": str(web)}
    service = service_on(f"127.0.0.1:{free_port()}", "nowhere", web=sections)
    service.start()
    prometheus = Prometheus([service.address])
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    config = prometheus.directory / "prometheus.yml"
    tree = json.loads(config.read_text())
    tree["scrape_configs"][0] |= {
        "scheme": "https",
        "tls_config": {
            "ca_file": str(authority.certificate),
            "cert_file": str(client.certificate),
            "key_file": str(client.key),
        },
        "basic_auth": {"username": "prometheus", "password_file": str(password)},
    }
    config.write_text(json.dumps(tree))
    with prometheus:
        prometheus.wait_for("up == 1", 60)
        url = 'anchorwatch_web_info{external_url="https://anchorwatch.example"}'
        assert prometheus.wait_for(url)
        renewed = authority.issue("renewed")
        other = bcrypt.hashpw(b"renewed", bcrypt.gensalt(6)).decode()
        tls = {"cert_file": str(renewed.certificate), "key_file": str(renewed.key)}
        said["tls_server_config"] |= tls
        said["basic_auth_users"] = {"prometheus": other}
        web.write_text(json.dumps(said))
        prometheus.wait_for("up == 0", 30)
        assert "401" in str(prometheus.targets())
        password.write_text("renewed")
        prometheus.wait_for("up == 1", 30)
        assert prometheus.wait_for(f'anchorwatch_config_file_ok{{file="{web}"}} == 1')
        refused = 'anchorwatch_web_refused_total{reason="login"} > 0'
        assert prometheus.wait_for(refused)
    assert PASSWORD not in service.log
    assert HASH not in service.log


def test_probes_need_no_login_and_tell_nothing_without_one(service_on, tmp_path):
    web = tmp_path / "web.yaml"
    web.write_text(json.dumps({"basic_auth_users": {"prometheus": HASH}}))
    service = service_on(f"127.0.0.1:{free_port()}", "nowhere", web={"config_file": str(web)})
    service.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if service.get("/readyz")[0]:
                break
        time.sleep(0.1)
    assert service.get("/livez") == (200, "alive")
    assert service.get("/readyz") == (503, "not ready")
    assert service.get("/metrics")[0] == 401
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    both = base64.b64encode(f"prometheus:{PASSWORD}".encode()).decode()
    connection.request("GET", "/", headers={"Authorization": f"Basic {both}"})
    answer = connection.getresponse()
    assert answer.status in {200, 503}
    connection.close()
