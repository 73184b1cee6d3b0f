"""How long after it was produced an event is visible on `/metrics`, at a steady rate.

python -m tests.benchmarks.freshness
"""

import subprocess
import sys
import time
from threading import Thread

import numpy as np

from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.prefill import PARTITIONS
from tests.benchmarks.service_process import ServiceProcess
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.topics import create_topic

RATE = 10_000
WARM_SECONDS = 3.0
SCRAPES_A_SECOND = 20


def table(bootstrap: str, seconds: float = 25.0) -> list[Figure]:
    """Percentiles over all events but those of the first seconds.

    An event is visible with the first scrape that counts as many events as were produced up to and
    with it; the time between two scrapes is part of the figure.
    """
    topic = create_topic(bootstrap, PARTITIONS)
    with ServiceProcess(bootstrap, [topic], [ModelEvents("credit-risk")]) as service:
        service.wait_until("anchorwatch_ready", 1)
        produced = _Produced(bootstrap, topic, seconds)
        seen: list[tuple[float, float]] = []
        while produced.running or not seen or seen[-1][1] < produced.count:
            count = service.scrape().total("anchorwatch_predictions_total")
            seen.append((time.time(), count))
            time.sleep(1 / SCRAPES_A_SECOND)
            if time.time() > produced.begun + seconds + 30:
                break
        page = service.scrape()
    delays = _delays(produced.ticks, seen)
    cpu = page.total("process_cpu_seconds_total") / seconds
    return [
        Figure("produced at", produced.count / seconds, "events/s"),
        Figure("produced to visible, median", float(np.percentile(delays, 50)), "s"),
        Figure("produced to visible, 99th percentile", _p99(delays), "s", at_most(3)),
        Figure("produced to visible, longest", float(delays.max()), "s"),
        Figure("  CPU of the process, its start included", cpu * 100, "% of a core"),
    ]


class _Produced:
    """What a producer in a process of its own has sent, as it tells it: (when, how many so far)."""

    def __init__(self, bootstrap: str, topic: str, seconds: float) -> None:
        self.begun = time.time()
        self.ticks: list[tuple[float, int]] = []
        command = [sys.executable, "-m", "tests.benchmarks.prefill", bootstrap, topic]
        self._process = subprocess.Popen(
            [*command, str(RATE), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self._reader.is_alive()

    @property
    def count(self) -> int:
        return self.ticks[-1][1] if self.ticks else 0

    def _read(self) -> None:
        for line in self._process.stdout or ():
            when, count = line.split()
            self.ticks.append((float(when), int(count)))
        self._process.wait()


def _delays(ticks: list[tuple[float, int]], seen: list[tuple[float, float]]) -> np.ndarray:
    """Seconds from each hundredth's production to the first scrape with all of its events."""
    when, counts = np.array([tick for tick in ticks if tick[1]]).T
    scraped, visible = np.array(seen).T
    found = np.searchsorted(np.maximum.accumulate(visible), counts, side="left")
    kept = (found < len(scraped)) & (when > when[0] + WARM_SECONDS)
    lost = (found == len(scraped)).sum()
    if lost:
        raise RuntimeError(f"events of {lost} hundredths of a second were never visible")
    return scraped[found[kept]] - when[kept]


def _p99(delays: np.ndarray) -> float:
    return float(np.percentile(delays, 99))


if __name__ == "__main__":
    with KafkaBroker() as broker:
        for figure in table(broker.bootstrap, *map(float, sys.argv[1:])):
            print(figure)
