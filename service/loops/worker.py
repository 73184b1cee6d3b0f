"""The worker on one screen: poll, decode, count; flush to the state topic, send to the judge."""

import math
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import structlog

from service.clock import BrokerClock
from service.errors import RecoverableError
from service.ingest.source import Source
from service.loops.cadence import Cadence
from service.loops.journal import Journal
from service.loops.routing import DeadLetters, Decoder
from service.loops.vitals import Checkpoints, KnownEnds, Timings, Watchdog
from service.loops.worker_shards import WorkerShards
from service.monitor.counting.shard import Shard, TimeRules
from service.values.records import Chunk, Partition, Turn
from service.values.streams import ModelKey

log = structlog.get_logger(__name__)

RETRY_SECONDS = (1.0, 30.0)
"""How long is waited before shards are opened again that could not be opened or written: so long
after the first failure, twice as long after each further one, at most so long."""

_SCHEDULES_EVERY_SECONDS = 1.0
_FLUSH_AGAIN_SECONDS = 1.0
"""A backlog fills the memory with panes; they are flushed early, but not all the time."""


class Schedules(Protocol):
    """By which plans rows are counted: what the judge decides."""

    def look(self) -> frozenset[ModelKey]:
        """Take up what has come; for which versions. Raises RecoverableError."""
        ...

    def was_taken_back(self, key: ModelKey) -> bool:
        """Whether the judge has forgotten a version."""
        ...

    def retain(self, held: Mapping[ModelKey, Collection[str]]) -> None:
        """Let go of what neither holds nor is of panes, by the hashes of their references."""
        ...


class WorkerLoop:
    """One of many: it owns the partitions that the group gives it, and judges nothing.

    What it counted is in the state topic before anybody hears of it. When that fails, it lets go
    of its shards and takes them up again as the topic has them: nothing is lost or counted twice.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every part by name
        self,
        *,
        source: Source,
        decoder: Decoder,
        shards: WorkerShards,
        schedules: Schedules,
        dead_letters: DeadLetters,
        publish: Callable[["WorkerLoop"], None],
        clock: BrokerClock,
        rules: TimeRules,
        cadence: Cadence,
        watchdog: Watchdog,
        session_seconds: float,
    ) -> None:
        self.source = source
        self.shards = shards
        self.clock = clock
        self.timings = Timings(clock)
        self.journal = Journal()
        self.checkpoints = Checkpoints()
        self.reloads = 0
        self.owned: frozenset[Partition] = frozenset()
        self.obstacle = ""
        self.absent: Mapping[str, str] = {}
        self._decoder = decoder
        self._schedules = schedules
        self._dead_letters = dead_letters
        self._publish = publish
        self._rules = rules
        self._cadence = cadence
        self._watchdog = watchdog
        self._session_seconds = session_seconds
        self._unplaced: frozenset[Partition] = frozenset()
        self._in_touch = True
        self._failures = 0
        now = clock.monotonic()
        self._turned = self._next_try = self._next_publish = self._next_schedules = now
        self._ends = KnownEnds(now)
        self._next_flush, self._flushed = now + cadence.checkpoint_seconds, now

    @property
    def is_placed(self) -> bool:
        """Whether all that is ours is being read."""
        return not self._unplaced

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; all that was counted is in the state topic then."""
        while not stop.is_set() and not self.source.finished:
            self.turn()
        if self._in_touch:
            self.flush()
        self._publish(self)

    def turn(self) -> None:
        """One round of the loop."""
        with self.timings.step("poll"):
            turn = self.source.poll(self._cadence.poll_seconds)
        self._in_touch, self.obstacle, self.absent = turn.in_touch, turn.obstacle, turn.absent
        self._doubt_after_a_standstill()
        self._ends.polled(self.clock.monotonic())
        flowing = {p: shard for p, shard in self.shards.open.items() if p not in turn.revoked}
        self._follow(turn)
        self.shards.confirm(turn.acknowledged)
        self._look_at_schedules()
        # What was read of a partition before it was taken up will be read again.
        chunks = [c for c in turn.chunks if c.partition in flowing]
        applied = sum(self._apply(c) for c in chunks if self._still(flowing, c.partition))
        now = self.clock.monotonic()
        early = now >= self._flushed + _FLUSH_AGAIN_SECONDS and self.shards.hold_many_panes
        if self._in_touch and (now >= self._next_flush or early):
            self.flush()
        if now >= self._next_publish:
            self._next_publish = now + self._cadence.flush_seconds
            self._tell()
        self._turned = self.clock.monotonic()
        self._watchdog.turned(applied, self._lag())

    def flush(self) -> None:
        """Write all shards with their positions, then send to the judge what that made final."""
        self._flushed = self.clock.monotonic()
        self._note_ends()
        is_written = self._written(frozenset(self.shards.open))
        took = self.clock.monotonic() - self._flushed
        self._next_flush = self._flushed + self._cadence.until_checkpoint(took)
        if is_written:
            self._failures = 0
            positions = {p: shard.next_offset for p, shard in self.shards.open.items()}
            self.source.commit({p: at for p, at in positions.items() if p in self.owned})

    def left_to_read(self) -> dict[Partition, int]:
        """How many records are left in each partition whose end is known."""
        return {
            p: max(0, end - self.shards.open[p].next_offset)
            for p, end in self.source.ends().items()
            if p in self.shards.open
        }

    def _still(self, flowing: Mapping[Partition, Shard], partition: Partition) -> bool:
        return self.shards.open.get(partition) is flowing[partition]

    def _apply(self, chunk: Chunk) -> int:
        shard = self.shards.open[chunk.partition]
        with self.timings.step("decode"):
            decoded = self._decoder.decode(chunk)
        with self.timings.step("count"):
            out_of_time = shard.apply(chunk, decoded, self._rules, self.clock.now())
        shard.note_unknown(decoded.unknown_features)
        if decoded.rejects or out_of_time or chunk.skipped:
            refused = [*decoded.rejects, *out_of_time]
            self.journal.refused(chunk, refused, self.clock.monotonic())
            self._dead_letters.send(refused)
        return decoded.consumed

    def _follow(self, turn: Turn) -> None:
        """Write what was taken from us, if that can be, and take up what is given."""
        gone = turn.revoked & self.shards.open.keys()
        if gone and self._in_touch:
            self._written(frozenset(gone))
        self.shards.drop(turn.revoked)
        self.journal.revoked(turn.revoked - turn.assigned)
        self.owned = (self.owned - turn.revoked) | turn.assigned
        self._unplaced = (self._unplaced - turn.revoked) | turn.assigned
        if turn.assigned:
            self._next_try = self.clock.monotonic()
        if self._unplaced and self.clock.monotonic() >= self._next_try:
            with self.timings.step("open"):
                self._place()

    def _place(self) -> None:
        """Take up shards where the state topic has them, and write them as ours before the first
        record: where a partition begins is decided once.
        """
        wanted = self._unplaced
        try:
            positions = self.shards.take(wanted)
            chosen = self.source.resume(positions)
            for partition, position in chosen.items():
                self.shards.begin(partition, position)
        except RecoverableError as error:
            self._let_go(wanted, "cannot_open_shards_yet", error)
            return
        self._unplaced -= chosen.keys()
        if self._written(frozenset(chosen)):
            self.source.commit(chosen)
            fresh = [p for p, at in positions.items() if at is None]
            self.journal.placed(chosen, fresh)

    def _written(self, partitions: frozenset[Partition]) -> bool:
        """Whether these shards could be written; else they are let go of."""
        if not partitions:
            return True
        begun = self.clock.monotonic()
        try:
            with self.timings.step("flush"):
                self.shards.flush(partitions)
        except RecoverableError as error:
            self.checkpoints.failures += 1
            self.reloads += 1
            self._let_go(partitions, "flush_failed", error)
            return False
        self.checkpoints.written(self.clock.now(), self.clock.monotonic() - begun)
        return True

    def _let_go(self, partitions: frozenset[Partition], event: str, why: Exception) -> None:
        """Drop shards, and take up those that are ours again after a while."""
        first, most = RETRY_SECONDS
        pause = min(most, first * 2.0 ** min(self._failures, 10))
        self._failures += 1
        log.warning(event, partitions=len(partitions), again_in_seconds=pause, reason=str(why))
        self._drop(partitions, pause)

    def _drop(self, partitions: frozenset[Partition], pause_seconds: float) -> None:
        self.shards.drop(partitions)
        self._unplaced |= partitions & self.owned
        self.source.hold(self._unplaced)
        self._next_try = self.clock.monotonic() + pause_seconds

    def _doubt_after_a_standstill(self) -> None:
        """A process that stood still for longer than its session has lost its partitions, and does
        not know it yet: the next polls will tell.
        """
        stood = self.clock.monotonic() - self._turned
        if stood > self._session_seconds + self._cadence.poll_seconds and self.shards.open:
            log.warning("stood_still", seconds=round(stood))
            self.reloads += 1
            self._drop(frozenset(self.shards.open), self._session_seconds / 2)

    def _look_at_schedules(self) -> None:
        now = self.clock.monotonic()
        if now < self._next_schedules or not self._in_touch:
            return
        self._next_schedules = now + _SCHEDULES_EVERY_SECONDS
        try:
            with self.timings.step("schedules"):
                changed = self._schedules.look()
        except RecoverableError as error:
            log.warning("cannot_read_schedules_yet", reason=str(error))
            return
        for key in sorted(changed):
            if self._schedules.was_taken_back(key):
                if self.shards.forget(key):
                    log.info("model_forgotten", model=key.model, model_version=key.version)
            else:
                log.info("schedule_taken_up", model=key.model, model_version=key.version)
        if changed:
            self._schedules.retain(self.shards.reference_hashes())

    def _note_ends(self) -> None:
        """Which logs were read to their ends by when: so models there may be idle."""
        if self._in_touch:
            then = self.clock.now() - self._ends.age_seconds(self.clock.monotonic())
            for partition, records in self.left_to_read().items():
                shard = self.shards.open[partition]
                if not records:
                    shard.caught_up_seconds = max(shard.caught_up_seconds, then)

    def _tell(self) -> None:
        self._note_ends()
        self.journal.tell_refused(self.clock.monotonic())
        self.journal.ready(is_ready=self.is_placed and bool(self.owned))
        if self._in_touch:
            shards = self.shards.open.values()
            self.journal.progress(shards, self.left_to_read(), self.clock.now())
        with self.timings.step("publish"):
            self._publish(self)

    def _lag(self) -> int | None:
        if not self._in_touch or self._unplaced:
            return None
        return sum(self.left_to_read().values())


def lag_seconds(newest_record_seconds: float, now_seconds: float) -> float:
    """How old the newest record is that was applied; NaN before any."""
    return math.nan if math.isnan(newest_record_seconds) else now_seconds - newest_record_seconds
