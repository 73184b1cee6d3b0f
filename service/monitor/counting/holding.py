"""Which partitions wait for the slowest, so that a backlog does not hoard panes (`hold`)."""

import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from service.monitor.counting.shard import Shard
from service.values.records import Partition

PANES_AHEAD_MAX = 30


def too_far_ahead(
    shards: Iterable[Shard], behind: AbstractSet[Partition], pane_seconds: float
) -> frozenset[Partition]:
    """Partitions that had better not be read now.

    Those whose newest record is more than PANES_AHEAD_MAX panes newer than that of the slowest
    partition still `behind` its log's end, and which keep more panes than that open because of it.
    The slowest itself is never among them, nor is anybody while nobody is behind. Of a partition
    that was not begun yet nothing is known: it is the slowest.
    """
    shards = list(shards)
    newest = [shard.newest_record_seconds for shard in shards if shard.partition in behind]
    slowest = min((-math.inf if math.isnan(at) else at for at in newest), default=math.inf)
    limit = slowest + PANES_AHEAD_MAX * pane_seconds
    return frozenset(
        shard.partition
        for shard in shards
        if shard.newest_record_seconds > limit and shard.open_panes > PANES_AHEAD_MAX
    )
