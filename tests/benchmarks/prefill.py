"""Topics filled before a measurement begins, and a producer with a steady hand.

`python -m tests.benchmarks.prefill BOOTSTRAP TOPIC RATE SECONDS` is that producer: it prints a line
of "epoch seconds, events so far" for every hundredth of a second.
"""

import sys
import time
from collections.abc import Iterable

from kafka import KafkaProducer

from service.values.records import Record
from tests.benchmarks.events import ModelEvents, interleaved
from tests.integration.parts.topics import create_topic

PARTITIONS = 6
PANE_SECONDS = 60.0
SLICES = 100
"""Of a log, made and sent one after the other."""

TICKS = 100
"""A second, of the steady producer."""


def many_models() -> list[ModelEvents]:
    """Thirteen models of 22 streams: some 10,000 series in full detail."""
    return [ModelEvents(f"model-{i:02d}", seed=i, rows=2000) for i in range(13)]


class Log:
    """A topic that holds `events` events of some models, and what is to be seen of them.

    Event time runs evenly over `panes` panes that lie in the past. One more event for each model
    and partition, four panes later, closes the last of them; `panes_judged` are then complete.
    """

    def __init__(
        self,
        bootstrap: str,
        models: list[ModelEvents],
        events: int,
        codec: str | None = None,
        panes: int = 20,
        topic: str = "",
    ) -> None:
        """Into a new topic, or one that is there and empty."""
        self.topic = topic or create_topic(bootstrap, PARTITIONS)
        self.models = models
        share = events // len(models) // SLICES
        self.events = (share * SLICES + PARTITIONS) * len(models)
        self.panes_judged = panes * len(models)
        end = (time.time() // PANE_SECONDS - 10) * PANE_SECONDS
        start, span = end - panes * PANE_SECONDS, panes * PANE_SECONDS / SLICES
        producer = _producer(bootstrap, codec)
        for number in range(SLICES):
            first, since = number * share * len(models), start + number * span
            records = interleaved(models, share, first, since, since + span)
            _send(producer, self.topic, first, records)
        closing = end + 4 * PANE_SECONDS
        for model in models:
            for partition in range(PARTITIONS):
                (record,) = model.records(1, partition, closing, closing + 1)
                _send(producer, self.topic, partition, [record])
        producer.flush()
        producer.close()


def steady(bootstrap: str, topic: str, rate: int, seconds: float) -> None:
    """Produce `rate` events a second, as they happen, and print how many there are by when."""
    model = ModelEvents("credit-risk")
    producer = _producer(bootstrap, None, linger_ms=5)
    begun, sent = time.time(), 0
    while (now := time.time()) < begun + seconds:
        due = min(int((now - begun) * rate), sent + rate)
        records = model.records(due - sent, sent, now, now)
        _send(producer, topic, sent, records)
        sent = due
        print(f"{now:.4f} {sent}", flush=True)
        time.sleep(max(0.0, now + 1 / TICKS - time.time()))
    producer.flush()
    producer.close()


def _producer(bootstrap: str, codec: str | None, linger_ms: int = 50) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type=codec,
        linger_ms=linger_ms,
        batch_size=256 * 1024,
        acks=1,
        max_block_ms=60_000,
    )


def _send(producer: KafkaProducer, topic: str, first: int, records: Iterable[Record]) -> None:
    """One record after the other to the partitions in turn, from partition `first` % 6 on."""
    for number, record in enumerate(records, first):
        producer.send(
            topic,
            record.value,
            partition=number % PARTITIONS,
            timestamp_ms=int(record.timestamp_seconds * 1000),
        )


if __name__ == "__main__":
    steady(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
