"""Reads what workers sent: joins pieces, and turns away what is broken without stopping."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from service.exchange.records import (
    Name,
    PaneName,
    Refused,
    Value,
    checksum,
    key_of,
    partition_of,
    pieces_of,
    value_of,
)
from service.values.exchange import BadRecord, Sent, SentPane, SentProgress, Stamp, Unreadable
from service.values.keyed_log import Entry
from service.values.records import Partition
from service.values.streams import ModelKey

WAITING_MAX_BYTES = 256 * 2**20
"""Of pieces that wait for others; the oldest are given up beyond."""


class _Whole(Struct, frozen=True):
    """What pieces are of. Two writers may send the same pane: their pieces stay apart."""

    name: Name
    stamp: Stamp
    checksum: bytes
    pieces: int
    body_bytes: int


class Reader:
    """Entries of the topic of panes in, what workers sent out.

    Pieces that wait for others are part of the state, since the entries before them are behind us.
    """

    def __init__(self) -> None:
        self._waiting: dict[_Whole, dict[int, Entry]] = {}
        self._waiting_bytes = 0

    def take(self, entries: Iterable[Entry]) -> tuple[list[Sent], list[BadRecord]]:
        """What is whole now, in the order of the entries, and what was refused. Never raises."""
        sent: list[Sent] = []
        refused: list[BadRecord] = []
        for entry in entries:
            try:
                whole = self._join(entry)
            except Refused as why:
                refused.append(BadRecord(entry.partition, entry.offset, why.reason, str(why)))
                continue
            if whole is not None:
                sent.append(whole)
            if isinstance(whole, SentProgress):
                refused += self._give_up_before(whole)
        refused += self._give_up_surplus()
        return sent, refused

    def state(self) -> list[list[Any]]:
        """The pieces that wait, as plain values for a snapshot."""
        return [
            [entry.partition, entry.offset, entry.append_seconds, entry.key, entry.value]
            for pieces in self._waiting.values()
            for entry in pieces.values()
        ]

    @classmethod
    def from_state(cls, state: list[list[Any]]) -> "Reader":
        """The reader that `state` was taken of."""
        reader = cls()
        reader.take(Entry(*fields) for fields in state)
        return reader

    def _join(self, entry: Entry) -> Sent | None:
        key, value = key_of(entry.key), value_of(entry.value)
        if value.pieces != pieces_of(value.body_bytes) or key.piece >= value.pieces:
            what = f"piece {key.piece} of {value.pieces} of {value.body_bytes} bytes"
            raise Refused(Unreadable.MALFORMED, what)
        if value.pieces == 1:
            return _sent(key.name, value, value.piece)
        whole = _Whole(key.name, value.stamp, value.checksum, value.pieces, value.body_bytes)
        pieces = self._waiting.setdefault(whole, {})
        if key.piece not in pieces:
            pieces[key.piece] = entry
            self._waiting_bytes += _size(entry)
        if len(pieces) < value.pieces:
            return None
        self._give_up(whole)
        body = b"".join(value_of(pieces[i].value).piece for i in range(value.pieces))
        return _sent(key.name, value, body)

    def _give_up_before(self, progress: SentProgress) -> list[BadRecord]:
        """A writer's pieces come before its progress: what is not whole by then will never be.

        Pieces of another writer that was overtaken are no fault: it ended while it sent them.
        """
        refused = []
        for whole, pieces in list(self._waiting.items()):
            if partition_of(whole.name) != progress.partition:
                continue
            if whole.stamp.writer == progress.stamp.writer:
                refused.append(_incomplete(whole, pieces))
            elif whole.stamp.reached > progress.stamp.reached:
                continue
            self._give_up(whole)
        return refused

    def _give_up_surplus(self) -> list[BadRecord]:
        refused = []
        while self._waiting_bytes > WAITING_MAX_BYTES:
            whole, pieces = next(iter(self._waiting.items()))
            refused.append(_incomplete(whole, pieces))
            self._give_up(whole)
        return refused

    def _give_up(self, whole: _Whole) -> None:
        pieces = self._waiting.pop(whole)
        self._waiting_bytes -= sum(_size(entry) for entry in pieces.values())


def _sent(name: Name, value: Value, body: bytes) -> Sent:
    if len(body) != value.body_bytes or checksum(body) != value.checksum:
        raise Refused(Unreadable.CHECKSUM, "its pieces do not make what was sent")
    partition: Partition = partition_of(name)
    if not isinstance(name, PaneName):
        return SentProgress(partition, value.stamp, body)
    return SentPane(
        partition=partition,
        model=ModelKey(name.model, name.version),
        start_seconds=name.start_seconds,
        pane_seconds=name.pane_seconds,
        reference_hash=name.reference_hash,
        early=name.early,
        stamp=value.stamp,
        rows=value.rows,
        counts_hash=value.counts_hash,
        body=body,
    )


def _incomplete(whole: _Whole, pieces: dict[int, Entry]) -> BadRecord:
    last = max(pieces.values(), key=lambda entry: entry.offset)
    detail = f"{len(pieces)} of {whole.pieces} pieces came"
    return BadRecord(last.partition, last.offset, Unreadable.INCOMPLETE, detail)


def _size(entry: Entry) -> int:
    return len(entry.key) + len(entry.value or b"")
