"""Random schedules of whatever may happen to a state partition, and an oracle.

One partition holds two shards. Each is owned by the worker that opened it last; those before it
were killed, or go on as zombies. After every record that anybody appends or reads, others may act:
take a shard over, flush, tear, compact. An append can fail after any record, with or without the
record being there. The state of a shard is a function of its input's prefix, so the oracle is:

- what is recovered equals the state after `applied_through`, of an era that somebody began,
- and is never below the last flush that the owner knew to be complete.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NoReturn

from service.errors import RecoverableError, StateCorrupt
from service.state.shards import layout, recovery
from service.state.shards.recovery import Origin, ShardState
from service.state.shards.store import Flush, ShardStore
from service.state.shards.writer import ShardWriter
from service.values.keyed_log import Draft, Entry
from tests.unit.keyed_log_memory import FollowerMemory, KeyedLogMemory

SHARDS = ("predictions/0", "predictions/16")
ORIGIN = Origin("cluster", "topic-id")
FORMATS = range(1, 2)
DEPTH_MAX = 2
EVENTS_PER_PANE = 4


class Loss(AssertionError):
    """The rules lost or mixed up something."""


class Worker:
    """Who holds a shard, or believes so."""

    def __init__(self, number: int, writer: ShardWriter, start: int, state: ShardState) -> None:
        self.number = number
        self.writer = writer
        self.start = start
        self.era = state.era
        self.applied = state.applied_through
        self.applied_at_flush = self.applied
        self.flushed = dict(state.blobs)
        self.is_flushing = False


class Simulation:
    """One schedule. `trace` tells what happened, for whoever looks into a loss."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.trace: list[str] = []
        self.log = RestlessLog(self)
        self.store = ShardStore(self.log, ORIGIN.cluster_id)
        self.workers: dict[str, list[Worker]] = {shard: [] for shard in SHARDS}
        self.opened = dict.fromkeys(SHARDS, 0)
        self.floor: dict[str, tuple[int, int] | None] = dict.fromkeys(SHARDS)
        self.begun = {(shard, 0, 0) for shard in SHARDS}
        self.depth = 0

    def run(self, steps: int) -> None:
        """Raises Loss."""
        for _ in range(steps):
            self.act()
            for shard in SHARDS:
                self.look(shard)
        self.rest()

    def rest(self) -> None:
        """In a quiet time nothing is left but what one worker a shard needs."""
        self.depth = DEPTH_MAX
        needed = 0
        for shard in SHARDS:
            writer, state = self.store.open(shard, 0, ORIGIN.topic_id)
            era, applied = (state.era, state.applied_through) if state else (0, -1)
            self.store.flush([Flush(writer, {}, era, applied)])
            writer.confirm()
            self.store.flush([Flush(writer, {}, era, applied)])
            needed += len(self._keys_of(writer))
        self.log.compact(0)
        if len(self.log.entries[0]) != needed:
            self._lost(f"{len(self.log.entries[0])} records are there, {needed} are needed")

    def act(self) -> None:
        shard = self.random.choice(SHARDS)
        draw = self.random.random()
        if draw < 0.12 or not self.workers[shard]:
            self.take_over(shard)
        elif draw < 0.15:
            self.reset(shard)
        elif draw < 0.25:
            self.log.compact_some(keep_tombstones=self.depth > 0)
        elif draw < 0.5:
            self.random.choice(self.workers[shard]).applied += self.random.randrange(6)
        else:
            self.flush(shard)

    def meanwhile(self, share: float = 0.05) -> None:
        """Perhaps somebody acts between two records of somebody else."""
        if self.depth == DEPTH_MAX or self.random.random() > share:
            return
        self.depth += 1
        fuse, self.log.fuse = self.log.fuse, None
        self.act()
        self.log.fuse = fuse
        self.depth -= 1

    def stop(self) -> None:
        """Whoever acts is stopped for a while (SIGSTOP, a full disk, a slow collector)."""
        for _ in range(self.random.randrange(8)):
            self.meanwhile(share=0.7)

    def take_over(self, shard: str) -> None:
        """Somebody new opens the shard; who was there is killed, or does not know it yet."""
        number = self._succeed(shard)
        if self.random.random() < 0.2:
            self.stop()
        floor = self.floor[shard]
        try:
            writer, state = self.store.open(shard, 0, ORIGIN.topic_id)
        except RecoverableError:
            return
        except StateCorrupt as error:
            self._lost(f"{shard} cannot be opened: {error}")
        self.trace.append(f"{number} opens {shard} at {state and state.applied_through}")
        self.check(shard, state, floor)
        self._join(shard, number, writer, 0, state or ShardState({}, 0, -1))

    def reset(self, shard: str) -> None:
        """An operator gives up what was counted; the shard begins somewhere later."""
        number = self._succeed(shard)
        writer, state = self.store.reset(shard, 0, ORIGIN.topic_id)
        start = self.random.randrange(10)
        self.begun.add((shard, state.era, start))
        self.trace.append(f"{number} resets {shard} to era {state.era} from {start}")
        after = ShardState({}, state.era, start - 1)
        self._join(shard, number, writer, start, after)

    def flush(self, shard: str) -> None:
        """One worker flushes a shard or both of its shards; perhaps it fails somewhere."""
        others = SHARDS if self.random.random() < 0.3 else (shard,)
        flushing = [self.random.choice(self.workers[s]) for s in others if self.workers[s]]
        flushing = [worker for worker in flushing if not worker.is_flushing]
        if not flushing:
            return
        self.log.fuse = self.random.randrange(14) if self.random.random() < 0.35 else None
        self.trace.append(f"{[w.number for w in flushing]} flush, fuse {self.log.fuse}")
        for worker in flushing:
            worker.is_flushing = True
        try:
            after = [state_after(worker.start, worker.applied) for worker in flushing]
            self.store.flush([_flush(w, blobs) for w, blobs in zip(flushing, after, strict=True)])
        except RecoverableError:
            self._fail(flushing)
        else:
            self.trace.append(f"{[w.number for w in flushing]} flushed")
            for worker, blobs in zip(flushing, after, strict=True):
                worker.flushed = blobs
                worker.is_flushing = False
                self._acknowledge(worker)
        finally:
            self.log.fuse = None

    def look(self, shard: str) -> None:
        """What somebody would recover now who changes nothing."""
        reading = recovery.Reading([shard])
        reading.take(self.log.entries[0])
        found = recovery.recovered(reading.records[shard], ORIGIN, FORMATS)
        self.check(shard, found.state, self.floor[shard])

    def check(self, shard: str, state: ShardState | None, floor: tuple[int, int] | None) -> None:
        """The oracle."""
        if state is None:
            if floor is not None:
                self._lost(f"nothing is left of {shard}, acknowledged through {floor}")
            return
        start = int(state.blobs.get("core", b"0/").split(b"/")[0])
        if (shard, state.era, start) not in self.begun:
            self._lost(f"{shard} never began at {start} in era {state.era}")
        if state.blobs != state_after(start, state.applied_through):
            self._lost(f"{shard} is not what it was after {state.applied_through}: {state.blobs}")
        if floor is not None and (state.era, state.applied_through) < floor:
            self._lost(f"{shard} is back at {state.applied_through}, acknowledged: {floor}")

    def _succeed(self, shard: str) -> int:
        self.workers[shard] = [w for w in self.workers[shard] if self.random.random() < 0.75]
        self.opened[shard] += 1
        return self.opened[shard]

    def _join(
        self, shard: str, number: int, writer: ShardWriter, start: int, state: ShardState
    ) -> None:
        if state.blobs:
            start = int(state.blobs["core"].split(b"/")[0])
        self.workers[shard].append(Worker(number, writer, start, state))

    def _fail(self, flushing: Sequence[Worker]) -> None:
        """Whoever fails may go on trying: its writers refuse, and what it has is void."""
        for worker in flushing:
            worker.is_flushing = False
            if not worker.writer.is_spoiled:
                continue  # it was refused for the sake of another one
            self.trace.append(f"{worker.number} failed")
            if self.random.random() < 0.8 and worker in self.workers[worker.writer.shard]:
                self.workers[worker.writer.shard].remove(worker)

    def _acknowledge(self, worker: Worker) -> None:
        """The group accepts a commit from whoever was given the partition last; others fail."""
        shard = worker.writer.shard
        if worker.number == self.opened[shard]:
            reached = (worker.era, worker.applied_at_flush)
            self.floor[shard] = max(self.floor[shard] or reached, reached)
            if self.random.random() < 0.8:
                worker.writer.confirm()

    def _keys_of(self, writer: ShardWriter) -> set[bytes]:
        keys = {e.key for e in self.log.entries[0] if e.value is not None}
        return {key for key in keys if layout.decode_key(key).writer == writer.id}

    def _lost(self, why: str) -> NoReturn:
        raise Loss("\n".join([why, *self.trace]))


class RestlessLog(KeyedLogMemory):
    """A partition that others write to and that is compacted between any two records.

    `fuse` is after how many records an append fails, None: never.
    """

    def __init__(self, simulation: Simulation) -> None:
        super().__init__()
        self.fuse: int | None = None
        self._simulation = simulation

    def append(self, drafts: Sequence[Draft]) -> float:
        for draft in drafts:
            if self.fuse == 0:
                raise RecoverableError("the broker is gone")
            super().append([draft])
            if self.fuse is not None:
                self.fuse -= 1
            self._simulation.meanwhile()
        if self.fuse == 0:
            raise RecoverableError("the broker is gone, though all is there")
        return self.now_seconds

    def read(self, partition: int) -> Iterator[Entry]:
        end, at = self.ends()[partition], 0
        while True:
            there = [e for e in self.entries[partition] if at <= e.offset < end]
            if not there:
                break
            yield there[0]
            at = there[0].offset + 1
            self._simulation.meanwhile()

    def follow(self, positions: Mapping[int, int | None]) -> "RestlessFollower":
        starts = {p: self.firsts[p] if at is None else at for p, at in positions.items()}
        return RestlessFollower(self, starts, self._simulation)

    def compact_some(self, *, keep_tombstones: bool) -> None:
        """What a cleaner may have got to: any part of what is not the last of its key.

        Tombstones stay while somebody reads, as they do for delete.retention.ms.
        """
        random = self._simulation.random
        share = random.choice((0.3, 1.0))
        last = {entry.key: entry.offset for entry in self.entries[0]}
        kept: list[Entry] = []
        remaining = set()
        for entry in self.entries[0]:
            is_last = entry.offset == last[entry.key]
            can_go = entry.key not in remaining and not keep_tombstones if is_last else True
            if is_last and entry.value is not None:
                can_go = False
            if can_go and random.random() < share:
                continue
            remaining.add(entry.key)
            kept.append(entry)
        self.entries[0] = kept


class RestlessFollower(FollowerMemory):
    """Something may happen after every answer."""

    def __init__(self, log: RestlessLog, positions: dict[int, int], simulation: Simulation) -> None:
        super().__init__(log, positions)
        self._simulation = simulation

    def poll(self, timeout_seconds: float) -> list[Entry]:
        entries = super().poll(timeout_seconds)
        self._simulation.meanwhile()
        return entries

    def ends(self) -> dict[int, int]:
        ends = super().ends()
        self._simulation.meanwhile()
        return ends


def state_after(start: int, applied: int) -> dict[str, bytes]:
    """The blobs once events `start` to `applied` were counted: totals, two open panes, labels."""
    blobs = {"core": f"{start}/{applied}".encode()}
    newest = applied // EVENTS_PER_PANE
    for pane in (newest - 1, newest):
        first = max(start, pane * EVENTS_PER_PANE)
        events = range(first, min(applied, (pane + 1) * EVENTS_PER_PANE - 1) + 1)
        if events:
            blobs[f"pane/{pane}"] = ",".join(map(str, events)).encode()
    if applied >= start:
        blobs["labels"] = bytes(range(start % 200, start % 200 + min(40, applied - start)))
    return blobs


def _flush(worker: Worker, blobs: dict[str, bytes]) -> Flush:
    worker.applied_at_flush = worker.applied
    changed: dict[str, bytes | None] = dict.fromkeys(worker.flushed.keys() - blobs.keys())
    changed |= {name: blob for name, blob in blobs.items() if worker.flushed.get(name) != blob}
    return Flush(worker.writer, changed, worker.era, worker.applied)
