"""Of which partitions the known end is the log's: their leaders are there, and have answered."""

from collections.abc import Set as AbstractSet

from kafka import TopicPartition

SETTLED_SECONDS = 5.0
"""After a connection is back: long enough for a partition's first fetch to be answered."""


class Leaders:
    """What a partition's end was when its leader was last heard says nothing of now. Brokers may
    answer for other partitions all the same. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._led_before: frozenset[TopicPartition] = frozenset()
        self._settled_from: dict[TopicPartition, float] = {}
        self._looked = 0.0

    def look(
        self,
        held: AbstractSet[TopicPartition],
        led: AbstractSet[TopicPartition],
        now_seconds: float,
    ) -> None:
        """Of the partitions that are held, the leaders of the `led` ones are connected now."""
        self._looked = now_seconds
        lost = dict.fromkeys((held - led) & self._led_before, now_seconds + SETTLED_SECONDS)
        waiting = self._settled_from | lost
        self._settled_from = {where: at for where, at in waiting.items() if where in held}
        self._led_before = frozenset((self._led_before | led) & held)

    def has_settled(self, where: TopicPartition) -> bool:
        """Whether its leader was not lost, or is back for long enough, as of the last look."""
        return self._looked >= self._settled_from.get(where, self._looked)
