"""What judging a fleet costs: 200 models of 50 features, the panes of six partitions merged.

Panes and progress come as workers send them, a pane a model, minute and partition. Every model
begins as after a day, with its detectors and windows full; then half an hour of panes goes through
`Images.take` and `Judge.advance`. What is done once an hour is done once in it: so it shows twice
as large as it is. CPU time. In a process of its own, for the memory it takes: `python -m
tests.benchmarks.judge [MINUTES MODELS ROWS]` prints what was measured as JSON.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import psutil

from config.limits import LimitsSettings
from config.settings import Settings
from config.sources import SourceSettings
from service.composition.wiring import watches
from service.ingest.decode.decoder import Decoder
from service.monitor.counting.images import Images
from service.monitor.counting.model_image import ModelImage
from service.monitor.counting.panes import Pane
from service.monitor.counting.progress import ModelProgress, Progress
from service.monitor.counting.shard import Shard, TimeRules
from service.monitor.counting.totals import ModelTotals, RecordBook
from service.monitor.detecting.detection import Detection
from service.monitor.detecting.dispersions import Dispersions
from service.monitor.detecting.windows import Window
from service.monitor.judging.judge import Judge
from service.monitor.judging.reporting import model_reports
from service.monitor.judging.windows_told import KeptWindows
from service.monitor.references.planning import plan_for
from service.state.snapshot import decode, encode
from service.values.exchange import Sent, SentPane, SentProgress, Stamp
from service.values.records import Chunk, Partition
from service.values.references import Reference
from service.values.streams import ModelKey
from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_most

MODELS, PARTITIONS, NUMERIC, CATEGORICAL = 200, 6, 45, 5
FEATURES = NUMERIC + CATEGORICAL
MANY, FEW = 600, 10
"""Rows a minute and partition: 60 events a second of each model, 12,000 of the fleet; or one."""

WARM_MINUTES, MEASURED_MINUTES = 1_440, 30
ROWS_DRAWN = 72_000
"""Their minutes come again and again, to every model in another order. With fewer of them they
would not be as the reference is."""

START_SECONDS, PANE_SECONDS = 1_780_272_000.0, 60.0
FLUSHES = 6
"""Of a worker in a minute."""

TARGET_US = 50.0
MIB = 2**20

PARTS = {
    "reading": (ModelImage, "take_closed"),
    "merging": (Pane, "merge"),
    "windows": (Window, "add"),
    "detection": (Detection, "judge"),
    "dispersion": (Dispersions, "learn"),
}
"""What is timed by itself; dispersion is a part of detection."""


def table(minutes: int = MEASURED_MINUTES, models: int = MODELS) -> list[Figure]:
    """The cost of a feature and pane, what it is made of, and the share of a core."""
    many = _measured(minutes, models, MANY)
    few = _measured(max(1, minutes // 4), models, FEW)
    return figures(models, many, few)


def figures(models: int, many: dict[str, Any], few: dict[str, Any]) -> list[Figure]:
    """Of what `measure` tells of so many models, with many and with few rows."""
    us, title = many["us"], f"judge: {models} models x {FEATURES} features, {PARTITIONS} partitions"
    parts = {
        "  of this: panes out of bytes": us["reading"],
        "  merging the partitions' panes": us["merging"],
        "  windows": us["windows"],
        "  detection": us["detection"] - us["dispersion"],
        "  learning dispersion": us["dispersion"],
    }
    flushes = PARTITIONS * FLUSHES / 60
    return [
        Figure(title, us["judge"], "us/feature", at_most(TARGET_US)),
        *(Figure(name, value, "us/feature") for name, value in parts.items()),
        Figure("  episodes and all else", us["judge"] - sum(parts.values()), "us/feature"),
        Figure("  share of one core", us["judge"] * models * FEATURES / 60e6 * 100, "%"),
        Figure("  longest minute of all models", many["longest_seconds"] * 1e3, "ms"),
        Figure("  the same at one event a second and model", few["us"]["judge"], "us/feature"),
        Figure("a round in which nothing is to be judged", many["idle_seconds"] * 1e3, "ms"),
        Figure("taking in a partition's progress", many["progress_seconds"] * 1e3, "ms"),
        Figure("  share of one core, every 10 s", many["progress_seconds"] * flushes * 100, "%"),
        Figure("report of all models after a minute's panes", many["report_seconds"] * 1e3, "ms"),
        Figure("  again, when nothing was judged", many["report_again_seconds"] * 1e3, "ms"),
        Figure("resident, windows full", many["resident_mib"], "MiB"),
        Figure("episodes meanwhile, all false", many["episodes"], ""),
    ]


def measure(minutes: int, models: int, rows: int) -> dict[str, Any]:
    """CPU by part, over so many minutes of all models."""
    fleet = Fleet(World(rows), models)
    spent: Counter[str] = Counter()
    take = _timed(fleet.images.take, "progress", spent)
    idle = _timed(fleet.advance, "idle", spent)
    first, again = (_timed(model_reports, part, spent) for part in ("report", "report again"))
    kept, longest = KeptWindows(), 0.0
    with _parts_timed(spent):
        for minute in range(WARM_MINUTES, WARM_MINUTES + minutes):
            panes, progress = fleet.sent(minute)
            fleet.images.take(panes, _end(minute))
            take(progress, _end(minute))
            begun = time.process_time()
            fleet.advance(minute)
            seconds = time.process_time() - begun
            spent["judge"] += seconds
            longest = max(longest, seconds)
            idle(minute)
            for report in (first, again):
                report(fleet.judge, fleet.images, TimeRules().lateness_seconds, _end(minute), kept)
    judged = models * FEATURES * minutes
    return {
        "us": {part: seconds * 1e6 / judged for part, seconds in spent.items()},
        "longest_seconds": longest,
        "idle_seconds": spent["idle"] / minutes,
        "report_seconds": spent["report"] / minutes,
        "report_again_seconds": spent["report again"] / minutes,
        "progress_seconds": spent["progress"] / minutes / PARTITIONS,
        "resident_mib": psutil.Process().memory_info().rss / MIB,
        "episodes": len(fleet.judge.episodes.open) + len(fleet.judge.episodes.ended),
    }


class World:
    """Panes of one model, a minute and partition each, as they come from a worker."""

    def __init__(self, rows: int, drawn: int | None = None) -> None:
        drawn = drawn or ROWS_DRAWN
        model = ModelEvents("model", NUMERIC, CATEGORICAL, rows=drawn)
        self.reference = model.reference
        self.rows = rows
        self._minutes = drawn // (rows * PARTITIONS)
        decoder = Decoder(
            SourceSettings(name="events", topics=("predictions",)),
            fresh_judge(lambda _: self.reference, 1),
            LimitsSettings(),
            PANE_SECONDS,
        )
        self._drawn = [
            self._pane(decoder, model, place) for place in range(self._minutes * PARTITIONS)
        ]
        self.quality = self._drawn[0].quality()
        self._encoded: dict[int, bytes] = {}
        self._encoded_at = -1

    def body(self, minute: int, partition: int, seed: int) -> bytes:
        """A pane of a minute, for the models of one `seed`; those of other minutes are let go."""
        if minute != self._encoded_at:
            self._encoded_at, self._encoded = minute, {}
        place = (7 * seed + minute) % self._minutes * PARTITIONS + (seed + partition) % PARTITIONS
        if place not in self._encoded:
            pane = self._drawn[place]
            pane.start_seconds = START_SECONDS + minute * PANE_SECONDS
            self._encoded[place] = encode(pane.state())
        return self._encoded[place]

    def _pane(self, decoder: Decoder, model: ModelEvents, place: int) -> Pane:
        first, end = place * self.rows, (place + 1) * self.rows
        records = model.records(self.rows, first, START_SECONDS, START_SECONDS + PANE_SECONDS)
        chunk = Chunk(Partition("predictions", place % PARTITIONS), records, end)
        shard = Shard(chunk.partition, first, START_SECONDS)
        shard.apply(chunk, decoder.decode(chunk), TimeRules(), START_SECONDS + PANE_SECONDS)
        [pane] = shard.models[model.key].panes.values()
        return pane


class Fleet:
    """So many models like one, as they are after a day, and what is known of their partitions."""

    def __init__(self, world: World, models: int) -> None:
        self._world = world
        self.keys = [ModelKey(f"model-{i:03d}", "3") for i in range(models)]
        self.partitions = [Partition("predictions", i) for i in range(PARTITIONS)]
        self._warm_up()

    def sent(self, minute: int) -> tuple[list[Sent], list[Sent]]:
        """What comes of a minute: panes of all models and partitions, and progress."""
        panes: list[Sent] = []
        progress: list[Sent] = []
        for partition in self.partitions:
            stamp = Stamp(b"worker", 0, self._rows(minute) * len(self.keys))
            for seed, key in enumerate(self.keys):
                body = self._world.body(minute, partition.number, seed)
                panes.append(self._pane(partition, key, stamp, minute, body))
            progress.append(SentProgress(partition, stamp, encode(self._progress(minute).state())))
        return panes, progress

    def advance(self, minute: int) -> None:
        """Judge the panes of a minute."""
        self.judge.advance(self.images, _end(minute) + PANE_SECONDS)

    def _warm_up(self) -> None:
        """One model lives for a day; the others are as it is then."""
        keys, self.keys = self.keys, self.keys[:1]
        self._first_minute = 0
        self._begin(1)
        for minute in range(WARM_MINUTES):
            for some in self.sent(minute):
                self.images.take(some, _end(minute))
            self.advance(minute)
        state = self.judge.state()
        [one] = state["models"]
        state["models"] = [one | {"model": key.model} for key in keys]
        self.keys, self._first_minute = keys, WARM_MINUTES
        self._begin(len(keys))
        self.judge.restore(state, {})

    def _begin(self, models: int) -> None:
        self.judge = fresh_judge(lambda _: self._world.reference, models)
        idle = Settings().detection.idle_after
        self.images = Images(self.judge, decode, TimeRules(), idle)
        self.images.missing(START_SECONDS, frozenset(self.partitions), at_the_end=True)

    def _rows(self, minute: int) -> int:
        """Of a model and partition, through a minute."""
        return (minute + 1 - self._first_minute) * self._world.rows

    def _pane(
        self, partition: Partition, key: ModelKey, stamp: Stamp, minute: int, body: bytes
    ) -> SentPane:
        return SentPane(
            partition=partition,
            model=key,
            start_seconds=START_SECONDS + minute * PANE_SECONDS,
            pane_seconds=PANE_SECONDS,
            reference_hash=self._world.reference.hash,
            early=False,
            stamp=stamp,
            rows=self._world.rows,
            counts_hash=b"",
            body=body,
        )

    def _progress(self, minute: int) -> Progress:
        """A worker is half a minute into the next pane."""
        now = _end(minute) + TimeRules().lateness_seconds + PANE_SECONDS / 2
        totals = ModelTotals()
        totals.predictions = self._rows(minute)
        totals.add_quality(self._world.quality)
        of_each = ModelProgress(
            watermark_seconds=_end(minute),
            passed_seconds=_end(minute),
            newest_event_seconds=now,
            last_arrival_seconds=now,
            last_seen_seconds=now,
            open_rows=0,
            totals=totals,
        )
        models = dict.fromkeys(self.keys, of_each)
        return Progress(RecordBook(), now, now, _end(minute), models)


def fresh_judge(given: Callable[[ModelKey], Reference | None], models: int) -> Judge:
    """A judge as the service has it, of at most so many models."""
    settings = Settings()
    idle = settings.detection.idle_after
    return Judge(watches(settings), given, plan_for, TimeRules(), idle, models)


def _end(minute: int) -> float:
    return START_SECONDS + (minute + 1) * PANE_SECONDS


@contextmanager
def _parts_timed(spent: Counter[str]) -> Iterator[None]:
    """While it lasts, what PARTS name add their seconds up."""
    plain = {part: getattr(owner, name) for part, (owner, name) in PARTS.items()}
    for part, (owner, name) in PARTS.items():
        setattr(owner, name, _timed(plain[part], part, spent))
    try:
        yield
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, plain[part])


def _timed(call: Callable[..., Any], part: str, spent: Counter[str]) -> Callable[..., Any]:
    @wraps(call)
    def timed(*arguments: Any, **named: Any) -> Any:
        begun = time.process_time()
        try:
            return call(*arguments, **named)
        finally:
            spent[part] += time.process_time() - begun

    return timed


def _measured(*asked: int) -> dict[str, Any]:
    """What `measure` tells in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.judge", *map(str, asked)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # the log stands before


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:] or (MEASURED_MINUTES, MODELS, MANY)))))
