"""Live events of a few small models, from a seed: believable ones, and what producers get wrong.

Event times are the clock's, so that panes of a second close while one looks.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from service.kafka.fetch import abandon
from tests.integration.parts.events import Message

CHANNELS = ("web", "app", "branch", "phone")
SHUFFLED_SECONDS = 0.4
"""How far behind its record an event may be. The judge waits for half a lateness, which is a second
here, where a partition has said that it is idle: so nothing comes too late to be judged."""

ACKNOWLEDGED_SHARE_MIN = 0.2
"""Of the events that the pace asks for; brokers are away for half of the time in some tests, and a
busy machine keeps the pace of none."""

FAR_FUTURE = "2199-01-01T00:00:00Z"


class Stream(NamedTuple):
    """One model version, and the share of all events that it has."""

    model: str
    version: str
    share: float


STREAMS = (
    Stream("credit", "1", 0.5),
    Stream("credit", "2", 0.1),
    Stream("fraud", "1", 0.3),
    Stream("churn", "7", 0.1),
)
MODELS = tuple(sorted({stream.model for stream in STREAMS}))


def table(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows to build a reference from, flat."""
    rng = random.Random(seed)
    for _ in range(rows):
        yield {**features(rng), "prediction": rng.random(), "latency_ms": rng.uniform(1, 9)}


def features(rng: random.Random) -> dict[str, Any]:
    """Those of one clean row."""
    return {
        "amount": round(rng.lognormvariate(3, 1), 2),
        "age": rng.randrange(18, 90),
        "channel": rng.choice(CHANNELS),
    }


def message(rng: random.Random, partition: int, now_seconds: float) -> Message:
    """One record that is sent now; one in twenty is not as it should be."""
    stream = rng.choices(STREAMS, [each.share for each in STREAMS])[0]
    event = {
        "model": stream.model,
        "version": stream.version,
        "timestamp": round((now_seconds - rng.uniform(0, SHUFFLED_SECONDS)) * 1000),
        "features": features(rng),
        "prediction": round(rng.random(), 4),
        "latency_ms": round(rng.uniform(1, 9), 3),
    }
    value = json.dumps(event).encode()
    if rng.random() < 0.05:
        value = _spoiled(rng, event)
    return Message(partition, round(now_seconds * 1000), value)


class Traffic:
    """Sends at a steady pace from a thread of its own, until it is stopped.

    It goes on while brokers are away: what was not accepted is dropped or sent again, as producers
    do it. What counts is what is in the log.
    """

    def __init__(
        self,
        bootstrap: str | Sequence[str],
        topic: str,
        partitions: Sequence[int],
        *,
        seed: int,
        per_second: float,
    ) -> None:
        self.partitions = tuple(partitions)
        self.per_second = per_second
        self.failures = 0
        self.acknowledged = 0
        self._bootstrap = bootstrap
        self._topic = topic
        self._rng = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._problem: BaseException | None = None
        self._begun = 0.0

    def start(self) -> None:
        """Returns at once."""
        self._begun = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Returns when nothing is on its way any more; raises what went wrong. RuntimeError where
        far less was sent than should have been.
        """
        asked = (time.monotonic() - self._begun) * self.per_second
        self._stop.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        if self.acknowledged < ACKNOWLEDGED_SHARE_MIN * asked:
            raise RuntimeError(f"of {asked:.0f} events {self.acknowledged} were acknowledged")

    def _run(self) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap,
            linger_ms=100,  # a batch costs all that handle it more than its events do
            acks="all",
            max_block_ms=60_000,
            delivery_timeout_ms=60_000,
            request_timeout_ms=10_000,
            metadata_max_age_ms=5_000,
            # An idempotent one may wait for ever for answers of brokers that were killed.
            enable_idempotence=False,
        )
        try:
            self._send_until_stopped(producer)
        except BaseException as error:  # noqa: BLE001 - `stop` raises it where somebody looks
            self._problem = error
        finally:
            _end(producer)

    def _send_until_stopped(self, producer: KafkaProducer) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            due = max(due, time.monotonic() - 1.0) + 1.0 / self.per_second
            self._stop.wait(max(0.0, due - time.monotonic()))
            sent = message(self._rng, self._rng.choice(self.partitions), time.time())
            try:
                producer.send(
                    self._topic,
                    sent.value,
                    key=b"key",  # a tombstone needs one
                    partition=sent.partition,
                    timestamp_ms=sent.timestamp_ms,
                ).add_callback(self._note)
            except KafkaError:
                self.failures += 1

    def _note(self, _: Any) -> None:
        self.acknowledged += 1


def _end(producer: KafkaProducer) -> None:
    """Nothing is on its way any more when this returns.

    kafka-python may wait for ever for what killed brokers never answered, and `close` waits with
    it. What is given up then is not in the log, which is what everything is held to.
    """
    with suppress(KafkaTimeoutError):
        producer.flush(30)
    abandon(producer)


@contextmanager
def traffic(
    bootstrap: str | Sequence[str],
    topic: str,
    partitions: Sequence[int],
    *,
    seed: int,
    per_second: float,
) -> Iterator[Traffic]:
    """Traffic to these partitions while the body runs; at its end no more is on its way."""
    flowing = Traffic(bootstrap, topic, partitions, seed=seed, per_second=per_second)
    flowing.start()
    try:
        yield flowing
    finally:
        flowing.stop()


def _spoiled(rng: random.Random, event: dict[str, Any]) -> bytes | None:
    way = rng.randrange(8)
    if way == 0:
        return json.dumps(event).encode()[:-9]
    if way == 1:
        return None
    if way == 2:
        del event["model"]
    elif way == 3:
        event["timestamp"] = event["timestamp"] - rng.randrange(5_000, 60_000)  # too late
    elif way == 4:
        event["timestamp"] = FAR_FUTURE
    elif way == 5:
        event["features"]["amount"] = rng.choice((None, "much", True))
    elif way == 6:
        event["features"]["channel"] = rng.choice(("fax", None, 7, [1]))
    else:
        event["latency_ms"] = rng.choice((None, -3.0, "slow"))
    return json.dumps(event).encode()
