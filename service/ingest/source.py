"""The port that events come in by: Kafka, files, memory and the demo, one shared suite."""

from collections.abc import Mapping
from typing import Protocol

from service.values.records import Partition, Turn


class Source(Protocol):
    """Records by partition, from positions that the caller keeps.

    A source remembers nothing between runs: `resume` says where each partition begins, and the
    position lives in the caller's snapshot. A *position* is the offset of the next record to read.
    """

    def poll(self, timeout_seconds: float) -> Turn:
        """Records that are there, or wait up to `timeout_seconds` for some."""
        ...

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Begin (or go on with) partitions at positions, None = by the configured start policy.

        Returns the positions chosen. Raises OffsetOutOfRange when the log does not hold a position
        and the policy is to stop.
        """
        ...

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Read none of these now and all others; each call replaces the one before.

        `resume` lets a partition go. A source that reads in one order anyway may not care.
        """
        ...

    def partitions(self) -> frozenset[Partition]:
        """Every partition of the subscribed topics, whoever owns it."""
        ...

    def ends(self) -> dict[Partition, int]:
        """For each owned partition the offset after its last record, as known now."""
        ...

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:
        """Positions that the group committed (advisory); partitions without one are left out."""
        ...

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell lag tools and autoscalers where we are. Never raises: positions are advisory."""
        ...

    @property
    def out_of_range_total(self) -> int:
        """How often the log did not hold the position to go on from."""
        ...

    @property
    def finished(self) -> bool:
        """True when there will never be another record (files read to the end)."""
        ...

    def close(self) -> None:
        """Leave the group, close files."""
        ...
