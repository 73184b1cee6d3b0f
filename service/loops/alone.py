"""The program on one screen: poll, decode, count, judge, publish, checkpoint."""

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from service.clock import Clock
from service.errors import CheckpointFailed, RecoverableError
from service.ingest.source import Source
from service.loops.cadence import Cadence
from service.loops.journal import Journal
from service.loops.pickup import Given, NothingGiven, Pickup
from service.loops.placing import position_of, refuse_lost_state
from service.loops.routing import DeadLetters, Decoder
from service.loops.telling import Telling
from service.loops.vitals import CatchingUp, Checkpoints, Solitude, Timings, Watchdog
from service.loops.watching import Process, Watching
from service.monitor.counting.holding import too_far_ahead
from service.monitor.counting.shard import Shard, TimeRules
from service.monitor.judging.judge import Judge, newest_by_model
from service.state.episode_record import EpisodeLog, NoEpisodeRecord
from service.state.snapshot import encode_part
from service.state.store import Store
from service.values.records import Chunk, Partition, Turn, in_rounds

log = structlog.get_logger(__name__)


_OPEN_PANES = 6
"""Panes a model has open in a partition before they are judged ahead of the flush. Live there are
two or three; in a backlog hundreds would gather between two flushes."""


LEARNING_RECORDS = 250
"""So many records of a partition are read between two judgements while something is learned."""


class Loop:
    """One process that owns every partition (role `all`).

    Positions and counts move together: a chunk is applied to its shard, and the shard with its
    position is one value in one snapshot. What was not in the snapshot is read again after a crash.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every part by name
        self,
        *,
        source: Source,
        decoder: Decoder,
        judge: Judge,
        store: Store,
        dead_letters: DeadLetters,
        publish: Callable[["Loop"], None],
        clock: Clock,
        rules: TimeRules,
        cadence: Cadence,
        watchdog: Watchdog,
        solitude: Solitude,
        accept_lost_state: bool = False,
        episode_record: EpisodeLog | None = None,
        process: Process | None = None,
        given: Given | None = None,
    ) -> None:
        self.source = source
        self.decoder = decoder
        self.judge = judge
        self.store = store
        self.dead_letters = dead_letters
        self.clock = clock
        self.rules = rules
        self.cadence = cadence
        self.watchdog = watchdog
        self.solitude = solitude
        self.timings = Timings(clock)
        self.journal = Journal()
        self.checkpoints = Checkpoints()
        record = episode_record or NoEpisodeRecord()
        self.telling = Telling(judge.episodes, record, clock)
        self.pickup = Pickup(given or NothingGiven(), judge, clock)
        self.watching = Watching(judge, record, clock, process or Process())
        self.shards: dict[Partition, Shard] = {}
        self.owned: frozenset[Partition] = frozenset()
        self.left: frozenset[Partition] = frozenset()
        self.obstacle = ""
        self.absent: Mapping[str, str] = {}
        self._publish = publish
        self._accept_lost_state = accept_lost_state
        self._unplaced: frozenset[Partition] = frozenset()
        self._original: frozenset[Partition] = frozenset()
        self._restored = False
        self._catching_up = CatchingUp()
        self._in_touch = True
        self._changed = False
        self._next_flush = self._next_checkpoint = self._next_judge = clock.monotonic()

    @property
    def caught_up(self) -> bool:
        """False from a restart until all was read that the log held at the restart."""
        return self._catching_up.over

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set or the source is finished; leaves a checkpoint behind."""
        self.restore()
        while not stop.is_set() and not self.source.finished:
            self.turn()
        self._judge(self.clock.now(), to_the_end=self.source.finished)
        self.checkpoint(stops=True)
        self.telling.log()
        self._look_for_the_end()
        self._publish(self)

    def turn(self) -> None:
        """One round of the loop."""
        with self.timings.step("poll"):
            turn = self.source.poll(self.cadence.poll_seconds)
        self._in_touch, self.obstacle, self.absent = turn.in_touch, turn.obstacle, turn.absent
        self._follow(turn)
        applied = self._apply_all(turn.chunks)
        now = self.clock.monotonic()
        if now >= self._next_judge and self._holds_many_panes():
            self._judge(self.clock.now())
        if now >= self._next_flush:
            self._next_flush = now + self.cadence.flush_seconds
            self.flush()
            self._next_flush = now + self.cadence.until_flush(self.clock.monotonic() - now)
        if now >= self._next_checkpoint:
            self.checkpoint()
        self.watchdog.turned(applied, self._lag())

    def restore(self) -> None:
        """Take up the last snapshot, if there is one."""
        loaded = self.store.load()
        if loaded is None:
            return
        if loaded.fallbacks:
            self.checkpoints.fallbacks += loaded.fallbacks
            log.error("checkpoint_fallback", reason=loaded.reason)
        tree = loaded.tree
        self.judge.restore(tree["judge"], newest_by_model(tree["shards"]))
        now = self.clock.now()
        for state in tree["shards"]:
            shard = Shard.from_state(state, self.judge.plan, now)
            self.shards[shard.partition] = shard
        self.telling.restore(tree.get("episode_record", {}))
        self.watching.restore(tree.get("watching", {}))
        self.journal.restored(self.judge.models, len(self.shards))
        self._restored = True
        self._catching_up.needed = True

    def flush(self) -> None:
        """Judge what is closed and publish what is known."""
        now = self.clock.now()
        left = self.left_to_read()
        if self._in_touch:
            for partition in (p for p, records in left.items() if not records):
                self.shards[partition].caught_up_seconds = now
        self._let_go()
        self._judge(now)
        self.journal.forgotten(self.judge.forget(self.shards.values(), now))
        self._changed |= self.pickup.look(self.shards.values())
        self._keep_together({p for p, records in left.items() if records})
        self.telling.hear()
        if self._changed or self.telling.is_due:
            # A change that was seen must not be unseen by a crash: state first, then the page.
            self._changed = False
            self.checkpoint()
            self.telling.log()
        self._look_for_the_end()
        self._write_journal(left, now)
        with self.timings.step("publish"):
            self._publish(self)

    def checkpoint(self, *, stops: bool = False) -> None:
        """Write all state with its positions; a failure is counted and tried again.

        Without a position yet there is none: a snapshot of nothing would hide that state was lost.
        """
        self._next_checkpoint = self.clock.monotonic() + self.cadence.checkpoint_seconds
        if not self.owned or not self.shards:
            return
        begun = self.clock.monotonic()
        with self.timings.step("checkpoint"):
            try:
                self.store.save(self.state())
            except CheckpointFailed as error:
                self.checkpoints.failures += 1
                log.error("checkpoint_failed", error=str(error))  # noqa: TRY400 - the message says it
                return
        self.checkpoints.written(self.clock.now(), self.clock.monotonic() - begun)
        self.telling.saved()
        self.watching.saved(self.shards.values(), stops=stops)
        self.source.commit({p: s.next_offset for p, s in self.shards.items() if p in self.owned})

    def state(self) -> dict[str, Any]:
        """Everything, as a tree for a snapshot."""
        return {
            "judge": self.judge.state(encode_part),
            "shards": [shard.state() for shard in self.shards.values()],
            "episode_record": self.telling.state(),
            "watching": self.watching.state(),
        }

    def _apply_all(self, chunks: list[Chunk]) -> int:
        """What is learned holds from after the newest event that was read: so that a backlog is not
        over by then, it is read in small pieces as long as something is learned.
        """
        if not self.judge.is_learning:
            return sum(self._apply(chunk) for chunk in chunks)
        applied = 0
        for number, together in enumerate(in_rounds(chunks, LEARNING_RECORDS)):
            if number:
                self._judge(self.clock.now())
            applied += sum(self._apply(piece) for piece in together)
        return applied

    def _apply(self, chunk: Chunk) -> int:
        shard = self.shards[chunk.partition]
        with self.timings.step("decode"):
            decoded = self.decoder.decode(chunk)
        with self.timings.step("count"):
            out_of_time = shard.apply(chunk, decoded, self.rules, self.clock.now())
        self.judge.note_unknown(decoded.unknown_features)
        if decoded.rejects or out_of_time or chunk.skipped:
            refused = [*decoded.rejects, *out_of_time]
            self.journal.refused(chunk, refused, self.clock.monotonic())
            self.dead_letters.send(refused)
        return decoded.consumed

    def _judge(self, now_seconds: float, *, to_the_end: bool = False) -> None:
        with self.timings.step("judge"):
            transitions = self.judge.advance(
                self.shards.values(), now_seconds, to_the_end=to_the_end
            )
        self._next_judge = self.clock.monotonic() + self.cadence.backlog_judge_seconds
        self._changed |= bool(transitions)

    def _holds_many_panes(self) -> bool:
        counts = [len(m.panes) for shard in self.shards.values() for m in shard.models.values()]
        return sum(counts) > _OPEN_PANES * len(counts)

    def _let_go(self) -> None:
        """Partitions of deleted topics, and of topics that are read no longer, hold nobody up."""
        if self._in_touch:
            self.left = frozenset(self.shards) - self.owned - self.source.partitions()
        for partition in self.left:
            self.shards[partition].caught_up_seconds = math.inf

    def _keep_together(self, behind: set[Partition]) -> None:
        """Let partitions that are far ahead wait for the slowest one."""
        owned = [shard for p, shard in self.shards.items() if p in self.owned]
        self.source.hold(too_far_ahead(owned, behind & self.owned, self.rules.pane_seconds))

    def _write_journal(self, left: Mapping[Partition, int], now_seconds: float) -> None:
        self.journal.look(self.judge.models)
        self.journal.tell_refused(self.clock.monotonic())
        self.journal.ready(is_ready=self.caught_up)
        if self._in_touch:
            self.journal.progress(self.shards.values(), left, now_seconds)

    def _look_for_the_end(self) -> None:
        positions = {p: s.next_offset for p, s in self.shards.items() if p in self.owned}
        self._catching_up.look(self.owned, positions, self.source.ends() if self._restored else {})

    def left_to_read(self) -> dict[Partition, int]:
        """How many records are left in each partition whose end is known."""
        return {
            p: max(0, end - self.shards[p].next_offset)
            for p, end in self.source.ends().items()
            if p in self.shards
        }

    def _lag(self) -> int | None:
        return sum(self.left_to_read().values()) if self._in_touch else None

    def _follow(self, turn: Turn) -> None:
        """Take up the partitions that became ours. Shards of those that left stay in memory: if
        they come back, they go on from where they were.
        """
        self.journal.revoked(turn.revoked - turn.assigned)
        self.owned = (self.owned - turn.revoked) | turn.assigned
        self._unplaced = (self._unplaced - turn.revoked) | turn.assigned
        # Nothing is begun before we are alone: what another process has read would count twice.
        if self.solitude.lasts(self.owned, self.source.partitions()) and self._unplaced:
            try:
                self._place(self._unplaced)
            except RecoverableError as error:
                log.warning("cannot_place_partitions_yet", reason=str(error))

    def _place(self, partitions: frozenset[Partition]) -> None:
        """Say where partitions begin. What the source cannot place now, it assigns again."""
        fresh = frozenset(p for p in partitions if p not in self.shards)
        if not (self._restored or self._accept_lost_state or self.shards):
            refuse_lost_state(self.source, fresh)
        if not self.shards:
            self._original = self.source.partitions()
        positions = {p: position_of(p, self.shards, self._original) for p in sorted(partitions)}
        chosen = self.source.resume(positions)
        self._unplaced = frozenset()
        self.journal.placed(chosen, fresh)
        now = self.clock.now()
        for partition, position in sorted(chosen.items()):
            if partition in fresh:
                self.shards[partition] = Shard(partition, position, now)
            self.shards[partition].next_offset = position
            self.shards[partition].caught_up_seconds = -math.inf
        self._look_for_the_end()
        if fresh & chosen.keys():
            # Where a partition starts is decided once: before its first event it is on disk.
            self.checkpoint()
