"""The shards that a worker owns: taken over from the state topic, written, sent to the judge."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import msgspec
import structlog
from msgspec import Struct

from service.clock import BrokerClock
from service.errors import RecoverableError, StateCorrupt, StateLost
from service.exchange.records import drafts_of
from service.ingest.source import Source
from service.loops.placing import is_added, refuse_lost_shards
from service.monitor.counting.blobs import (
    PlanUnknown,
    of_others,
    shard_blobs,
    shard_from_blobs,
)
from service.monitor.counting.model_shard import PlanByHash
from service.monitor.counting.sending import Sender, Sending
from service.monitor.counting.shard import Shard, TimeRules
from service.state.shards.recovery import ShardState
from service.state.shards.store import Flush, Opening, ShardStore
from service.state.shards.writer import ShardWriter
from service.state.snapshot import decode, encode
from service.values.exchange import Sent
from service.values.keyed_log import KeyedLog
from service.values.records import Partition
from service.values.streams import ModelKey

log = structlog.get_logger(__name__)

PANES_HELD_MAX = 30
"""Panes of a model and partition, on average, with which a flush comes early. Live there are a few;
in a backlog hundreds would gather between two flushes."""

BEGINNING = "beginning"
"""The blob that says how many partitions the topic had when this shard was begun."""

Taken = tuple[ShardWriter, ShardState | None]


class FleetTopics(Struct, frozen=True):
    """What a worker writes to, and what says which topic an input partition is of: `topic_id`
    raises RecoverableError when no broker answers.
    """

    store: ShardStore
    state_partitions: int
    panes: KeyedLog
    topic_id: Callable[[str], str]

    def opening(self, partition: Partition) -> Opening:
        """Where the shard of an input partition is."""
        number = partition.number % self.state_partitions
        return Opening(_name(partition), number, self.topic_id(partition.topic))


class _Owned(Struct):
    """A shard that has begun. `known` is what was written of it, `more` what is to be once."""

    writer: ShardWriter
    sender: Sender
    era: int
    known: Mapping[str, Hashable]
    more: Mapping[str, bytes]


class WorkerShards:
    """Owned shards by partition. For each: `take`, `begin`, then `flush` again and again; `drop` at
    any time. After a RecoverableError of `flush` its shards are to be dropped and taken anew: what
    was written of them is not known.
    """

    def __init__(
        self,
        *,
        topics: FleetTopics,
        source: Source,
        plan: PlanByHash,
        clock: BrokerClock,
        rules: TimeRules,
        idle_after_seconds: float,
        accept_lost_state: bool = False,
    ) -> None:
        self.open: dict[Partition, Shard] = {}
        self._topics = topics
        self._source = source
        self._plan = plan
        self._clock = clock
        self._rules = rules
        self._idle_after_seconds = idle_after_seconds
        self._accept_lost_state = accept_lost_state
        self._taken: dict[Partition, Taken] = {}
        self._owned: dict[Partition, _Owned] = {}

    @property
    def size_bytes(self) -> int:
        """Bytes of the owned shards in the state topic."""
        return sum(owned.writer.size_bytes for owned in self._owned.values())

    @property
    def hold_many_panes(self) -> bool:
        """Whether so many panes are open that they had better be written and sent soon."""
        counts = [len(m.panes) for shard in self.open.values() for m in shard.models.values()]
        return sum(counts) > PANES_HELD_MAX * len(counts)

    def take(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        """Take shards over from whoever had them; where each goes on, None where the start policy
        says.

        Raises StateLost and StateCorrupt for what an operator has to decide, FormatTooNew and
        FormatTooOld, and RecoverableError when no broker answers.
        """
        wanted = sorted(partitions)
        taken = dict(zip(wanted, self._open(wanted), strict=True))
        self._taken |= taken
        topics = {p.topic for p, (_, state) in taken.items() if state is None}
        asked = frozenset(p for p in self._source.partitions() if p.topic in topics)
        committed = self._source.committed(asked).keys()
        return {p: self._position(p, state, committed) for p, (_, state) in taken.items()}

    def begin(self, partition: Partition, position: int) -> None:
        """Go on at `position`, with what was counted before it. Raises StateCorrupt, FormatTooNew,
        or RecoverableError where a reference that panes were counted by is not there yet.
        """
        writer, state = self._taken.pop(partition)
        now = self._clock.now()
        if state is None or not state.blobs:
            era = 0 if state is None else state.era
            shard = Shard(partition, position, now)
            shard.counted_since_era = era
            known, more = of_others(()), {BEGINNING: _beginning(self._source, partition)}
        else:
            # Where the log is shorter than what was counted (and the policy is to go on), it is
            # another log from there on: what is counted of it may not be taken for what was before.
            era = state.era + (position <= state.applied_through)
            shard, more = self._restored(partition, position, state, now), {}
            known = of_others(state.blobs.keys() - {BEGINNING})
        self.open[partition] = shard
        self._owned[partition] = _Owned(
            writer, Sender(shard, writer.id, era, encode), era, known, more
        )

    def confirm(self, partitions: Iterable[Partition]) -> None:
        """The group has said that these were still ours after they were begun."""
        for partition in partitions:
            if partition in self._owned:
                self._owned[partition].writer.confirm()

    def flush(self, partitions: Iterable[Partition]) -> None:
        """Write these shards; then send what that made final to the judge.

        Raises RecoverableError.
        """
        owned = [self._owned[p] for p in sorted(partitions)]
        sendings = [o.sender.prepare(self._rules, self._idle_after_seconds) for o in owned]
        blobs = [shard_blobs(o.sender.shard, o.known, encode) for o in owned]
        changes = [
            Flush(o.writer, {**o.more, **b.changed}, o.era, o.sender.shard.next_offset - 1)
            for o, b in zip(owned, blobs, strict=True)
        ]
        self._clock.heard(self._topics.store.flush(changes))
        self._send(sendings)
        for o, b, sending in zip(owned, blobs, sendings, strict=True):
            o.known, o.more = b.known, {}
            o.sender.confirm(sending)

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Let go of shards, as they are in the topic."""
        for partition in list(partitions):
            self._taken.pop(partition, None)
            self._owned.pop(partition, None)
            self.open.pop(partition, None)

    def reference_hashes(self) -> dict[ModelKey, set[str]]:
        """By which references the panes of each model version were counted that are open here."""
        hashes: dict[ModelKey, set[str]] = {}
        for shard in self.open.values():
            for key, model in shard.models.items():
                hashes.setdefault(key, set()).update(of.reference_hash for of in model.panes)
        return hashes

    def forget(self, key: ModelKey) -> bool:
        """Let go of a model version that the judge has forgotten, where it is silent here too;
        whether it was anywhere.
        """
        after = self._rules.forget_after_seconds
        silent = [
            shard
            for shard in self.open.values()
            if key in shard.models
            and shard.caught_up_seconds >= shard.models[key].last_seen_seconds + after
        ]
        for shard in silent:
            shard.forget(key)
        return bool(silent)

    def _open(self, wanted: Sequence[Partition]) -> list[Taken]:
        openings = [self._topics.opening(partition) for partition in wanted]
        if not self._accept_lost_state:
            try:
                taken = self._topics.store.open_all(openings)
            except (StateLost, StateCorrupt) as error:
                raise type(error)(f"{error}. Reset: {_RESET}") from error
            fresh = [p for p, (_, state) in zip(wanted, taken, strict=True) if state is None]
            refuse_lost_shards(self._source, frozenset(fresh), _RESET)
            return taken
        return [self._open_or_reset(p, o) for p, o in zip(wanted, openings, strict=True)]

    def _open_or_reset(self, partition: Partition, opening: Opening) -> Taken:
        """The era of a reset is above all that the judge may have heard of, whatever is left."""
        store = self._topics.store
        try:
            writer, state = store.open_all([opening])[0]
            if state is not None or not self._source.committed(frozenset({partition})):
                return writer, state
            reason = "the state topic has nothing of it"
        except (StateLost, StateCorrupt) as error:
            reason = str(error)
        log.error("state_given_up", partition=opening.shard, reason=reason)
        era_known = int(self._clock.now())
        return store.reset(opening.shard, opening.partition, opening.topic_id, era_known)

    def _position(
        self, partition: Partition, state: ShardState | None, committed: Iterable[Partition]
    ) -> int | None:
        if state is None:
            return 0 if is_added(partition, committed, self._begun_with) else None
        return state.applied_through + 1 if state.blobs else None

    def _restored(
        self, partition: Partition, position: int, state: ShardState, now_seconds: float
    ) -> Shard:
        for fault in state.passed_over:
            log.error("shard_passed_over", partition=_name(partition), reason=fault)
        blobs = {name: blob for name, blob in state.blobs.items() if name != BEGINNING}
        try:
            return shard_from_blobs(partition, position, blobs, self._plan, decode, now_seconds)
        except PlanUnknown as error:
            raise RecoverableError(
                f"{_name(partition)} has panes that were counted by reference {error}, which is "
                "found nowhere: bring it back into the registry or the directory of references"
            ) from error

    def _send(self, sendings: Iterable[Sending]) -> None:
        count = self._topics.panes.partition_count
        sent: list[Sent] = []
        for sending in sendings:
            sent += [*sending.panes, sending.progress]
        self._clock.heard(self._topics.panes.append(drafts_of(sent, count)))

    def _begun_with(self, partition: Partition) -> int | None:
        """How many partitions the topic had when the shard of `partition` was begun."""
        try:
            _, state = self._topics.store.open_all([self._topics.opening(partition)])[0]
        except (StateLost, StateCorrupt):
            return None  # another one tells, or nobody; it is named where it is taken over
        blob = None if state is None else state.blobs.get(BEGINNING)
        return None if blob is None else int(msgspec.msgpack.decode(blob))


_RESET = "anchorwatch run --accept-lost-state gives up what was counted of it"


def _beginning(source: Source, partition: Partition) -> bytes:
    known = sum(p.topic == partition.topic for p in source.partitions())
    return msgspec.msgpack.encode(max(known, partition.number + 1))


def _name(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
