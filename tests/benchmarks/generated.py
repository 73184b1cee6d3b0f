"""A source without a broker: events of some models, made as fast as they are asked for."""

from collections.abc import Mapping

from service.values.records import Chunk, Partition, Turn
from tests.benchmarks.events import ModelEvents, interleaved

PARTITIONS = 6


class GeneratedSource:
    """A `Source` over six partitions whose event time runs at `per_second` events of each model.

    Every poll brings about `records_max` records, spread over all partitions and the same span of
    time. It is finished when event time comes to `end_seconds`.
    """

    out_of_range_total = 0

    def __init__(
        self,
        models: list[ModelEvents],
        per_second: float,
        start_seconds: float,
        end_seconds: float,
        records_max: int = 5000,
    ) -> None:
        self.models = models
        self.time_seconds = start_seconds
        self.end_seconds = end_seconds
        self.made = 0
        self._share = max(1, round(records_max / len(models) / PARTITIONS))
        self._span = self._share * PARTITIONS / per_second
        self._partitions = [Partition("predictions", number) for number in range(PARTITIONS)]
        self._ends = dict.fromkeys(self._partitions, 0)
        self._assigned = frozenset(self._partitions)

    def go_live(self) -> None:
        """From now on a poll brings a second of event time, an event a model and partition."""
        self._share, self._span = 1, 1.0

    def poll(self, timeout_seconds: float) -> Turn:
        """The next span of time; only the partitions before they were resumed."""
        if self._assigned:
            assigned, self._assigned = self._assigned, frozenset()
            return Turn([], assigned)
        start, self.time_seconds = self.time_seconds, self.time_seconds + self._span
        chunks = [self._chunk(p, start, self.time_seconds) for p in self._partitions]
        return Turn(chunks)

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Everything begins at 0."""
        return dict.fromkeys(positions, 0)

    def hold(self, partitions: frozenset[Partition]) -> None:
        """All partitions are read in step anyway."""

    def partitions(self) -> frozenset[Partition]:
        """All six."""
        return frozenset(self._partitions)

    def ends(self) -> dict[Partition, int]:
        """Always a little ahead: no partition is ever idle."""
        return {partition: end + 1 for partition, end in self._ends.items()}

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:
        """Nothing: the group is new."""
        return {}

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody asks."""

    @property
    def finished(self) -> bool:
        """Whether the last span was handed over."""
        return self.time_seconds >= self.end_seconds

    def close(self) -> None:
        """Nothing to leave."""

    def _chunk(self, partition: Partition, start: float, end: float) -> Chunk:
        first = self._ends[partition]
        records = interleaved(self.models, self._share, first, start, end)
        self._ends[partition] = first + len(records)
        self.made += len(records)
        return Chunk(partition, records, self._ends[partition])
