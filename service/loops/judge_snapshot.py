"""The judge's state as a shard of the state topic: written before anybody hears of what it holds.

Of several judges the one that took the shard over last goes on; the others find its head and stop.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

import structlog
from msgspec import Struct

from service.errors import FatalError, NotAlone, OffsetOutOfRange, StateCorrupt, StateLost
from service.monitor.counting.blobs import Piece, changed_blobs, of_others, short
from service.monitor.counting.image_blobs import PREFIX, image_blobs
from service.monitor.counting.images import Images
from service.state.shards.layout import HEAD, decode_head, decode_key
from service.state.shards.recovery import ShardState
from service.state.shards.store import Flush, ShardStore
from service.state.shards.writer import ShardWriter
from service.state.snapshot import decode, encode
from service.values.keyed_log import Entry, Follower, KeyedLog

log = structlog.get_logger(__name__)

SHARD = "judge"
CORE = "core"

WAY_OUT = (
    "Reset: anchorwatch run --role judge --accept-lost-state begins the judge anew. What its "
    "detectors have learned, its windows and the episodes that last are given up, and references "
    "that are not published; what workers have sent that is still in the topic of panes is judged "
    "again, and counters of models and topics come back by what workers tell"
)

_NONSENSE = (AttributeError, LookupError, TypeError, ValueError)
_MODEL = "model/"


class JudgeState(Struct, frozen=True):
    """What was written last: the tree that `save` was given, and the blobs of the images."""

    tree: dict[str, Any]
    images: Mapping[str, bytes]


class JudgeTopic(Struct, frozen=True):
    """Where the judge's state is. `panes_id` tells which topic its positions are in; it raises
    RecoverableError when no broker answers.
    """

    store: ShardStore
    log: KeyedLog
    panes_id: Callable[[], str]

    @property
    def partition(self) -> int:
        """The last one: where there are fewer input partitions, it is the judge's alone."""
        return self.log.partition_count - 1


class JudgeSnapshot:
    """First `open`, then `save` again and again. When that fails, the next one takes the shard over
    anew, and writes all of it.

    `accept_lost_state`: an operator has said that what is lost or damaged is given up.
    """

    def __init__(self, topic: JudgeTopic, *, accept_lost_state: bool = False) -> None:
        self._topic = topic
        self._accept_lost_state = accept_lost_state
        self._era = 0
        self._reached = -1
        self._writer: ShardWriter | None = None
        self._known: Mapping[str, Hashable] = {}
        self._rivals: _Rivals | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of the state in the topic."""
        return 0 if self._writer is None else self._writer.size_bytes

    def open(self) -> JudgeState | None:
        """Take over from the judge before, from the next `save` on; None where there was none.

        Raises StateCorrupt, StateLost and FormatTooNew for what an operator has to decide, and
        RecoverableError when no broker answers.
        """
        topic = self._topic
        writer, state, era = self._take_over()
        if self._writer is not None and era > self._era:
            raise _superseded()
        self._era, self._reached = max(self._era, era) + 1, -1
        self._writer = writer
        self._known = of_others(() if state is None else state.blobs)
        if self._rivals is not None:
            self._rivals.close()
        self._rivals = _Rivals(topic.log, topic.partition, writer, self._era)
        return None if state is None or CORE not in state.blobs else self._read(state.blobs)

    def give_up(self, why: FatalError) -> None:
        """Begin anew for that reason, where the operator has said so; else raise it, with what can
        be done.
        """
        if not self._accept_lost_state:
            raise type(why)(f"{why}. {WAY_OUT}") from why
        log.error("state_given_up", partition=SHARD, reason=str(why))

    def look(self) -> None:
        """Raises NotAlone once another judge has taken over, RecoverableError without an answer."""
        if self._rivals is None or self._writer is None or self._writer.is_spoiled:
            return
        try:
            if self._rivals.look():
                self._writer.confirm()
        except OffsetOutOfRange as error:
            log.error("state_lost_its_end", reason=str(error))  # noqa: TRY400 - the message says it
            self._writer.spoil()

    def save(self, tree: Mapping[str, Any], images: Images, positions: Mapping[int, int]) -> float:
        """Write all that has changed; the tree's `models` one by one. Returns the broker's clock.

        `tree` and `images` are of one moment, with all entries of the panes before `positions` in
        them. Raises as `look`.
        """
        if self._writer is None or self._writer.is_spoiled:
            self.open()
        self.look()
        ours = changed_blobs(_pieces(tree), _only(self._known, images=False))
        others = image_blobs(images, _only(self._known, images=True), encode)
        if self._writer is None:
            raise NotAlone("the judge's state is not open")
        changed = {**ours.changed, **others.changed}
        # It may not fall, though positions do where brokers lost the end of the panes.
        self._reached = reached = max(self._reached, sum(positions.values()))
        clock = self._topic.store.flush([Flush(self._writer, changed, self._era, reached)])
        self._known = {**ours.known, **others.known}
        return clock

    def close(self) -> None:
        """Read no more."""
        if self._rivals is not None:
            self._rivals.close()

    def _take_over(self) -> tuple[ShardWriter, ShardState | None, int]:
        """The writer, the state if there is one, and the highest era that was seen."""
        topic = self._topic
        try:
            writer, state = topic.store.open(SHARD, topic.partition, topic.panes_id())
        except (StateLost, StateCorrupt) as error:
            self.give_up(error)
            writer, empty = topic.store.reset(SHARD, topic.partition, topic.panes_id())
            return writer, None, empty.era - 1
        if state is None:
            return writer, None, 0
        for fault in state.passed_over:
            log.error("shard_passed_over", partition=SHARD, reason=fault)
        return writer, state, state.era

    def _read(self, blobs: Mapping[str, bytes]) -> JudgeState | None:
        images = {name: blob for name, blob in blobs.items() if name.startswith(PREFIX)}
        try:
            return JudgeState(_tree(blobs), images)
        except StateCorrupt as error:
            self.give_up(error)
        except _NONSENSE as error:
            self.give_up(StateCorrupt(f"the judge's state makes no sense: {error!r}"))
        return None


class _Rivals:
    """Other judges, by the heads that they wrote after we took the shard over."""

    def __init__(self, log_: KeyedLog, partition: int, writer: ShardWriter, era: int) -> None:
        self._follower: Follower = log_.follow({partition: writer.opened_at})
        self._writer = writer
        self._era = era
        self._older = set(writer.predecessors)
        self._is_written = False

    def look(self) -> bool:
        """Whether we have written, and nobody has taken over from us. Raises NotAlone."""
        for entry in self._follower.poll(0.0):
            self._judge_by(entry)
        return self._is_written

    def close(self) -> None:
        self._follower.close()

    def _judge_by(self, entry: Entry) -> None:
        key = decode_key(entry.key)
        if key is None or key.shard != SHARD or key.part != HEAD or entry.value is None:
            return
        if key.writer == self._writer.id:
            self._is_written = True
            return
        head = decode_head(entry.value)
        if head is None or head.era < self._era or key.writer in self._older:
            return
        # Of two that began at the same time, who wrote first gives way to who wrote later.
        if head.era > self._era or self._is_written:
            raise _superseded()
        self._older.add(key.writer)


def _superseded() -> NotAlone:
    return NotAlone(
        "another judge has taken over. One runs at a time, and the newer one goes on: leave this "
        "one stopped, or stop the other and start this one again"
    )


def _only(known: Mapping[str, Hashable], *, images: bool) -> dict[str, Hashable]:
    return {name: of for name, of in known.items() if name.startswith(PREFIX) is images}


def _pieces(tree: Mapping[str, Any]) -> Iterator[Piece]:
    judge = dict(tree["judge"])
    models = judge.pop("models")
    yield _piece(CORE, {**tree, "judge": judge})
    for number, model in enumerate(models):
        name = f"{_MODEL}{short(model['model'], model['version'])}"
        yield _piece(name, {"number": number, "state": model})


def _piece(name: str, tree: Any) -> Piece:
    data = encode(tree)
    return Piece(name, blake2b(data, digest_size=16).digest(), partial(bytes, data))


def _tree(blobs: Mapping[str, bytes]) -> dict[str, Any]:
    tree: dict[str, Any] = decode(blobs[CORE])
    models = [decode(blob) for name, blob in blobs.items() if name.startswith(_MODEL)]
    models.sort(key=lambda kept: kept["number"])
    tree["judge"]["models"] = [kept["state"] for kept in models]
    return tree
