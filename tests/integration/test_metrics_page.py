"""The metrics page against the real promtool, over real HTTP."""

import gzip
import http.client
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from service.clock import SystemClock
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from service.publish.server import Server
from tests.unit.publish import reports

HOSTILE = reports.report(
    [reports.model('a"b\\c\nd', "", [reports.stream("\N{REPLACEMENT CHARACTER}{}=,\n# HELP x")])]
)


@pytest.mark.parametrize("detail", ["summary", "episode", "full"])
@pytest.mark.parametrize(
    "report", [reports.believable(), reports.empty(), HOSTILE], ids=["full", "empty", "hostile"]
)
def test_promtool_has_nothing_to_say(report, detail):
    page = Exposition().render(report, detail, 50_000)
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=page.text, capture_output=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_a_scrape_as_prometheus_does_it_gets_every_series():
    report = reports.fleet(20, 25)
    board = Board()
    page = Exposition().render(report, "full", 50_000)
    board.publish(page, report)
    status = StatusPage(SystemClock(), lambda: 0)
    server = Server(board, lambda: None, status, host="127.0.0.1", port=0)
    server.start()
    try:
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        text = gzip.decompress(connection.getresponse().read()).decode()
        connection.close()
    finally:
        server.stop()
    series = sum(len(family.samples) for family in text_string_to_metric_families(text))
    assert series == page.series > 10_000
