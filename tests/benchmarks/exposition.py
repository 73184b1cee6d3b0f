"""How long a page takes to render, and to scrape while another thread keeps the interpreter busy.

python -m tests.benchmarks.exposition
"""

import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np

from service.clock import ManualClock, SystemClock
from service.publish.board import Board, Published
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from service.publish.server import Server
from tests.unit.publish import reports

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def timed(run, rounds):
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return seconds


def render(models, streams, detail):
    report = reports.fleet(models, streams)
    exposition = Exposition()
    [first] = timed(lambda: exposition.render(report, detail, 1_000_000), 1)
    later = statistics.median(timed(lambda: exposition.render(report, detail, 1_000_000), 20))
    page = exposition.render(report, detail, 1_000_000)
    print(
        f"render {page.series:>7,} series ({detail}, {len(page.text) / 1e6:.1f} MB):"
        f" first {first * 1e3:.1f} ms, then median {later * 1e3:.1f} ms"
    )


def status():
    """150 models of 52 streams, none of it kept from before."""
    report = reports.fleet(150, 52)
    published = Published(Exposition().render(report, "auto", 50_000), report)
    clock = ManualClock(reports.AT)
    page = StatusPage(clock, lambda: 0)

    def html():
        clock.time_seconds += 2
        return page.html(published, None, None)

    def twin():
        clock.time_seconds += 2
        return page.json(published)

    for name, run in (("page", html), ("JSON twin", twin)):
        middle = statistics.median(timed(run, 10))
        print(
            f"{name} of 150 models of 52 streams, {len(run()) / 1e3:,.0f} kB: {middle * 1e3:.0f} ms"
        )


@contextmanager
def busy():
    """A thread like the loop's: decode JSON in large bites, then numpy on large arrays."""
    document = json.dumps([{"features": {f"f{i}": i / 7 for i in range(20)}}] * 500)
    matrix = np.random.default_rng(1).normal(size=(20_000, 16))
    stop = threading.Event()

    def work():
        while not stop.is_set():
            json.loads(document)
            np.searchsorted(np.linspace(-3, 3, 20), matrix.ravel())
            sum(i * i for i in range(20_000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def scrape(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics", headers={"Accept": ACCEPT, "Accept-Encoding": "gzip"})
    connection.getresponse().read()
    connection.close()


SCRAPER = """
import sys, time
from tests.benchmarks.exposition import scrape
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    scrape(int(sys.argv[1]))
    print(time.perf_counter() - started)
    time.sleep(0.02)
"""


def scrapes(switch_seconds, *, republish):
    """From another process, as Prometheus is; with `republish`, every scrape finds a new page."""
    report = reports.fleet(10, 46)
    page = Exposition().render(report, "full", 50_000)
    board = Board()
    board.publish(page, report)
    server = Server(
        board, lambda: None, StatusPage(SystemClock(), lambda: 0), host="127.0.0.1", port=0
    )
    server.start()
    sys.setswitchinterval(switch_seconds)
    try:
        with busy():
            process = subprocess.Popen(
                [sys.executable, "-c", SCRAPER, str(server.port), "200"],
                stdout=subprocess.PIPE,
                text=True,
            )
            seconds = []
            for line in process.stdout:
                seconds.append(float(line))
                if republish:
                    board.publish(page, report)
            process.wait()
    finally:
        sys.setswitchinterval(0.005)
        server.stop()
    half, most = np.percentile(seconds, [50, 99]) * 1e3
    fresh = "new page each" if republish else "page kept"
    print(
        f"scrape {page.series:,} series beside a busy thread, switch interval"
        f" {switch_seconds * 1e3:g} ms, {fresh}: p50 {half:.0f} ms, p99 {most:.0f} ms"
    )


def main():
    render(10, 46, "full")
    render(50, 50, "summary")
    render(100, 46, "full")
    status()
    for switch_seconds in (0.005, 0.001):
        for republish in (False, True):
            scrapes(switch_seconds, republish=republish)


if __name__ == "__main__":
    main()
