"""The state of shards in a topic: taking one over, and what a flush makes the loop wait.

Run with `python -m tests.benchmarks.shards`: in memory, then on a broker of its own.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from service.kafka.connection import KafkaConnection
from service.kafka.topic_log import TopicLog
from service.state.shards.store import Flush, Opening, ShardStore
from service.state.shards.writer import ShardWriter
from service.values.keyed_log import KeyedLog
from tests.benchmarks.figures import Figure, at_most
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.topics import create_topic
from tests.unit.keyed_log_memory import KeyedLogMemory

MIB = 2**20
PANES = 500
PANE_BYTES = 20 * 1024
CHANGED = 20
"""Panes that change between two flushes: of 500 that are open, those that get events."""

SHARDS = 6


def table(bootstrap: str, flushes: int) -> Iterator[Figure]:
    """In memory, which is our own part, and on a broker."""
    memory = KeyedLogMemory(1)
    yield from _measured("in memory", lambda: memory, flushes)
    topic = create_topic(bootstrap, 1, cleanup_policy="compact", segment_bytes=str(64 * MIB))
    logs: list[TopicLog] = []

    def new_log() -> TopicLog:
        logs.append(TopicLog(KafkaConnection((bootstrap,)), topic))
        return logs[-1]

    yield from _measured("on a broker", new_log, flushes)
    for log in logs:
        log.close()


def _measured(where: str, new_log: Callable[[], KeyedLog], flushes: int) -> Iterator[Figure]:
    log, random_ = new_log(), random.Random(1)
    openings = [Opening(f"predictions/{n}", 0, "id") for n in range(SHARDS)]
    store = ShardStore(log, "cluster")
    writers = [writer for writer, _ in store.open_all(openings)]
    whole = {f"pane/{n}": random_.randbytes(PANE_BYTES) for n in range(PANES)}
    begun = time.perf_counter()
    store.flush([Flush(writers[0], whole, 0, 0)])
    size = f"{PANES * PANE_BYTES / MIB:.0f} MiB in {PANES} blobs"
    yield Figure(f"{where}: first flush of {size}", time.perf_counter() - begun, "s")
    stalls = [_stall(store, writers, random_, number) for number in range(1, flushes)]
    said = f"{SHARDS} shards, {CHANGED} blobs of {PANE_BYTES // 1024} KiB each"
    yield Figure(f"  flush of {said}, median", float(np.median(stalls)) * 1e3, "ms")
    yield Figure("  the same, 99th percentile", float(np.quantile(stalls, 0.99)) * 1e3, "ms")
    begun = time.perf_counter()
    state = ShardStore(new_log(), "cluster").open_all(openings)[0][1]
    elapsed = time.perf_counter() - begun
    if state is None or len(state.blobs) != PANES:
        raise RuntimeError("what was flushed did not come back")
    there = sum(len(entry.value or b"") for entry in log.read(0)) / MIB
    yield Figure(f"  taking over {size}", elapsed, "s", at_most(5))
    yield Figure("    of a partition of", there, "MiB")


def _stall(
    store: ShardStore, writers: list[ShardWriter], random_: random.Random, number: int
) -> float:
    changes = []
    for writer in writers:
        changed = random_.sample(range(PANES), CHANGED)
        blobs = {f"pane/{n}": random_.randbytes(PANE_BYTES) for n in changed}
        changes.append(Flush(writer, blobs, 0, number))
    begun = time.perf_counter()
    store.flush(changes)
    return time.perf_counter() - begun


if __name__ == "__main__":
    with closing(KafkaBroker()) as broker:
        broker.start()
        for figure in table(broker.bootstrap, int(sys.argv[1]) if sys.argv[1:] else 200):
            print(figure, flush=True)
