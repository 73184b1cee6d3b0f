"""The judge's reading of the topic of panes: from positions that it keeps, into its images."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from service.errors import OffsetOutOfRange
from service.exchange.reader import Reader
from service.monitor.counting.images import Images
from service.values.exchange import BadRecord
from service.values.keyed_log import Follower, KeyedLog
from service.values.records import Partition

log = structlog.get_logger(__name__)


class PaneStream:
    """All partitions of the topic, in no group. `ends` are the ends of the log when last asked.

    `lost_total` are entries that retention deleted before they were read, `gaps_total` how often
    that was; `refused_totals` are entries that could not be understood, by reason.
    """

    def __init__(self, panes: KeyedLog, images: Images) -> None:
        self.ends: Mapping[int, int] = {}
        self.refused_totals: dict[str, int] = {}
        self.lost_total = 0
        self.gaps_total = 0
        self._panes = panes
        self._images = images
        self._reader = Reader()
        self._follower: Follower | None = None
        self._held: frozenset[int] = frozenset()

    @property
    def topic(self) -> str:
        """Its name."""
        return self._panes.topic

    @property
    def partition_count(self) -> int:
        """How many it has."""
        return self._panes.partition_count

    @property
    def is_open(self) -> bool:
        """Whether it was started."""
        return self._follower is not None

    @property
    def positions(self) -> dict[int, int]:
        """The offset of the next entry of each partition; empty before the start."""
        return {} if self._follower is None else dict(self._follower.positions)

    @property
    def at_the_end(self) -> bool:
        """Whether all was read that there was when the ends were last asked for."""
        positions = self.positions
        return bool(self.ends) and all(
            positions[number] >= end
            for number, end in self.ends.items()
            if number not in self._held
        )

    @property
    def lag(self) -> int:
        """Entries that could be read and were not, as of the ends when last asked for."""
        positions = self.positions
        return sum(
            max(0, end - positions.get(number, end))
            for number, end in self.ends.items()
            if number not in self._held
        )

    def named(self, number: int) -> Partition:
        """A partition of the topic, by its name."""
        return Partition(self.topic, number)

    def start(self, kept: Mapping[str, Any] | None) -> None:
        """Go on from what `state` was, None = from the first entry there is.

        Raises RecoverableError.
        """
        positions: dict[int, int | None] = dict.fromkeys(range(self.partition_count))
        if kept is not None:
            positions |= {int(number): at for number, at in kept["positions"].items()}
            self._reader = Reader.from_state(kept["reader"])
        self._follower = self._panes.follow(positions)

    def state(self) -> dict[str, Any]:
        """Positions, and the pieces of what is not whole yet. The images are of this moment."""
        positions = {str(number): at for number, at in self.positions.items()}
        return {"positions": positions, "reader": self._reader.state()}

    def read(self, timeout_seconds: float, now_seconds: float) -> int:
        """Put what has come into the images; how many entries. Raises RecoverableError."""
        if self._follower is None:
            return 0
        try:
            entries = self._follower.poll(timeout_seconds)
        except OffsetOutOfRange:
            self._pass_over()
            return 0
        sent, refused = self._reader.take(entries)
        self._images.take(sent, now_seconds)
        self._note_refused([*refused, *self._images.refused()])
        return len(entries)

    def look(self) -> None:
        """Ask for the ends. Raises RecoverableError."""
        if self._follower is not None:
            self.ends = dict(self._follower.ends())

    def keep_together(self) -> None:
        """Let partitions wait that are far ahead of the slowest one."""
        held = self._images.to_hold(self.partition_count)
        if held != self._held and self._follower is not None:
            self._held = held
            self._follower.hold(held)

    def close(self) -> None:
        """Read no more."""
        if self._follower is not None:
            self._follower.close()

    def _pass_over(self) -> None:
        """Retention has deleted what was not read: a gap, which is counted and told."""
        known = self.positions
        self.close()
        first = self._panes.follow(dict.fromkeys(known))
        firsts, ends = dict(first.positions), first.ends()
        first.close()
        for number, at in sorted(known.items()):
            if firsts[number] <= at <= ends[number]:
                continue
            gap = max(0, firsts[number] - at)
            self.lost_total += gap
            self.gaps_total += 1
            known[number] = firsts[number]
            log.error(
                "panes_lost",
                topic=self.topic,
                partition=number,
                position=at,
                records=gap,
                continued_at=known[number],
            )
        self._follower = self._panes.follow(known)
        self._follower.hold(self._held)

    def _note_refused(self, refused: Sequence[BadRecord]) -> None:
        for bad in refused:
            reason = bad.reason.value
            self.refused_totals[reason] = self.refused_totals.get(reason, 0) + 1
            log.warning(
                "pane_record_refused",
                topic=self.topic,
                partition=bad.partition,
                offset=bad.offset,
                reason=reason,
                detail=bad.detail,
            )
