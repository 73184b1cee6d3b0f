"""Which partitions the figures of topics and models are about: the same ones at each moment."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TypeVar

from service.monitor.counting.counted import CountedPartition
from service.values.records import Partition
from service.values.streams import ModelKey

P = TypeVar("P", bound=CountedPartition)


def accounted_for(partitions: Iterable[P], left: AbstractSet[Partition]) -> list[P]:
    """All but those of topics that left and that hold no model any more, in their order.

    What a model counted in a topic that left is part of its counters, which may never fall; so the
    book of that topic stays beside them, until its models are forgotten.
    """
    partitions = list(partitions)
    topics = {p.partition.topic for p in partitions if p.partition not in left or p.models}
    return [p for p in partitions if p.partition.topic in topics]


def models_of(partitions: Iterable[P], left: AbstractSet[Partition]) -> frozenset[ModelKey]:
    """The model versions of partitions that are still read: of others no record is due."""
    return frozenset(key for p in partitions if p.partition not in left for key in p.models)
