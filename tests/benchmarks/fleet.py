"""Workers of a fleet: what a second one is good for, how long a flush makes the loop wait, and how
soon others take over.

python -m tests.benchmarks.fleet
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from service.monitor.references.file import write
from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.prefill import PARTITIONS, Log, many_models
from tests.integration.fleet.stage import Stage, build_traffic_references
from tests.integration.parts.fleet import SESSION_SECONDS, Fleet, fleet_configuration
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.sent_panes import wait_until_all_go_on
from tests.integration.parts.service_process import Page
from tests.integration.parts.topics import create_topic

STEADY_RATE = 10_000


def table(bootstrap: str, events: int = 600_000, seconds: int = 60) -> Iterator[Figure]:
    """Throughput of one worker and of two, then stalls under steady load."""
    models = many_models()[:4]
    one, two = (_throughput(bootstrap, models, events, count) for count in (1, 2))
    yield Figure("one worker: broker to state and panes", one, "events/s")
    yield Figure("two workers, three partitions each", two, "events/s")
    yield Figure("  two against one", two / one, "x", at_least(1.8))
    yield from _stalls(bootstrap, seconds)
    yield from _takeovers(bootstrap)


def _throughput(bootstrap: str, models: list[ModelEvents], events: int, workers: int) -> float:
    """All own their partitions, and stand still while the log is filled; then they are let go."""
    topic = create_topic(bootstrap, PARTITIONS)
    with tempfile.TemporaryDirectory(prefix="anchorwatch-bench-") as name:
        fleet = _fleet(bootstrap, topic, models, Path(name))
        try:
            for _ in range(workers):
                fleet.add_worker()
            fleet.wait_until(lambda: _shares(fleet) == _fair(workers), "each has its share")
            time.sleep(6)  # after it has connected a worker waits before it flushes
            _signal(fleet, signal.SIGSTOP)
            log = Log(bootstrap, models, events, "lz4", topic=topic)
            begun = time.perf_counter()
            _signal(fleet, signal.SIGCONT)
            fleet.wait_until(lambda: all(_lags(fleet)), "the backlog is known")
            fleet.wait_until(lambda: not any(_lags(fleet)), "all is read", 300)
            took = time.perf_counter() - begun
        finally:
            fleet.close()
    return log.events / took


def _stalls(bootstrap: str, seconds: int) -> Iterator[Figure]:
    """One model at a steady rate; each second's flush goes to the state topic and to the judge's.

    The histogram of a worker tells the bucket in which the 99th percentile is: its upper bound.
    """
    topic, model = create_topic(bootstrap, PARTITIONS), ModelEvents("credit-risk")
    with tempfile.TemporaryDirectory(prefix="anchorwatch-bench-") as name:
        fleet = _fleet(bootstrap, topic, [model], Path(name))
        try:
            worker = fleet.add_worker()
            fleet.wait_until(lambda: _shares(fleet) == _fair(1), "it has all")
            before = worker.scrape()
            command = [sys.executable, "-m", "tests.benchmarks.prefill", bootstrap, topic]
            rate = [str(STEADY_RATE), str(seconds)]
            subprocess.run([*command, *rate], check=True, stdout=subprocess.DEVNULL)
            after = worker.scrape()
        finally:
            fleet.close()
    bound, count = _quantile(before, after, 0.99)
    yield Figure(f"flushes of {PARTITIONS} shards at {STEADY_RATE:,} events/s", count, "")
    yield Figure("  wait for one, 99th percentile, at most", bound * 1e3, "ms", at_most(250))
    longest = after.get("loop_step_max_seconds", step="flush") or 0.0
    yield Figure("  longest since the start", longest * 1e3, "ms")


def _takeovers(bootstrap: str) -> Iterator[Figure]:
    """From the end of one of three workers until every partition goes on, at light load."""
    with tempfile.TemporaryDirectory(prefix="anchorwatch-bench-") as name:
        references = Path(name) / "references"
        references.mkdir()
        stage = Stage(bootstrap, build_traffic_references(references), Path(name))
        try:
            with stage.under_load(workers=3) as fleet:
                time.sleep(8)
                fleet.workers[0].process.kill()
                killed = wait_until_all_go_on(fleet)
                begun = time.monotonic()
                fleet.workers[1].process.terminate()
                ended = time.monotonic() - begun
                handed_over = wait_until_all_go_on(fleet)
        finally:
            stage.close()
    session = f"session {SESSION_SECONDS:g} s"
    yield Figure(f"kill -9 of one of three: all go on ({session})", killed, "s", at_most(21))
    yield Figure("SIGTERM: until it has ended", ended, "s", at_most(25))
    yield Figure("  and from then until all go on", handed_over, "s", at_most(10))


def _fleet(bootstrap: str, topic: str, models: list[ModelEvents], directory: Path) -> Fleet:
    references = directory / "references"
    references.mkdir()
    for model in models:
        (references / f"{model.key.model}.json").write_text(write(model.reference), "utf-8")
    sections = {
        "kafka": {"session_timeout": "5m"},
        "web": {"flush": "200ms"},
        "detection": {"pane": "60s", "lateness": "60s", "idle_after": "60s", "windows": ["5m"]},
    }
    return Fleet(directory, fleet_configuration(bootstrap, topic, references, **sections))


def _signal(fleet: Fleet, what: signal.Signals) -> None:
    for worker in fleet.workers:
        worker.process.signal(what)


def _shares(fleet: Fleet) -> list[int]:
    owners = list(fleet.owned().values())
    return sorted(owners.count(number) for number in set(owners))


def _fair(workers: int) -> list[int]:
    return [PARTITIONS // workers] * workers


def _lags(fleet: Fleet) -> list[float]:
    """Records that each worker has left to read, as its page has it."""
    return [worker.scrape().total("consumer_lag_records") for worker in fleet.workers]


def _quantile(before: Page, after: Page, share: float) -> tuple[float, float]:
    """(Upper bound of the bucket, how many there were)."""
    name = "checkpoint_duration_seconds_bucket"
    counts = {
        float(labels["le"]): value - (before.get(name, le=labels["le"]) or 0.0)
        for labels, value in after.each(name)
    }
    count = max(counts.values())
    return min(bound for bound, below in counts.items() if below >= share * count), count


if __name__ == "__main__":
    with KafkaBroker() as broker:
        for figure in table(broker.bootstrap):
            print(figure, flush=True)
