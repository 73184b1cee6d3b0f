"""All partitions as the judge knows them, and which of them hold it up (`Images`)."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from service.errors import FatalError
from service.monitor.counting.accounted import accounted_for
from service.monitor.counting.holding import PANES_AHEAD_MAX
from service.monitor.counting.image import Admission, Image, Tally
from service.monitor.counting.progress import Progress
from service.monitor.counting.shard import TimeRules
from service.values.exchange import BadRecord, Decode, Sent, SentPane, SentProgress, Unreadable
from service.values.records import Partition
from service.values.streams import ModelKey

MISSING_AFTER_SECONDS = 300.0
"""Without anything read of it for so long nothing waits for a partition any more."""

DEAF_SECONDS = 30.0
"""Who did not ask for the ends for so long heard nobody: that is no silence of theirs."""

_REFUSED_MAX = 100


class Images:
    """What workers have sent, put together. Iterating gives the images by partition.

    `admission` is the judge. Times are the judge's clock, as an argument.
    """

    def __init__(
        self, admission: Admission, decode: Decode, rules: TimeRules, idle_after_seconds: float
    ) -> None:
        self.tally = Tally()
        self.by_partition: dict[Partition, Image] = {}
        self._admission = admission
        self._decode = decode
        self._rules = rules
        self._idle_after_seconds = idle_after_seconds
        self._heard: dict[Partition, float] = {}
        self._reached: dict[Partition, float] = {}
        self._held: frozenset[Partition] = frozenset()
        self._found: set[Partition] = set()
        self._refused: list[BadRecord] = []

    def __iter__(self) -> Iterator[Image]:
        return iter([image for _, image in sorted(self.by_partition.items())])

    def take(self, sent: Iterable[Sent], now_seconds: float) -> None:
        """Take what was read, in its order. What makes no sense is in `refused`."""
        for one in sent:
            image = self.image(one.partition)
            if isinstance(one, SentPane):
                image.take_pane(one)
            else:
                self._take_progress(image, one, now_seconds)

    def clear(self) -> None:
        """Know nothing any more."""
        self.tally = Tally()
        self.by_partition.clear()
        self._heard.clear()
        self._reached.clear()
        self._held = frozenset()
        self._found.clear()
        self._refused = []

    def refused(self) -> list[BadRecord]:
        """What came whole and made no sense, since the last call; the first hundred."""
        refused, self._refused = self._refused, []
        return refused

    def missing(
        self,
        now_seconds: float,
        expected: AbstractSet[Partition],
        *,
        at_the_end: bool,
        ends_age_seconds: float = 0.0,
    ) -> frozenset[Partition]:
        """Of the `expected` partitions those that nobody has told anything new of for too long.

        From now on nothing waits for them, until somebody tells of them again; everything waits for
        the others, also for those that were never told of. Partitions that are not expected are
        gone. Before the first call nothing passes. `at_the_end`: the topic of panes was read to its
        end, so that silence means something.
        """
        self._found |= expected
        for partition in expected:
            self.image(partition)
            self._heard.setdefault(partition, now_seconds)
        for partition in self._held:
            self._heard[partition] = now_seconds
        if ends_age_seconds > DEAF_SECONDS:
            self._heard = {
                p: min(now_seconds, at + ends_age_seconds) for p, at in self._heard.items()
            }
        for partition, image in self.by_partition.items():
            silent = now_seconds - self._heard.get(partition, now_seconds)
            image.is_placed = True
            image.is_gone = partition not in expected
            image.is_missing |= at_the_end and silent >= MISSING_AFTER_SECONDS
            age = now_seconds - self._reached.get(partition, -math.inf) + ends_age_seconds
            image.is_current = at_the_end and age <= self._rules.lateness_seconds / 2
        return frozenset(
            partition
            for partition, image in self.by_partition.items()
            if image.is_missing and not image.is_gone
        )

    @property
    def left(self) -> frozenset[Partition]:
        """Partitions that nobody reads any more."""
        return frozenset(p for p, image in self.by_partition.items() if image.is_gone)

    def accounted(self) -> list[Image]:
        """Those that figures are about (`accounted_for`); of a partition that was told of and never
        expected yet nothing is.
        """
        known = [i for i in self if not i.is_gone or i.partition in self._found]
        return accounted_for(known, self.left)

    def to_hold(self, partition_count: int) -> frozenset[int]:
        """Which of so many partitions of the topic of panes had better not be read now.

        Those that bring panes which wait for a slower partition, and have brought more than
        PANES_AHEAD_MAX of a model already; but none that brings what they wait for. To be asked
        after the judge has taken what it could.
        """
        images = list(self)
        ahead: set[int] = set()
        awaited: set[ModelKey] = set()
        for image in images:
            hoarded = {key for key, panes in _waiting(image).items() if panes > PANES_AHEAD_MAX}
            if hoarded:
                ahead.add(image.partition.number % partition_count)
                awaited |= hoarded
        slowest = {self._slowest(key, images).number % partition_count for key in awaited}
        held = frozenset(ahead - slowest)
        self._held = frozenset(
            image.partition for image in images if image.partition.number % partition_count in held
        )
        return held

    def open_rows(self, key: ModelKey) -> int:
        """Predictions that were neither judged nor given up."""
        return sum(image.open_rows(key) for image in self)

    def newest_seconds(self) -> dict[ModelKey, float]:
        """The newest event time of each model in any partition (`Judge.restore`)."""
        newest: dict[ModelKey, float] = {}
        for image in self:
            for key, model in image.models.items():
                newest[key] = max(newest.get(key, -math.inf), model.newest_event_seconds)
        return newest

    def unknown_features(self) -> Mapping[ModelKey, frozenset[str]]:
        """Names of features that events have and no plan watches, by model."""
        names: dict[ModelKey, frozenset[str]] = {}
        for image in self:
            for key, model in image.models.items():
                if model.progress is not None and model.progress.unknown_features:
                    known = names.get(key, frozenset())
                    names[key] = known.union(model.progress.unknown_features)
        return names

    def unheard(self) -> frozenset[ModelKey]:
        """Versions that were forgotten and that a worker still holds, as `Image.unheard` says."""
        there = (i for i in self if not (i.is_gone or i.is_missing))
        return frozenset().union(*(i.unheard(self._rules.forget_after_seconds) for i in there))

    def all_told(self, partitions: AbstractSet[Partition]) -> bool:
        """Whether workers have told of every one of these: then no model of theirs is unknown."""
        images = [self.by_partition.get(partition) for partition in partitions]
        return bool(images) and all(i is not None and i.progress is not None for i in images)

    def image(self, partition: Partition) -> Image:
        """The image of a partition, an empty one if nothing was told of it yet."""
        if partition not in self.by_partition:
            self.by_partition[partition] = Image(
                partition, self._admission, self.tally, self._decode, self._warn
            )
        return self.by_partition[partition]

    def progress_of(self, body: bytes) -> Progress:
        """What was sent as a progress. Raises ValueError, StateCorrupt or FormatTooNew."""
        return Progress.from_state(self._decode(body))

    def _take_progress(self, image: Image, sent: SentProgress, now_seconds: float) -> None:
        try:
            progress = self.progress_of(sent.body)
        except (FatalError, ValueError) as error:
            self._refuse(sent, str(error))
            return
        next_offset = image.next_offset
        before = -math.inf if image.progress is None else image.progress.caught_up_seconds
        if not image.take_progress(sent.stamp, progress, sent.body):
            return
        has_reached = progress.caught_up_seconds > before
        if has_reached:
            self._reached[image.partition] = now_seconds
        # Of a partition that cannot be read its worker tells the same again and again.
        if has_reached or image.next_offset > next_offset:
            self._heard[image.partition] = now_seconds
            image.is_missing = False

    def _slowest(self, key: ModelKey, images: Iterable[Image]) -> Partition:
        lateness = self._rules.lateness_seconds

        def passed(image: Image) -> float:
            return image.passed_seconds(key, lateness, self._idle_after_seconds)

        return min(images, key=passed).partition

    def _warn(self, sent: SentPane, why: str) -> None:
        self._refuse(sent, f"a pane of {sent.model.words} at {sent.start_seconds:.0f}: {why}")

    def _refuse(self, sent: Sent, why: str) -> None:
        self.tally.unreadable += 1
        if len(self._refused) < _REFUSED_MAX:
            where = f"{sent.partition.topic}/{sent.partition.number}"
            self._refused.append(BadRecord(-1, -1, Unreadable.BODY, f"{where}: {why}"))


def _waiting(image: Image) -> Counter[ModelKey]:
    """Closed panes that wait to be judged, by model."""
    panes = Counter(sent.model for sent in image.staged if not sent.early)
    for key, model in image.all_models.items():
        panes[key] += len(model.held)
    return panes
