"""From a real broker to judged panes, one process: events a second and where the time goes.

python -m tests.benchmarks.end_to_end
"""

import sys

from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_least
from tests.benchmarks.prefill import Log, many_models
from tests.benchmarks.service_process import Page, ServiceProcess
from tests.integration.parts.kafka_broker import KafkaBroker

STEPS = ("poll", "decode", "count", "judge", "publish", "checkpoint")


def table(bootstrap: str, many: Log, events: int = 500_000) -> list[Figure]:
    """One model uncompressed and by lz4, and a log of many models."""
    one = [ModelEvents("credit-risk")]
    figures = []
    for title, codec in (("1 model, not compressed", None), ("1 model, lz4", "lz4")):
        figures += measured(title, bootstrap, Log(bootstrap, one, events, codec))
    return figures + measured(f"{len(many.models)} models, lz4", bootstrap, many)


def measured(title: str, bootstrap: str, log: Log) -> list[Figure]:
    """What one run from the beginning of a log tells on `/metrics`."""
    with ServiceProcess(bootstrap, [log.topic], log.models) as service:
        first = service.wait_until("anchorwatch_predictions_total", 1)
        service.wait_until("anchorwatch_predictions_total", log.events, 120)
        last = service.wait_until("anchorwatch_panes_judged_total", log.panes_judged)
    events = _grown(first, last, "anchorwatch_predictions_total")
    seconds = _grown(first, last, "anchorwatch_report_timestamp_seconds")
    cpu = _grown(first, last, "process_cpu_seconds_total")
    steps = [
        Figure(f"  {title}: {step}", _step(first, last, step) / events * 1e6, "us/event")
        for step in STEPS
    ]
    return [
        Figure(f"{title}: broker to judged", events / seconds, "events/s", at_least(45_000)),
        Figure(f"{title}: by CPU time", events / cpu, "events/CPU s"),
        Figure(f"  {title}: CPU of the process", cpu / events * 1e6, "us/event"),
        *steps,
        Figure(f"  {title}: resident", last.total("process_resident_memory_bytes") / 2**20, "MiB"),
    ]


def _grown(first: Page, last: Page, name: str) -> float:
    return last.total(name) - first.total(name)


def _step(first: Page, last: Page, step: str) -> float:
    name, label = "anchorwatch_loop_step_seconds_total", f'step="{step}"'
    return last.total(name, label) - first.total(name, label)


if __name__ == "__main__":
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with KafkaBroker() as broker:
        log = Log(broker.bootstrap, many_models(), events, "lz4")
        for figure in table(broker.bootstrap, log, events):
            print(figure)
