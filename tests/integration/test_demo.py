"""`anchorwatch demo` as a newcomer sees it: one command, and half a minute later a drift."""

import re
import signal
import sys
import time
from contextlib import suppress

import pytest

from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess
from tests.integration.parts.service_process import Page, scrape

PROMISED_SECONDS = 30.0


@pytest.fixture
def demo(tmp_path):
    """(port, process) of a demo that was just started."""
    port = free_port()
    command = [sys.executable, "-m", "service", "demo", "--port", str(port)]
    unbuffered = {"PYTHONUNBUFFERED": "1"}
    process = ChildProcess("demo", command, tmp_path / "demo.log", env=unbuffered)
    yield port, process
    process.kill()


def test_the_demo_shows_a_drift_and_where_to_look_within_half_a_minute(demo):
    port, process = demo
    begun = time.monotonic()
    page = Page({})
    while not page.total("episode_active") or "episode" not in process.tail():
        assert time.monotonic() - begun < PROMISED_SECONDS, process.tail()
        assert process.running, process.tail()
        time.sleep(0.2)
        with suppress(OSError):
            page = scrape(port)
    assert income_score(page) >= 1
    active = dict(page.by("episode_active", "model"))
    assert active == {"credit-risk": 1}
    labels = {"model": "credit-risk", "kind": "input", "severity": "ticket"}
    assert page.total("episodes_total", **labels, team="retail-credit") == 1
    assert page.get("episodes_total", model="card-fraud", kind="input") in (0, None)
    told = process.log.read_text("utf-8")
    assert f"http://127.0.0.1:{port}/metrics" in told
    assert re.search(r"the drift starts now: income of credit-risk", told)
    assert re.search(r"credit-risk: a ticket, episode credit-risk-\d{8}-\d{4}", told)
    assert re.search(r"credit-risk: income up 0\.\d+ sd, PSI \d.*; share of ", told)
    assert "credit-risk: likely " in told
    assert "card-fraud: " not in told
    process.signal(signal.SIGINT)
    assert process.wait(10) == 0


def income_score(page):
    return page.total("drift_score", model="credit-risk", feature="income")


def test_the_demo_takes_any_free_port_and_says_which(tmp_path):
    command = [sys.executable, "-m", "service", "demo", "--port", "0", "--seconds", "2"]
    process = ChildProcess("demo", command, tmp_path / "demo.log", {"PYTHONUNBUFFERED": "1"})
    assert process.wait(30) == 0, process.tail()
    address = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", process.log.read_text("utf-8"))
    assert address
    assert int(address[1]) > 0
