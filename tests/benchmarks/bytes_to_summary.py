"""Bytes to Summary on one core, and the loop that a user would write, on the same events.

python -m tests.benchmarks.bytes_to_summary
"""

import time
from collections.abc import Iterator

from config.limits import LimitsSettings
from config.settings import Settings
from config.sources import SourceSettings
from service.composition.wiring import watches
from service.ingest.decode.decoder import Decoder
from service.monitor.counting.shard import Shard, TimeRules
from service.monitor.judging.judge import Judge
from service.monitor.references.planning import plan_for
from service.values.records import Chunk, Partition
from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.naive import NaiveLoop

CHUNK = 5000
ROUNDS = 5
PARTITION = Partition("predictions", 0)
START = 1.7e9 - 1.7e9 % 60


class Ours:
    """Decoder, shard and judge of one partition, with a reference in force."""

    def __init__(self, events: ModelEvents) -> None:
        self.rules = TimeRules()
        settings = Settings()
        self.judge = Judge(
            watches(settings), lambda _: events.reference, plan_for, self.rules, 60.0, 10
        )
        source = SourceSettings(name="benchmark", topics=("predictions",))
        self.decoder = Decoder(source, self.judge, LimitsSettings(), self.rules.pane_seconds)
        self.shard = Shard(PARTITION, 0, START)
        self.seconds = {"decode": 0.0, "count": 0.0, "judge": 0.0}

    def feed(self, chunk: Chunk) -> None:
        """Take a chunk; the CPU time of each step is added up."""
        begun = time.process_time()
        decoded = self.decoder.decode(chunk)
        parsed = time.process_time()
        self.shard.apply(chunk, decoded, self.rules, START + 86_400)
        counted = time.process_time()
        self.judge.advance([self.shard], START + 86_400)
        self.seconds["decode"] += parsed - begun
        self.seconds["count"] += counted - parsed
        self.seconds["judge"] += time.process_time() - counted


def table(events: int = 100_000, per_second: float = 250.0) -> list[Figure]:
    """Best of five rounds of each side, in turn; all CPU time of this process."""
    model = ModelEvents("credit-risk", rows=min(events, 50_000))
    chunks = list(_chunks(model, events, per_second))
    values = [record.value or b"" for chunk in chunks for record in chunk.records]
    naive, ours = [], []
    for _ in range(ROUNDS):
        ours.append(_ours(model, chunks))
        naive.append(_naive(model, values))
    steps = min(ours, key=lambda step: step["decode"] + step["count"])
    own = steps["decode"] + steps["count"]
    micro = 1e6 / events
    return [
        Figure("size of an event", sum(map(len, values)) / events, "B"),
        Figure("bytes to Summary", own * micro, "us/event", at_most(7)),
        Figure("  of this: decode", steps["decode"] * micro, "us/event"),
        Figure("  of this: count into panes", steps["count"] * micro, "us/event"),
        Figure("judge, on top (15,000 events a pane)", steps["judge"] * micro, "us/event"),
        Figure("orjson, river ADWIN and Page-Hinkley", min(naive) * micro, "us/event"),
        Figure("events a second against that loop", min(naive) / own, "times", at_least(4)),
    ]


def _chunks(model: ModelEvents, events: int, per_second: float) -> Iterator[Chunk]:
    for first in range(0, events, CHUNK):
        start = START + first / per_second
        records = model.records(CHUNK, first, start, start + CHUNK / per_second)
        yield Chunk(PARTITION, records, first + CHUNK)


def _ours(model: ModelEvents, chunks: list[Chunk]) -> dict[str, float]:
    ours = Ours(model)
    ours.feed(chunks[0])  # the first event of a model is read on the general path
    ours.seconds = dict.fromkeys(ours.seconds, 0.0)
    ours.shard = Shard(PARTITION, 0, START)
    for chunk in chunks:
        ours.feed(chunk)
    return ours.seconds


def _naive(model: ModelEvents, values: list[bytes]) -> float:
    loop = NaiveLoop(model.numeric)
    begun = time.process_time()
    loop.feed(values)
    return time.process_time() - begun


if __name__ == "__main__":
    for figure in table():
        print(figure)
