"""What judging a fleet costs: 200 models of 50 features, the panes of six partitions merged.

Panes come as the judge of a fleet gets them, counted and sketched elsewhere, one a model, minute
and partition. Every model begins as after a day, with its detectors and windows full; then an hour
of panes goes through `Judge.advance`, in which everything comes around that is done once an hour.
CPU time. In a process of its own, for the memory it takes: `python -m tests.benchmarks.judge
[MINUTES MODELS ROWS]` prints what was measured as JSON.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

import psutil

from config.limits import LimitsSettings
from config.settings import Settings
from config.sources import SourceSettings
from service.ingest.decode.decoder import Decoder
from service.monitor.counting.panes import Pane
from service.monitor.counting.shard import ModelShard, Shard, TimeRules
from service.monitor.detecting.detection import Detection
from service.monitor.detecting.dispersions import Dispersions
from service.monitor.detecting.windows import Window
from service.monitor.judging.judge import Judge
from service.monitor.references.planning import plan_for
from service.values.plans import Plan
from service.values.records import Chunk, Partition
from service.values.references import Reference
from service.values.streams import ModelKey
from service.wiring import watches
from tests.benchmarks.events import ModelEvents
from tests.benchmarks.figures import Figure, at_most

MODELS, PARTITIONS, NUMERIC, CATEGORICAL = 200, 6, 45, 5
FEATURES = NUMERIC + CATEGORICAL
MANY, FEW = 600, 10
"""Rows a minute and partition: 60 events a second of each model, 12,000 of the fleet; or one."""

WARM_MINUTES, HOUR_MINUTES = 1_440, 60
ROWS_DRAWN = 72_000
"""Their minutes come again and again, to every model in another order. With fewer of them they
would not be as the reference is."""

START_SECONDS, PANE_SECONDS = 1_780_272_000.0, 60.0
TARGET_US = 50.0
MIB = 2**20

PARTS = {
    "merging": (Judge, "_take"),
    "windows": (Window, "add"),
    "detection": (Detection, "judge"),
    "dispersion": (Dispersions, "learn"),
}
"""What is timed by itself; dispersion is a part of detection."""


def table(minutes: int = HOUR_MINUTES, models: int = MODELS) -> list[Figure]:
    """The cost of a feature and pane, what it is made of, and the share of a core."""
    many = _measured(minutes, models, MANY)
    few = _measured(max(1, minutes // 4), models, FEW)
    us = many["us"]
    named = us["merging"] + us["windows"] + us["detection"]
    title = f"judge: {models} models x {FEATURES} features, {PARTITIONS} partitions merged"
    return [
        Figure(title, us["whole"], "us/feature", at_most(TARGET_US)),
        Figure("  of this: merging the partitions' panes", us["merging"], "us/feature"),
        Figure("  windows", us["windows"], "us/feature"),
        Figure("  detection", us["detection"] - us["dispersion"], "us/feature"),
        Figure("  learning dispersion", us["dispersion"], "us/feature"),
        Figure("  episodes and all else", us["whole"] - named, "us/feature"),
        Figure("  share of one core", us["whole"] * models * FEATURES / 60e6 * 100, "%"),
        Figure("  longest minute of all models", many["longest_seconds"] * 1e3, "ms"),
        Figure("  resident, windows full", many["resident_mib"], "MiB"),
        Figure("  episodes meanwhile, all false", many["episodes"], ""),
        Figure("the same at one event a second and model", few["us"]["whole"], "us/feature"),
    ]


def measure(minutes: int, models: int, rows: int) -> dict[str, Any]:
    """CPU a feature and pane by part, over so many minutes of all models."""
    fleet = Fleet(World(rows), models)
    spent: Counter[str] = Counter()
    for part, (owner, name) in PARTS.items():
        setattr(owner, name, _timed(getattr(owner, name), part, spent))
    longest = 0.0
    for minute in range(WARM_MINUTES, WARM_MINUTES + minutes):
        fleet.bring(minute)
        begun = time.process_time()
        fleet.advance(minute)
        seconds = time.process_time() - begun
        spent["whole"] += seconds
        longest = max(longest, seconds)
    judged = models * FEATURES * minutes
    return {
        "us": {part: seconds * 1e6 / judged for part, seconds in spent.items()},
        "longest_seconds": longest,
        "resident_mib": psutil.Process().memory_info().rss / MIB,
        "episodes": len(fleet.judge.episodes.open) + len(fleet.judge.episodes.ended),
    }


class World:
    """Panes of one model, a minute and partition each, as they would come from a worker."""

    def __init__(self, rows: int, drawn: int = ROWS_DRAWN) -> None:
        model = ModelEvents("model", NUMERIC, CATEGORICAL, rows=drawn)
        self.reference = model.reference
        self._rows = rows
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

    def pane(self, plan: Plan, minute: int, partition: int, seed: int) -> Pane:
        """A pane of a minute, for the models of one `seed`."""
        place = (7 * seed + minute) % self._minutes * PARTITIONS + (seed + partition) % PARTITIONS
        pane = Pane.from_state(plan, self._drawn[place])
        pane.start_seconds = START_SECONDS + minute * PANE_SECONDS
        return pane

    def _pane(self, decoder: Decoder, model: ModelEvents, place: int) -> dict[str, Any]:
        first, end = place * self._rows, (place + 1) * self._rows
        records = model.records(self._rows, first, START_SECONDS, START_SECONDS + PANE_SECONDS)
        chunk = Chunk(Partition("predictions", place % PARTITIONS), records, end)
        shard = Shard(chunk.partition, first, START_SECONDS)
        shard.apply(chunk, decoder.decode(chunk), TimeRules(), START_SECONDS + PANE_SECONDS)
        [pane] = shard.models[model.key].panes.values()
        return pane.state()


class Fleet:
    """So many models like one, as they are after a day, and their shards."""

    def __init__(self, world: World, models: int) -> None:
        self._world = world
        self.keys = [ModelKey(f"model-{i:03d}", "3") for i in range(models)]
        self.shards = [
            Shard(Partition("predictions", i), 0, START_SECONDS) for i in range(PARTITIONS)
        ]
        self.judge = fresh_judge(lambda _: world.reference, models)
        self._warm_up()

    def bring(self, minute: int) -> None:
        """The panes of a minute come, of all models and partitions."""
        for seed, key in enumerate(self.keys):
            self._bring(key, minute, seed)

    def advance(self, minute: int) -> None:
        """Judge the panes of a minute."""
        self.judge.advance(self.shards, _end(minute) + PANE_SECONDS)

    def _warm_up(self) -> None:
        """One model lives for a day; the others are as it is then."""
        first = self.keys[0]
        self.judge.schedule(first)
        for minute in range(WARM_MINUTES):
            self._bring(first, minute, 0)
            self.advance(minute)
        state = self.judge.state()
        [one] = state["models"]
        state["models"] = [one | {"model": key.model} for key in self.keys]
        self.judge = fresh_judge(lambda _: self._world.reference, len(self.keys))
        self.judge.restore(state, {})

    def _bring(self, key: ModelKey, minute: int, seed: int) -> None:
        plan = self.judge.models[key].references.newest.plan
        for number, shard in enumerate(self.shards):
            part = shard.models.setdefault(key, ModelShard(START_SECONDS))
            pane = self._world.pane(plan, minute, number, seed)
            part.panes[pane.id] = pane
            part.newest_seconds = _end(minute) + TimeRules().lateness_seconds


def fresh_judge(given: Callable[[ModelKey], Reference | None], models: int) -> Judge:
    """A judge as the service has it, of at most so many models."""
    settings = Settings()
    idle = settings.detection.idle_after
    return Judge(watches(settings), given, plan_for, TimeRules(), idle, models)


def _end(minute: int) -> float:
    return START_SECONDS + (minute + 1) * PANE_SECONDS


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
    print(json.dumps(measure(*map(int, sys.argv[1:] or (HOUR_MINUTES, MODELS, MANY)))))
