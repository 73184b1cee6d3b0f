"""Scrapes of a page of 10,000 series while the service consumes as fast as it can.

python -m tests.benchmarks.scrape
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from service.publish.exposition import Exposition
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.prefill import Log, many_models
from tests.benchmarks.service_process import ServiceProcess
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.unit.publish.reports import fleet

SCRAPES = 300
SCRAPES_AT_ONCE = 10
PAUSE_SECONDS = 0.01
PREDICTIONS = "anchorwatch_predictions_total"


def table(log: Log, bootstrap: str, scrapes: int = SCRAPES) -> list[Figure]:
    """Wall clock of scrapes from another process, compressed, each on a new connection.

    The log is read from its beginning. Only scrapes before its end count; how many is told.
    """
    metrics = {"detail": "full"}
    seconds: list[float] = []
    with ServiceProcess(bootstrap, [log.topic], log.models, metrics=metrics) as service:
        begun = page = service.wait_until("anchorwatch_panes_judged_total", len(log.models))
        while len(seconds) < scrapes:
            some = [_paused(service.scrape_seconds) for _ in range(SCRAPES_AT_ONCE)]
            page = service.scrape()
            if seconds and page.total(PREDICTIONS) >= log.events:
                break
            seconds += some
    consumed = page.total(PREDICTIONS) - begun.total(PREDICTIONS)
    half, most = np.percentile(seconds, [50, 99]) * 1e3
    return [
        Figure("series on the page", page.total("anchorwatch_series"), ""),
        Figure("events consumed meanwhile", consumed, "events"),
        Figure("scrapes while consuming", len(seconds), ""),
        Figure("scrape, median", half, "ms"),
        Figure("scrape, 99th percentile", most, "ms", at_most(150)),
        Figure("scrape, longest", max(seconds) * 1e3, "ms"),
    ]


def render_table() -> list[Figure]:
    """What one page costs to render, in this process."""
    figures = []
    for models, streams, detail in ((10, 46, "full"), (50, 50, "summary")):
        report, exposition = fleet(models, streams), Exposition()
        begun = time.process_time()
        page = exposition.render(report, detail, 1_000_000)
        first = time.process_time() - begun
        render = partial(exposition.render, report, detail, 1_000_000)
        again = min(_cpu(render) for _ in range(9))
        title = f"render {page.series:,} series, {detail}"
        figures += [Figure(f"{title}: first", first * 1e3, "ms")]
        figures += [Figure(f"{title}: then", again * 1e3, "ms")]
    return figures


def _paused(call: Callable[[], float]) -> float:
    time.sleep(PAUSE_SECONDS)
    return call()


def _cpu(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


if __name__ == "__main__":
    with KafkaBroker() as broker:
        events = int(sys.argv[1]) if len(sys.argv) > 1 else 600_000
        log = Log(broker.bootstrap, many_models(), events, "lz4")
        for figure in table(log, broker.bootstrap):
            print(figure)
