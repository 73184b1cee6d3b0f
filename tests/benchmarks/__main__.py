"""Every figure in one table: `python -m tests.benchmarks [--only NAME] [--quick]`.

Starts a Kafka broker of its own, and the service as a process where that is what is measured. Where
one process is measured its CPU time is what counts, as the units say; else the wall clock.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import NamedTuple

import click

from service.logs import configure
from tests.benchmarks import (
    bytes_to_summary,
    decode,
    detectors,
    end_to_end,
    fleet,
    freshness,
    judge,
    kafka_source,
    machine,
    memory,
    reference,
    scrape,
    shards,
    summary,
)
from tests.benchmarks.figures import HEADER, Figure
from tests.benchmarks.prefill import Log, many_models
from tests.integration.parts.kafka_broker import KafkaBroker


class Bench:
    """What sections share: the broker and a log of many models, made when first asked for."""

    def __init__(self, quick: bool, stack: ExitStack) -> None:
        self.quick = quick
        self._stack = stack

    def pick(self, whole: float, quick: float) -> int:
        """An amount of work."""
        return int(quick if self.quick else whole)

    @cached_property
    def bootstrap(self) -> str:
        return self._stack.enter_context(KafkaBroker()).bootstrap

    @cached_property
    def many(self) -> Log:
        return Log(self.bootstrap, many_models(), self.pick(650_000, 150_000), "lz4")


class Section(NamedTuple):
    """A part of the table. `run` may give plain (name, value, unit) too."""

    name: str
    title: str
    run: Callable[[Bench], Iterable[tuple[object, ...]]]


def _parts(bench: Bench) -> Iterator[tuple[object, ...]]:
    yield from decode.table()
    yield from summary.table()
    yield from scrape.render_table()
    for name in detectors.DETECTORS:
        cost = detectors.cost_microseconds(name, 22, bench.pick(2000, 200))
        yield f"{name}, update of 22 streams", cost, "us/stream"


SECTIONS = (
    Section(
        "summary",
        "Bytes to Summary, one core, 16 numeric and 4 categorical features (CPU time)",
        lambda bench: bytes_to_summary.table(bench.pick(100_000, 20_000)),
    ),
    Section(
        "end-to-end",
        "From a real broker to judged panes, one process, 6 partitions (wall clock)",
        lambda bench: end_to_end.table(bench.bootstrap, bench.many, bench.pick(500_000, 100_000)),
    ),
    Section(
        "freshness",
        "From produced to visible on /metrics, at 10,000 events/s (wall clock)",
        lambda bench: freshness.table(bench.bootstrap, bench.pick(25, 10)),
    ),
    Section(
        "scrape",
        "Scrapes of 10,000 series while consuming a backlog (wall clock)",
        lambda bench: scrape.table(bench.many, bench.bootstrap),
    ),
    Section(
        "memory",
        "Memory over many events",
        lambda bench: memory.flat(bench.pick(10_000_000, 1_000_000)),
    ),
    Section(
        "windows",
        "10 models of 50 features with full windows: memory, checkpoint, judge, page",
        lambda bench: memory.full(bench.pick(25, 3)),
    ),
    Section(
        "judge",
        "Judging a fleet, merged from 6 partitions, 1-minute panes (CPU time)",
        lambda bench: judge.table(bench.pick(30, 3), bench.pick(200, 20)),
    ),
    Section("parts", "The parts alone", _parts),
    Section(
        "source",
        "Records out of Kafka, without decoding (wall clock)",
        lambda bench: kafka_source.table(bench.bootstrap, bench.pick(200_000, 50_000)),
    ),
    Section(
        "shards",
        "The state of shards in a topic: taking over, and what a flush takes (wall clock)",
        lambda bench: shards.table(bench.bootstrap, bench.pick(200, 30)),
    ),
    Section(
        "fleet",
        "Workers of a fleet: one and two of them, and what a flush takes (wall clock)",
        lambda bench: fleet.table(
            bench.bootstrap, bench.pick(1_000_000, 150_000), bench.pick(60, 10)
        ),
    ),
    Section(
        "reference",
        "Building a reference from files",
        lambda bench: reference.table(bench.pick(400_000, 50_000)),
    ),
)


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([section.name for section in SECTIONS]),
    help="Run this section; may be given more than once.",
)
@click.option("--quick", is_flag=True, help="A tenth of the work: to see that it runs.")
def main(only: tuple[str, ...], *, quick: bool) -> None:
    """Measure, and print one table. The exit code is 0 also when targets are missed."""
    configure("console", "error")
    chosen = [section for section in SECTIONS if not only or section.name in only]
    print("\n".join(machine.facts()))
    if quick:
        print("--quick: too little work for figures to be quoted")
    figures: list[Figure] = []
    begun = time.monotonic()
    with ExitStack() as stack:
        bench = Bench(quick, stack)
        for number, section in enumerate(chosen, 1):
            elapsed = time.monotonic() - begun
            print(f"[{number}/{len(chosen)}, {elapsed:.0f} s] {section.name} ...", file=sys.stderr)
            print(f"\n{section.title}\n{HEADER}", flush=True)
            for row in section.run(bench):
                figures.append(Figure(*row))
                print(figures[-1], flush=True)
    print(f"\n{_verdict(figures)} {time.monotonic() - begun:.0f} s in all.")


def _verdict(figures: list[Figure]) -> str:
    targets = [figure for figure in figures if figure.target is not None]
    missed = [figure.name.strip() for figure in targets if figure.missed]
    said = f"{len(targets) - len(missed)} of {len(targets)} targets met"
    return f"{said}; missed: {'; '.join(missed)}." if missed else f"{said}."


if __name__ == "__main__":
    main()
