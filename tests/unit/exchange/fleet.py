"""A fleet in memory: workers that die, stall and move, a judge that dies, and a log they count.

Everything is real but the broker: shards, senders, records, images, the judge. Time is simulated:

    log        events, appended as time goes on, with an event time of at most DISORDER before
    state      per partition the heads that writers wrote, each with all of its blobs
    panes      a `KeyedLogMemory`
    judge      a reader, images, a `Judge`; and its last snapshot
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from service.exchange.reader import Reader
from service.exchange.records import drafts_of
from service.monitor.counting.blobs import shard_blobs, shard_from_blobs
from service.monitor.counting.image_blobs import image_blobs, restore_images
from service.monitor.counting.images import Images
from service.monitor.counting.panes import Pane
from service.monitor.counting.sending import Sender
from service.monitor.counting.shard import Shard, TimeRules
from service.monitor.judging.judge import Judge
from service.monitor.judging.model_judge import ModelJudge
from service.monitor.references.planning import plan_for
from service.state.snapshot import decode, encode
from service.values.keyed_log import Entry
from service.values.plans import Plan
from service.values.records import Chunk, Partition
from service.values.streams import ModelKey
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import MODEL, OTHER, T0, Event, decoder_of, reference, watch

RULES = TimeRules()
IDLE, DISORDER = 120.0, 30.0
CARRIERS = 2
INPUTS = tuple(Partition("events", number) for number in range(3))
COLUMNS = {"state": ["MA", "CA", "NY"] * 50}
GIVEN = {
    MODEL: reference(150, outputs=False, inputs=COLUMNS),
    OTHER: reference(150, outputs=False, inputs=COLUMNS | {"other": ["a"] * 150}, model="other"),
}
LATER = reference(150, outputs=False, inputs={"state": ["MA", "CA", "NY", "new"] * 50})
CHANGE = T0 + 180.0
WATCH = watch(windows=(), detectors=(), learn=False, ignored=("x",))

Counted = dict[tuple[ModelKey, float], tuple[int, list[int]]]


class Killed(Exception):
    """The process ends here."""


class Rules(Struct, frozen=True):
    """What may happen. `outages`: a partition may be left alone for longer than five minutes.
    `late_schedules`: some workers do not hear of the reference that holds from CHANGE on.
    """

    outages: bool = False
    late_schedules: bool = False


def judge_with(judged: Callable[[ModelJudge, Pane, Any], None], *, changes: bool) -> Judge:
    judge = Judge(lambda _: WATCH, GIVEN.get, plan_for, RULES, IDLE, 10, judged)
    for key in GIVEN:
        judge.schedule(key)
    if changes:
        judge.models[MODEL].references.add(CHANGE, GIVEN[MODEL].hash, LATER, learns=False)
    return judge


class Schedules:
    """What workers decode by: `late` ones have not heard of the later reference."""

    def __init__(self) -> None:
        self.judges = {
            late: judge_with(lambda *_: None, changes=not late) for late in (False, True)
        }
        self.decoders = {late: decoder_of(judge) for late, judge in self.judges.items()}

    def plan(self, key: ModelKey, reference_hash: str) -> Plan:
        return self.judges[False].plan(key, reference_hash)


SCHEDULES = Schedules()


class State:
    """The state topic: heads by partition, the last one of each writer."""

    def __init__(self) -> None:
        self.heads: dict[Partition, dict[bytes, tuple[int, int, Mapping[str, bytes]]]] = {}
        self.written = 0

    def best(self, partition: Partition) -> tuple[int, int, Mapping[str, bytes]] | None:
        heads = self.heads.get(partition, {}).values()
        return max(heads, key=lambda head: head[:2], default=None)


class Worker:
    """One acquisition of one partition by one process."""

    def __init__(self, fleet: "Fleet", partition: Partition) -> None:
        self.fleet = fleet
        self.id = fleet.random.randbytes(16)
        self.partition = partition
        self.blobs: dict[str, bytes] = {}
        self.known: Mapping[str, Any] = {}
        found = fleet.state.best(partition)
        if found is None:
            self.shard = Shard(partition, 0, fleet.now)
        else:
            _, through, blobs = found
            self.shard = shard_from_blobs(
                partition, through + 1, blobs, SCHEDULES.plan, decode, fleet.now
            )
        is_late = fleet.rules.late_schedules and fleet.random.random() < 0.5
        self.decoder = SCHEDULES.decoders[is_late]
        self.sender = Sender(self.shard, self.id, 0, encode)

    def read(self, most: int) -> None:
        at = self.shard.next_offset
        events = self.fleet.log[self.partition][at : at + most]
        records = [event.record(at + i) for i, event in enumerate(events)]
        chunk = Chunk(self.partition, records, at + len(records))
        decoded = self.decoder.decode(chunk)
        self.shard.apply(chunk, decoded, RULES, self.fleet.now)
        if self.shard.next_offset == len(self.fleet.log[self.partition]):
            self.shard.caught_up_seconds = self.fleet.now

    def flush(self, dies: Callable[[], bool]) -> None:
        """S4; `dies` is asked wherever a process may end."""
        sending = self.sender.prepare(RULES, IDLE)
        changed, known = shard_blobs(self.shard, self.known, encode)
        self.fleet.end_if(dies)
        written = {**self.blobs, **changed}
        self.blobs = {name: blob for name, blob in written.items() if blob is not None}
        self.known = known
        head = (0, self.shard.next_offset - 1, self.blobs)
        self.fleet.state.heads.setdefault(self.partition, {}).pop(self.id, None)
        self.fleet.state.heads[self.partition][self.id] = head
        for part in (sending.panes, (sending.progress,)):
            for draft in drafts_of(part, CARRIERS):
                self.fleet.end_if(dies)
                again = self.fleet.random.random() < 0.02
                self.fleet.panes.append([draft, draft] if again else [draft])
        self.fleet.end_if(dies)
        self.sender.confirm(sending)


class JudgeProcess:
    """Reads panes; what it has judged is a part of its snapshot, as its episodes would be."""

    def __init__(self, fleet: "Fleet") -> None:
        self.fleet = fleet
        self.judged: Counted = {}
        self.repeated: list[tuple[ModelKey, float]] = []
        self.judge = judge_with(self._note, changes=True)
        self.images = Images(self.judge, decode, RULES, IDLE)
        self.reader = Reader()
        self.positions: dict[int, int] = dict.fromkeys(range(CARRIERS), 0)
        self.known: Mapping[str, Any] = {}
        self.blobs: dict[str, bytes] = {}
        self.held: frozenset[int] = frozenset()

    def turn(self, most: int) -> None:
        """Read up to so many entries of each partition, and judge what can be."""
        entries = [entry for carrier in self.positions for entry in self._next(carrier, most)]
        sent, refused = self.reader.take(entries)
        assert not refused
        self.images.take(sent, self.fleet.now)
        ends = self.fleet.panes.ends()
        at_the_end = all(at == ends[carrier] for carrier, at in self.positions.items())
        self.images.missing(self.fleet.now, self.fleet.expected, at_the_end=at_the_end)
        self.check()
        self.judge.advance(self.images, self.fleet.now)
        self.check()
        assert not self.images.refused()
        self.held = self.images.to_hold(CARRIERS)

    def check(self) -> None:
        """Every prediction was judged, given up, or is open: at every moment."""
        for key, model in self.judge.models.items():
            told = self.judge.totals(key, self.images).predictions
            open_rows = self.images.open_rows(key)
            assert open_rows >= 0
            assert told == model.rows_judged + model.rows_unjudged + open_rows

    def snapshot(self) -> dict[str, bytes]:
        changed, self.known = image_blobs(self.images, self.known, encode)
        kept = {**self.blobs, **changed}
        self.blobs = {name: blob for name, blob in kept.items() if blob is not None}
        judge = {
            "judge": self.judge.state(),
            "positions": list(self.positions.items()),
            "reader": self.reader.state(),
            "judged": [[*key, at, rows, cells] for (key, at), (rows, cells) in self.judged.items()],
        }
        return {**self.blobs, "judge": encode(judge)}

    @classmethod
    def restored(cls, fleet: "Fleet", blobs: Mapping[str, bytes]) -> "JudgeProcess":
        process = cls(fleet)
        if not blobs:
            return process
        tree = decode(blobs["judge"])
        restore_images(process.images, blobs, decode)
        process.judge.restore(tree["judge"], process.images.newest_seconds())
        process.reader = Reader.from_state(tree["reader"])
        process.positions = dict(tree["positions"])
        process.judged = {
            (ModelKey(model, version), at): (rows, cells)
            for model, version, at, rows, cells in tree["judged"]
        }
        return process

    def _next(self, carrier: int, most: int) -> list[Entry]:
        if carrier in self.held:
            return []
        at = self.positions[carrier]
        entries = self.fleet.panes.entries[carrier][at : at + most]
        self.positions[carrier] = at + len(entries)
        return entries

    def _note(self, model: ModelJudge, pane: Pane, _: Any) -> None:
        place = (model.key, pane.start_seconds)
        if place in self.judged:
            self.repeated.append(place)
        self.judged[place] = (pane.rows, pane.summary.cells.tolist())


class Fleet:
    """One random schedule."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.random = random.Random(seed)
        self.rules = rules or Rules()
        self.now = T0
        self.log: dict[Partition, list[Event]] = {partition: [] for partition in INPUTS}
        self.state = State()
        self.panes = KeyedLogMemory(CARRIERS)
        self.workers: dict[Partition, Worker | None] = dict.fromkeys(INPUTS)
        self.zombies: list[Worker] = []
        self.dead_since: dict[Partition, float] = dict.fromkeys(INPUTS, T0)
        self.saved: dict[str, bytes] = {}
        self.judge = JudgeProcess(self)
        self.expected = frozenset(INPUTS)
        self.quiet_until: dict[tuple[Partition, ModelKey], float] = {}

    def end_if(self, dies: Callable[[], bool]) -> None:
        if dies():
            raise Killed

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.random.choice((0.5, 3.0, 10.0, 25.0))
            self._append()
            self._work()
            if self.random.random() < 0.6:
                self.judge.turn(self.random.choice((1, 5, 50)))
            if self.random.random() < 0.3:
                self.saved = self.judge.snapshot()
            if self.random.random() < 0.05:
                self.judge = JudgeProcess.restored(self, self.saved)

    def settle(self) -> None:
        """Nobody dies any more, nothing more is appended, and time goes on."""
        self.zombies.clear()
        for _ in range(14):
            self.now += 30.0
            for partition in INPUTS:
                worker = self.workers[partition] or self._acquire(partition)
                worker.read(1000)
                worker.flush(lambda: False)
            self.judge.turn(10_000)

    def recount(self) -> tuple[Counted, int]:
        """What S7 makes of the log, word by word: rows by model and start, and late rows."""
        counted: dict[tuple[ModelKey, float], list[Event]] = {}
        late = 0
        for log in self.log.values():
            newest: Counter[ModelKey] = Counter()
            for event in log:
                start = math.floor((T0 + event.at) / RULES.pane_seconds) * RULES.pane_seconds
                before = newest.get(event.model, -math.inf)
                if start + RULES.pane_seconds <= before - RULES.lateness_seconds:
                    late += 1
                else:
                    counted.setdefault((event.model, start), []).append(event)
                newest[event.model] = max(before, T0 + event.at)
        return {
            place: (len(e), _cells(place[0], place[1], e)) for place, e in counted.items()
        }, late

    def _append(self) -> None:
        for partition in INPUTS:
            for model in GIVEN:
                silent = self.quiet_until.get((partition, model), 0.0)
                if self.now < silent:
                    continue
                if self.random.random() < 0.03:
                    self.quiet_until[partition, model] = self.now + self.random.uniform(60.0, 900.0)
                for _ in range(self.random.choice((0, 0, 1, 3))):
                    ago = self.random.uniform(0.0, DISORDER)
                    at = self.now - T0 - ago
                    state = self.random.choice(("MA", "CA", "NY", None, "strange"))
                    self.log[partition].append(Event(at, None, state, model, at + ago, None, None))

    def _work(self) -> None:
        for partition in INPUTS:
            worker = self.workers[partition]
            if worker is None:
                dead_for = self.now - self.dead_since[partition]
                waits = dead_for < (1000.0 if self.rules.outages else 100.0)
                if waits and self.random.random() < (0.97 if self.rules.outages else 0.6):
                    continue
                worker = self._acquire(partition)
            if self.random.random() < 0.04:
                if self.random.random() < 0.7:
                    self.zombies.append(worker)
                worker = self._acquire(partition)
            self._turn(worker, 0.05 if self.rules.outages else 0.01)
        for zombie in list(self.zombies):
            if self.random.random() < 0.1:
                self.zombies.remove(zombie)
            elif self.random.random() < 0.5:
                self._turn(zombie, 0.05)

    def _turn(self, worker: Worker, death: float) -> None:
        try:
            worker.read(self.random.choice((0, 3, 20, 200)))
            if self.random.random() < 0.5:
                worker.flush(lambda: self.random.random() < death)
        except Killed:
            if worker in self.zombies:
                self.zombies.remove(worker)
            if self.workers[worker.partition] is worker:
                self.workers[worker.partition] = None
                self.dead_since[worker.partition] = self.now

    def _acquire(self, partition: Partition) -> Worker:
        """A first flush comes before the first record."""
        worker = self.workers[partition] = Worker(self, partition)
        worker.flush(lambda: False)
        return worker


def _cells(key: ModelKey, start: float, events: list[Event]) -> list[int]:
    """By one shard that is given exactly these rows."""
    shard = Shard(Partition("recount", 0), 0, T0)
    records = [event.record(i) for i, event in enumerate(events)]
    chunk = Chunk(shard.partition, records, len(records))
    endless = TimeRules(lateness_seconds=1e9)
    shard.apply(chunk, SCHEDULES.decoders[False].decode(chunk), endless, T0 + 1e6)
    (pane,) = shard.models[key].panes.values()
    assert pane.start_seconds == start
    return np.asarray(pane.summary.cells).tolist()
