"""How far logs were read: what is newer than that nobody here can know of."""

import math
from collections.abc import Iterable

from service.monitor.counting.counted import CountedPartition


def read_through_seconds(partitions: Iterable[CountedPartition], otherwise_seconds: float) -> float:
    """When every log had been read to its end; `otherwise_seconds` while one never was, NaN without
    any. Partitions that are read no longer do not count.
    """
    reached = [p.caught_up_seconds for p in partitions if p.caught_up_seconds != math.inf]
    if not reached:
        return math.nan
    return min(reached) if min(reached) > -math.inf else otherwise_seconds
