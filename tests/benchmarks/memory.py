"""Resident memory: flat over millions of events, and with every window full; and checkpoints.

Each is measured in a process of its own: `python -m tests.benchmarks.memory flat|full [amount]`
prints what was measured as JSON. Without arguments it runs both.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from config.settings import Settings
from config.sources import SourceSettings
from service.clock import SystemClock
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, time_rules
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.state.directory import DirectoryStore
from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.generated import GeneratedSource

MIB = 2**20
FLUSHES = 400
"""One a second of event time."""


def table(events: int = 10_000_000, hours: float = 25.0) -> list[Figure]:
    """Both, one after the other."""
    return [*flat(events), *full(hours)]


def flat(events: int) -> list[Figure]:
    """One model of 22 streams over three days of event time."""
    told = _measured("flat", events)
    marks = [
        Figure(f"resident after {count / 1e6:g} million events", resident, "MiB")
        for count, resident in told["marks"]
    ]
    (_, early), *_, (_, late) = told["marks"]
    return [
        *marks,
        Figure("  growth from the first to the last of them", late - early, "MiB", at_most(10)),
        Figure("  CPU, events made and 4,300 panes judged", told["cpu_us"], "us/event"),
    ]


def full(hours: float) -> list[Figure]:
    """Ten models of 50 features, 60 events a pane, until their windows are full."""
    told = _measured("full", hours)
    stall, publish = told["checkpoint_ms"], told["publish_ms"]
    return [
        Figure("10 models of 50 features: before the first event", told["empty"], "MiB"),
        Figure(f"  resident, {hours:g} h of 1-minute panes", told["full"], "MiB", at_most(300)),
        Figure("  resident after checkpoints as well", told["after"], "MiB", at_most(300)),
        Figure("  highest ever", told["peak"], "MiB"),
        Figure("  of this: Python and its modules", told["modules"], "MiB"),
        Figure("checkpoint: size", told["checkpoint_kib"], "KiB"),
        Figure("checkpoint: stall, median", float(np.median(stall)), "ms"),
        Figure("checkpoint: stall, 99th percentile", float(np.percentile(stall, 99)), "ms"),
        Figure("checkpoint: stall, longest", max(stall), "ms"),
        Figure("checkpoint: CPU", told["checkpoint_cpu_ms"], "ms"),
        Figure(
            "judge: CPU a stream and pane, merged from 6 partitions",
            told["judge_us"],
            "us",
            at_most(50),
        ),
        Figure("publish: CPU a flush", told["publish_cpu_ms"], "ms"),
        Figure("publish: stall, 99th percentile", float(np.percentile(publish, 99)), "ms"),
        Figure("series on the page", told["series"], ""),
    ]


def measure_flat(events: int) -> dict[str, object]:
    """Marks of (events, MiB), at a tenth, half and all of them."""
    model = ModelEvents("credit-risk")
    with tempfile.TemporaryDirectory(prefix="anchorwatch-bench-") as folder:
        service, source = _service([model], events / (72 * 3600), 72, folder)
        marks: list[tuple[int, float]] = []
        begun = time.process_time()
        for count in (events // 10, events // 2, events):
            while source.made < count and not source.finished:
                service.loop.turn()
            marks.append((count, _resident()))
        cpu = time.process_time() - begun
    return {"marks": marks, "cpu_us": cpu / source.made * 1e6}


def measure_full(hours: float) -> dict[str, object]:
    """What ten full models hold, then what their checkpoints, panes and pages cost."""
    modules = _resident()
    models = [
        ModelEvents(f"model-{i:02d}", numeric=50, categorical=0, rows=1000, seed=i)
        for i in range(10)
    ]
    for model in models:
        model.parts, model.reference  # noqa: B018 - made now, so as not to count as the service's
    empty = _resident()
    with tempfile.TemporaryDirectory(prefix="anchorwatch-bench-") as folder:
        service, source = _service(models, 1.0, hours + 1.0, folder)
        stop = source.time_seconds + hours * 3600
        while source.time_seconds < stop:
            service.loop.turn()
        filled = _resident()
        told = _costs(service, source)
        told |= {"checkpoint_kib": service.parts.store.size_bytes / 1024}
    return told | {
        "modules": modules,
        "empty": empty,
        "full": filled,
        "after": _resident(),
        "peak": _peak(),
        "series": service.board.current.page.series if service.board.current else 0,
    }


def _costs(service: Service, source: GeneratedSource) -> dict[str, object]:
    """Live: a flush every second of event time, a checkpoint every ten; each step timed."""
    loop, judge = service.loop, service.judge
    loop._next_flush = loop._next_checkpoint = loop._next_judge = float("inf")
    work = {
        "judge": lambda: judge.advance(loop.shards.values(), time.time()),
        "publish": lambda: service._publish(loop),
        "checkpoint": loop.checkpoint,
    }
    walls: dict[str, list[float]] = {name: [] for name in work}
    cpus: dict[str, list[float]] = {name: [] for name in work}
    source.go_live()
    before = _panes(service)
    for flush in range(FLUSHES):
        loop.turn()
        for name, call in work.items():
            if name == "checkpoint" and flush % 10:
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            walls[name].append((time.perf_counter() - wall) * 1e3)
            cpus[name].append((time.process_time() - cpu) * 1e3)
    streams = [m.references.newest.plan.layout.stream_count for m in judge.models.values()]
    judged = (_panes(service) - before) * sum(streams) / len(streams)
    return {
        "checkpoint_ms": walls["checkpoint"],
        "checkpoint_cpu_ms": float(np.median(cpus["checkpoint"])),
        "publish_ms": walls["publish"],
        "publish_cpu_ms": float(np.median(cpus["publish"])),
        "judge_us": sum(cpus["judge"]) * 1e3 / judged,
    }


def _panes(service: Service) -> int:
    return sum(model.panes_judged for model in service.judge.models.values())


def _service(
    models: list[ModelEvents], per_second: float, hours: float, folder: str
) -> tuple[Service, GeneratedSource]:
    """All of the service but its broker, over `hours` of event time that end now."""
    settings = Settings(sources=(SourceSettings(name="events", topics=("predictions",)),))
    end = time.time() // 60 * 60
    source = GeneratedSource(models, per_second, end - hours * 3600, end)
    parts = Parts(
        source=source,
        store=DirectoryStore(Path(folder)),
        dead_letters=NoDeadLetters(),
        given=given_references(settings, [model.reference for model in models]),
        clock=SystemClock(),
        rules=time_rules(settings.detection),
        sources=settings.sources,
    )
    return Service(settings, "benchmark", parts), source


def _measured(what: str, amount: float) -> dict[str, object]:
    """What `python -m tests.benchmarks.memory` tells of a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", what, f"{amount:g}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # the log stands before


def _resident() -> float:
    return psutil.Process().memory_info().rss / MIB


def _peak() -> float:
    """The highest resident memory of this program (getrusage tells its parent's, if higher)."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(arguments: list[str]) -> None:
    """Measure in this process, or run both in processes of their own."""
    if not arguments:
        for figure in table():
            print(figure)
        return
    what, amount = arguments
    told = measure_flat(int(float(amount))) if what == "flat" else measure_full(float(amount))
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
