import gzip
import http.client
import json
import socket
import time
from contextlib import contextmanager

import pytest

from config.web import WebSettings
from service.clock import ManualClock
from service.errors import ConfigurationError
from service.publish.access import Access
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.guard import SECURITY_HEADERS, ImpatientProtocol
from service.publish.page import StatusPage
from service.publish.server import REQUESTS_MAX, Server
from tests.unit.publish import reports

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


@contextmanager
def serving(report=None, liveness=lambda: None, access=None):
    board = Board()
    if report is not None:
        board.publish(Exposition(collectors=()).render(report, "auto", 50_000), report)
    page = StatusPage(ManualClock(reports.AT), lambda: 0)
    server = Server(board, liveness, page, host="127.0.0.1", port=0, access=access)
    server.start()
    try:
        yield server, board
    finally:
        server.stop()


def ask(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server():
    with serving(reports.believable()) as (server, _):
        yield server


def test_metrics_come_in_the_format_and_encoding_asked_for(server):
    plain, text = ask(server, "/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert text.startswith(b"# HELP anchorwatch_")
    answer, packed = ask(server, "/metrics", Accept=OPENMETRICS, Accept_Encoding="gzip")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed).endswith(b"# EOF\n")
    assert len(packed) < len(text) / 5


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/livez", "/nope", "/style.css", "/app.js", "/icon.svg"]
)
def test_every_answer_carries_the_security_headers(server, path):
    answer, _ = ask(server, path)
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "server" not in answer.headers


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline():
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("base-uri") == "'none'"
    assert rules.pop("frame-ancestors") == "'none'"
    assert set(rules.values()) == {"'self'"}


def test_only_who_is_named_may_show_the_page_in_a_frame():
    web = WebSettings(frame_ancestors=("self", "https://grafana.bank.example"))
    with serving(reports.report(), access=Access(web, ManualClock())) as (server, _):
        answer, _ = ask(server, "/")
        policy = answer.headers["content-security-policy"]
        assert policy.endswith("; frame-ancestors 'self' https://grafana.bank.example")


def test_unknown_paths_are_404_and_say_what_there_is(server):
    for path in ("/nope", "/metrics/", "/static/style.css", "/..%2f..%2fetc%2fpasswd"):
        answer, body = ask(server, path)
        assert answer.status == 404
        assert b"/metrics" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_nothing_can_be_written(server, method):
    for path in ("/metrics", "/", "/livez"):
        answer, _ = ask(server, path, method)
        assert answer.status == 405


def test_the_page_and_its_twin_are_there(server):
    answer, body = ask(server, "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"4 of 6 models are watched" in body
    _, twin = ask(server, "/api/v1/status")
    assert json.loads(twin)["models"][0]["model"] == "credit-risk"
    answer, body = ask(server, "/?model=kyc-doc")
    assert answer.status == 200
    answer, _ = ask(server, "/?model=none%00such")
    assert answer.status == 404


def test_nothing_is_ready_before_the_first_report_but_alive():
    with serving() as (server, board):
        for path in ("/metrics", "/readyz", "/", "/api/v1/status"):
            assert ask(server, path)[0].status == 503
        assert ask(server, "/livez")[0].status == 200
        report = reports.report(
            service=reports.service(ready=False, not_ready_because="12 records to read again")
        )
        board.publish(Exposition(collectors=()).render(report, "auto", 100), report)
        answer, body = ask(server, "/readyz")
        assert (answer.status, body) == (503, b"12 records to read again")
        board.publish(board.current.page, reports.report())
        assert ask(server, "/readyz")[0].status == 200


def test_liveness_is_what_the_watchdog_says():
    with serving(reports.report(), lambda: "the loop has not turned for 61 s") as (server, _):
        answer, body = ask(server, "/livez")
        assert (answer.status, body) == (503, b"the loop has not turned for 61 s")
        assert ask(server, "/readyz")[0].status == 200


def test_a_new_page_is_served_at_the_next_scrape():
    with serving(reports.believable()) as (server, board):
        assert b'model="fraud"' in ask(server, "/metrics")[1]
        report = reports.report()
        board.publish(Exposition(collectors=()).render(report, "auto", 100), report)
        assert b'model="fraud"' not in ask(server, "/metrics")[1]


def test_an_address_in_use_says_what_to_do():
    with serving(reports.report()) as (server, board):
        page = StatusPage(ManualClock(), lambda: 0)
        second = Server(board, lambda: None, page, host="127.0.0.1", port=server.port)
        with pytest.raises(ConfigurationError, match="choose another port"):
            second.start()
        second.stop()


def test_an_address_of_another_host_says_what_to_do():
    page = StatusPage(ManualClock(), lambda: 0)
    elsewhere = Server(Board(), lambda: None, page, host="192.0.2.1", port=0)
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0"):
        elsewhere.start()


def test_the_port_is_free_again_after_a_stop():
    with serving(reports.report()) as (first, board):
        port = first.port
        waiting = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        waiting.request("GET", "/livez")
        waiting.getresponse().read()
        started = time.monotonic()
        first.stop()
        assert time.monotonic() - started < 2.5
        waiting.close()
        page = StatusPage(ManualClock(), lambda: 0)
        second = Server(board, lambda: None, page, host="127.0.0.1", port=port)
        second.start()
        assert ask(second, "/livez")[0].status == 200
        second.stop()
        second.stop()


def test_a_crowd_gets_503_while_probes_are_answered(monkeypatch):
    monkeypatch.setattr(ImpatientProtocol, "answer_seconds", 20.0)
    report = reports.fleet(20, 50)
    with serving(report) as (server, _):
        # Readers that ask for more than the sockets buffer and never read: each answer stays open.
        crowd = [_never_reading(server.port) for _ in range(REQUESTS_MAX)]
        deadline = time.monotonic() + 5
        while ask(server, "/metrics")[0].status != 503 and time.monotonic() < deadline:
            time.sleep(0.01)
        answer, _ = ask(server, "/metrics")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert ask(server, "/livez")[0].status == 200
        assert ask(server, "/readyz")[0].status == 200
        for one in crowd:
            one.close()
        while ask(server, "/metrics")[0].status != 200 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ask(server, "/metrics")[0].status == 200


def _never_reading(port):
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    reader.connect(("127.0.0.1", port))
    reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
    return reader


@pytest.mark.parametrize("start", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_who_does_not_finish_asking_is_hung_up_on(monkeypatch, start):
    monkeypatch.setattr(ImpatientProtocol, "request_seconds", 0.2)
    with serving(reports.report()) as (server, _):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as slow:
            slow.sendall(start)
            assert _closed(slow)
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as slow:
            slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert slow.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(0.3)  # idle after an answer is keep-alive, and allowed
            slow.sendall(b"GET /livez")
            slow.settimeout(2)
            assert _closed(slow)


def _closed(connection):
    """True once the server hangs up, False when it does not within the socket's timeout."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_endless_headers_are_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000)
        assert greedy.recv(64).startswith(b"HTTP/1.1 400")


def test_garbage_is_refused_and_the_server_goes_on(server):
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"PLEASE\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as odd:
            odd.sendall(garbage)
            assert odd.recv(64).startswith(b"HTTP/1.1 400")
    assert ask(server, "/livez")[0].status == 200
