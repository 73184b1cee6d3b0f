"""A topic of events, the references of its models, and a configuration that watches it."""

import json
import math
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.integration.oracle import Logged, Recount, Rules
from tests.integration.parts import events
from tests.integration.parts.events import Message

REFERENCE_ROWS = 4000
PANE_SECONDS = 300.0
FAR_AHEAD_SECONDS = 1e9

Contents = Mapping[str, Mapping[str, Any]]
"""Reference files by model."""


class References(NamedTuple):
    """Where the reference files are, and what is in them."""

    directory: Path
    contents: Contents


def build_references(directory: Path) -> References:
    """Build the models' references with the real command."""
    tables = {
        events.SYNTHETIC: events.synthetic_table(REFERENCE_ROWS, 1),
        events.MARKET: events.market_table(REFERENCE_ROWS),
    }
    contents = {model: build_reference(directory, model, rows) for model, rows in tables.items()}
    return References(directory, contents)


def build_reference(
    directory: Path, model: str, rows: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Build a model's reference of flat rows with the real command; returns what is in the file."""
    table, output = directory / f"{model}.jsonl", directory / f"{model}.json"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    command = [sys.executable, "-m", "service", "reference", "build", str(table)]
    command += ["--model", model, "--output", str(output), "--force"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    table.unlink()
    if done.returncode:
        raise RuntimeError(done.stderr)
    built: dict[str, Any] = json.loads(output.read_text("utf-8"))
    return built


def configuration(
    bootstrap: str,
    topic: str,
    references: Path,
    sources: Sequence[Mapping[str, Any]] = (),
    **sections: Mapping[str, Any],
) -> dict[str, Any]:
    """Native events, panes of five minutes, windows that hold all, no partition ever idle.

    `sections` go on top of these. Each call names another consumer group.
    """
    tree: dict[str, Mapping[str, Any]] = {
        "kafka": {
            "bootstrap_servers": [bootstrap],
            "group": f"g-{uuid.uuid4().hex[:12]}",
            "start": "earliest",
            "session_timeout": "6s",
        },
        "detection": {"pane": "5m", "windows": ["1h", "24h"], "idle_after": "24h"},
        "reference": {"from": str(references)},
        "metrics": {"detail": "summary"},
        "limits": {"record": f"{events.RECORD_BYTES_MAX}B"},
    }
    for name, section in sections.items():
        tree[name] = {**tree.get(name, {}), **section}
    return {**tree, "sources": [*sources] or [{"name": "predictions", "topics": [topic]}]}


def send(
    bootstrap: str,
    topic: str,
    messages: Sequence[Message],
    per_second: float = math.inf,
    stop: threading.Event | None = None,
) -> None:
    """Send them in order at a pace, until all are sent or `stop` is set.

    Returns when the broker has them, however long it is away meanwhile.
    """
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        linger_ms=20,
        batch_size=128 * 1024,
        compression_type="lz4",
        delivery_timeout_ms=120_000,
    )
    begun = time.monotonic()
    sent = []
    try:
        for i, message in enumerate(messages):
            if i % 50 == 0:
                time.sleep(max(0.0, begun + i / per_second - time.monotonic()))
                if stop is not None and stop.is_set():
                    break
            sent.append(_sent(producer, topic, message))
        for future in sent:
            future.get(timeout=120)
    finally:
        producer.close()


@contextmanager
def sending(
    bootstrap: str, topic: str, messages: Sequence[Message], per_second: float
) -> Iterator[None]:
    """Send them at a pace while the body runs; at its end what was sent is in the broker."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(send, bootstrap, topic, messages, per_second, stop)
        try:
            yield
        finally:
            stop.set()
        future.result()


def read_log(
    bootstrap: str | Sequence[str], topic: str, partitions: int = events.PARTITIONS
) -> list[Logged]:
    """Everything that the topic holds, partition by partition in order, by another client."""
    wheres = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=30_000)
    try:
        consumer.assign(wheres)
        consumer.seek_to_beginning(*wheres)
        left = {where for where, end in consumer.end_offsets(wheres).items() if end}
        ends = consumer.end_offsets(wheres)
        log: list[Logged] = []
        while left:
            for where, records in consumer.poll(timeout_ms=1000, max_records=5000).items():
                log += [Logged(r.partition, r.offset, r.timestamp, r.value) for r in records]
                if records[-1].offset + 1 >= ends[where]:
                    left.discard(where)
    finally:
        consumer.close()
    return sorted(log, key=lambda record: (record.partition, record.offset))


def recount_of(bootstrap: str, topic: str, references: References) -> Recount:
    """What a service has to say of the topic as it is now."""
    rules = Rules(
        pane_seconds=PANE_SECONDS,
        record_bytes_max=events.RECORD_BYTES_MAX,
        future_from_seconds=events.START_SECONDS + FAR_AHEAD_SECONDS,
    )
    log = read_log(bootstrap, topic)
    return Recount(references.contents, events.PARTITIONS, rules).add(log)


def as_lines(log: Iterable[Logged]) -> str:
    """The values that are JSON as JSON Lines, in the order of their arrival."""
    ordered = sorted(log, key=lambda record: (record.timestamp_ms, record.partition, record.offset))
    return "".join(record.value.decode() + "\n" for record in ordered if record.value)


def _sent(producer: KafkaProducer, topic: str, message: Message) -> Any:
    return producer.send(
        topic,
        message.value,
        key=b"key",  # a tombstone needs one
        partition=message.partition,
        timestamp_ms=message.timestamp_ms,
    )
