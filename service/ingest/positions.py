"""Where a partition begins: the start policy, and what to do when the log lost the position."""

from typing import Literal, NamedTuple

from service.errors import OffsetOutOfRange
from service.values.records import Partition

Start = Literal["latest", "earliest"] | float
"""First start of a partition; a number is seconds relative to now (-604800.0: a week back)."""

Recovery = Literal["stop", "earliest", "latest"]
"""What to do with a position that the log does not hold."""


class LogRange(NamedTuple):
    """What a partition holds: offsets `first` <= offset < `end`. Empty when they are equal."""

    first: int
    end: int

    def holds(self, position: int) -> bool:
        """Can reading go on here? The end itself counts: the next record will be there."""
        return self.first <= position <= self.end


def recover(partition: Partition, position: int, log: LogRange, recovery: Recovery) -> int:
    """Where to go on when `log` does not hold `position`.

    Raises:
        OffsetOutOfRange: the policy is to stop.
    """
    if recovery == "earliest":
        return log.first
    if recovery == "latest":
        return log.end
    raise OffsetOutOfRange(_explanation(partition, position, log))


def _explanation(partition: Partition, position: int, log: LogRange) -> str:
    where = f"partition {partition.number} of {partition.topic}"
    if position < log.first:
        what = (
            f"Records up to offset {log.first - 1} were deleted (retention) before they were read"
        )
    else:
        what = "The log is shorter than it was: the topic was recreated, or the file replaced"
    return (
        f"Cannot go on at offset {position} of {where}: it holds {log.first} to {log.end}. {what}. "
        "Set kafka.out_of_range to `earliest` to go on with what is there, or to `latest` to "
        "skip it; either leaves a gap that is counted"
    )
