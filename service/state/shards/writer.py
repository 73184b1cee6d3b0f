"""What one acquisition of a shard writes: parts, a head, tombstones (rules S1, S2, S4)."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from uuid import uuid4

from msgspec import Struct

from service.errors import RecoverableError
from service.state.shards.layout import (
    HEAD,
    INDEX_INLINE_MAX_BYTES,
    NAME_MAX_CHARACTERS,
    PART_MAX_BYTES,
    BlobReference,
    Head,
    Key,
    PartReference,
    checksum,
    encode_head,
    encode_index,
    encode_key,
    encode_part,
)
from service.state.shards.recovery import Origin, Records, ShardState
from service.values.keyed_log import Draft

_Pieces = list[tuple[int, memoryview]]


class _Listed(Struct, frozen=True, gc=False):
    """A blob that is in the log."""

    parts: tuple[PartReference, ...]
    size_bytes: int


class FlushPlan(Struct, frozen=True):
    """One shard's part of a flush, and what is so once it is done."""

    pieces: _Pieces
    head: Head | None
    forgotten: list[bytes]
    listed: dict[str, _Listed]
    index_parts: tuple[PartReference, ...]


class ShardWriter:
    """Who writes a shard from its acquisition on; it writes nothing by itself.

    `opened_at` is the end of the partition when it was read: what it writes comes after that.
    `predecessors` are the writers that had left something there by then.
    """

    def __init__(
        self,
        partition: int,
        origin: Origin,
        records: Records,
        state: ShardState | None,
        opened_at: int,
    ) -> None:
        self.shard = records.shard
        self.partition = partition
        self.origin = origin
        self.id = uuid4().bytes
        self.opened_at = opened_at
        self.predecessors = frozenset(records.written)
        self.is_spoiled = False
        self._reached = (state.era, state.applied_through) if state else (0, -1)
        self._next_part = HEAD + 1
        self._listed: dict[str, _Listed] = {}
        self._index_parts: tuple[PartReference, ...] = ()
        self._inherited: Mapping[str, bytes] | None = dict(state.blobs) if state else {}
        self._keys_of_others = list(records.keys)
        self._is_confirmed = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the blobs that the last head lists, 0 before the first flush."""
        return sum(blob.size_bytes for blob in self._listed.values())

    @property
    def has_flushed(self) -> bool:
        """True once the shard is written under this writer's name."""
        return self._inherited is None

    def confirm(self) -> None:
        """Say that the shard was still ours after it was opened.

        From then on a flush removes what others left of it; without, nothing of theirs ever is. In
        a consumer group it is known when a commit that began after the opening has succeeded and
        the partition is still assigned. Whoever was stopped between being given a partition and
        reading its state would else remove what a successor has written by then.
        """
        self._is_confirmed = True

    def plan(
        self, changed: Mapping[str, bytes | None], reached: tuple[int, int], format_: int
    ) -> FlushPlan:
        """What to write so that the head says `reached` = (era, applied through).

        Blobs that are not named stay, None takes one away; bytes that are there already are not
        written again. Raises RecoverableError when a flush of it failed before; ValueError when it
        would go back, or a name is longer than NAME_MAX_CHARACTERS.
        """
        self._refuse(changed, reached)
        pieces: _Pieces = []
        listed = dict(self._listed)
        for name, blob in {**(self._inherited or {}), **changed}.items():
            if blob is None:
                listed.pop(name, None)
            else:
                listed[name] = self._placed(blob, listed.get(name), pieces)
        if self.has_flushed and listed == self._listed and reached == self._reached:
            return FlushPlan([], None, self._left_by_others(), listed, self._index_parts)
        index = encode_index(tuple(BlobReference(n, of.parts) for n, of in listed.items()))
        inline = len(index) <= INDEX_INLINE_MAX_BYTES
        index_parts = () if inline else self._placed(index, None, pieces).parts
        head = Head(
            format_,
            version("anchorwatch"),
            self.origin.cluster_id,
            self.origin.topic_id,
            *reached,
            index if inline else b"",
            index_parts,
        )
        return FlushPlan(pieces, head, self._forgotten(listed), listed, index_parts)

    def parts(self, plan: FlushPlan) -> Iterator[Draft]:
        """The first step. Bytes are copied as they are asked for."""
        for part, piece in plan.pieces:
            yield self._draft(part, encode_part(piece))

    def head(self, plan: FlushPlan) -> Iterator[Draft]:
        """The second step, once the parts are safe."""
        if plan.head is not None:
            yield self._draft(HEAD, encode_head(plan.head))

    def tombstones(self, plan: FlushPlan) -> Iterator[Draft]:
        """The third step, once the head is safe."""
        for key in plan.forgotten:
            yield Draft(self.partition, key, None)

    def done(self, plan: FlushPlan) -> None:
        """All three steps are."""
        self._listed, self._index_parts = plan.listed, plan.index_parts
        self._inherited = None
        if self._is_confirmed:
            self._keys_of_others = []
        if plan.head is not None:
            self._reached = (plan.head.era, plan.head.applied_through)

    def spoil(self) -> None:
        """What is in the log is not known any more: whoever has it must open the shard again."""
        self.is_spoiled = True

    def _refuse(self, changed: Mapping[str, bytes | None], reached: tuple[int, int]) -> None:
        if self.is_spoiled:
            raise RecoverableError(
                f"a flush of shard {self.shard} failed before: open it again and go on from there"
            )
        if reached < self._reached:
            raise ValueError(f"shard {self.shard} would go from {self._reached} back to {reached}")
        for name in changed:
            if len(name) > NAME_MAX_CHARACTERS:
                raise ValueError(f"a blob's name has {len(name)} characters: {name[:80]}...")

    def _placed(self, blob: bytes, before: _Listed | None, pieces: _Pieces) -> _Listed:
        """Where `blob` is: where it is already, or in new parts that are added to `pieces`."""
        view = memoryview(blob)
        cut = [view[at : at + PART_MAX_BYTES] for at in range(0, len(view), PART_MAX_BYTES)]
        checksums = [checksum(piece) for piece in cut]
        if before is not None and [part.checksum for part in before.parts] == checksums:
            return before
        first = self._next_part
        self._next_part += len(cut)
        pieces += enumerate(cut, first)
        parts = tuple(PartReference(part, of) for part, of in enumerate(checksums, first))
        return _Listed(parts, len(view))

    def _forgotten(self, listed: Mapping[str, _Listed]) -> list[bytes]:
        """Keys that nobody needs once the new head is safe."""
        before = {part.part for of in self._listed.values() for part in of.parts}
        before |= {part.part for part in self._index_parts}
        kept = {part.part for of in listed.values() for part in of.parts}
        return [*self._left_by_others(), *(self._key(part) for part in sorted(before - kept))]

    def _left_by_others(self) -> list[bytes]:
        return self._keys_of_others if self._is_confirmed else []

    def _draft(self, part: int, value: bytes) -> Draft:
        return Draft(self.partition, self._key(part), value)

    def _key(self, part: int) -> bytes:
        return encode_key(Key(self.shard, self.id, part))
