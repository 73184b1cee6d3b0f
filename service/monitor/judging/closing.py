"""Which panes every partition has passed, and what is handed over of them to be judged."""

import math
from collections.abc import Iterable

from service.monitor.counting.counted import CountedModel, CountedPartition
from service.monitor.counting.panes import Pane
from service.monitor.counting.shard import TimeRules
from service.monitor.judging.model_judge import ModelJudge
from service.values.streams import ModelKey


def closed_through(
    key: ModelKey,
    partitions: Iterable[CountedPartition],
    rules: TimeRules,
    idle_after_seconds: float,
) -> float:
    """Every pane that ends by then has been passed by every partition that is not idle; -inf where
    no open pane has: most often one partition is enough to see that.
    """
    partitions = list(partitions)
    oldest = min((p.oldest_start_seconds for p in _parts(key, partitions)), default=math.inf)
    first_end = oldest + rules.pane_seconds
    through = math.inf
    for partition in partitions:
        passed = partition.passed_seconds(key, rules.lateness_seconds, idle_after_seconds)
        through = min(through, passed)
        if through < first_end:
            return -math.inf
    return through


def newest_seconds(key: ModelKey, partitions: Iterable[CountedPartition]) -> float:
    """The newest event time of a model in any partition, open panes included; -inf if none."""
    newest = (part.newest_event_seconds for part in _parts(key, partitions))
    return max(newest, default=-math.inf)


def take_closed(
    model: ModelJudge,
    partitions: Iterable[CountedPartition],
    end_seconds: float,
    pane_seconds: float,
) -> dict[float, Pane]:
    """The panes that end by then, merged over all partitions, by their start.

    Only what was binned by the reference that the schedule of the judge has for its start: a
    worker that heard of it late may have binned some rows by the one before.
    """
    plan_at = model.references.schedule().at
    taken: dict[float, list[Pane]] = {}
    for part in _parts(model.key, partitions):
        closed = part.take_closed(end_seconds, pane_seconds, plan_at)
        model.rows_unjudged += closed.rows_unjudged
        for pane in closed.panes:
            taken.setdefault(pane.start_seconds, []).append(pane)
    for first, *others in taken.values():
        first.merge(*others)
    return {start: panes[0] for start, panes in taken.items()}


def _parts(key: ModelKey, partitions: Iterable[CountedPartition]) -> list[CountedModel]:
    parts = (partition.models.get(key) for partition in partitions)
    return [part for part in parts if part is not None]
