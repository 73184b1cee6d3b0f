"""What crosses from workers to the judge: panes, and how far a partition was counted."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from msgspec import Struct

from service.values.records import Partition
from service.values.streams import ModelKey

Encode = Callable[[Any], bytes]
"""A tree of plain values and arrays as bytes; raises TypeError for anything else."""

Decode = Callable[[bytes], Any]
"""The tree again; raises StateCorrupt or FormatTooNew."""


class Stamp(Struct, frozen=True):
    """Who sent something, and what of the partition was in it.

    `writer` is new for each acquisition of a partition. `applied_through` is the offset of the last
    record that was counted; `era` is raised by an operator's reset alone.
    """

    writer: bytes
    era: int
    applied_through: int

    @property
    def reached(self) -> tuple[int, int]:
        """How far: the order of all that was ever sent of a partition."""
        return self.era, self.applied_through


class SentPane(Struct, frozen=True):
    """A pane of one partition. An `early` one may still grow where it was counted.

    `counts_hash` is of its counts alone, which are the same however often the log is read;
    `body` has all of the pane, encoded.
    """

    partition: Partition
    model: ModelKey
    start_seconds: float
    pane_seconds: float
    reference_hash: str
    early: bool
    stamp: Stamp
    rows: int
    counts_hash: bytes
    body: bytes

    @property
    def end_seconds(self) -> float:
        """The end of the pane (epoch seconds)."""
        return self.start_seconds + self.pane_seconds


class SentProgress(Struct, frozen=True):
    """How far a partition was counted, and what came out of it: always sent after its panes."""

    partition: Partition
    stamp: Stamp
    body: bytes


Sent = SentPane | SentProgress


class Unreadable(StrEnum):
    """Why a record of the topic of panes was refused; the label `reason`.

    TOO_NEW: a newer version wrote it. MALFORMED: it is none of ours. TOO_LARGE: beyond our bounds.
    CHECKSUM: its pieces do not make what was sent. INCOMPLETE: pieces of it never came.
    BODY: it came whole, and what is in it makes no sense.
    """

    TOO_NEW = "too_new"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    CHECKSUM = "checksum"
    INCOMPLETE = "incomplete"
    BODY = "body"


class BadRecord(Struct, frozen=True):
    """One refused record. `partition` and `offset` are those of the topic of panes, -1 where it is
    not known any more; `detail` is for a person.
    """

    partition: int
    offset: int
    reason: Unreadable
    detail: str
