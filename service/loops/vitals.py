"""What the service knows of itself: timings, checkpoints, and whether it still makes progress."""

import math
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from service.clock import Clock
from service.errors import NotAlone
from service.values.records import Partition
from service.values.reports import CHECKPOINT_BOUNDS_SECONDS, LoopTiming

INCUMBENT_SECONDS = 15.0
"""How much longer the one waits that was alone before: the newcomer needs time to leave."""


class Timings:
    """How long each step of the loop took."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._steps: dict[str, tuple[float, int, float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the body as one call of step `name`."""
        begun = self._clock.monotonic()
        try:
            yield
        finally:
            took = self._clock.monotonic() - begun
            total, calls, longest = self._steps.get(name, (0.0, 0, 0.0))
            self._steps[name] = (total + took, calls + 1, max(longest, took))

    def report(self) -> tuple[LoopTiming, ...]:
        """Every step so far, in order of its first call."""
        return tuple(LoopTiming(name, *figures) for name, figures in self._steps.items())


class Checkpoints:
    """What became of the snapshots, and how long those took that were written: one count a bucket
    of CHECKPOINT_BOUNDS_SECONDS and one above, and their sum.
    """

    def __init__(self) -> None:
        self.last_success_seconds = math.nan
        self.took_counts = [0] * (len(CHECKPOINT_BOUNDS_SECONDS) + 1)
        self.took_sum_seconds = 0.0
        self.failures = 0
        self.fallbacks = 0
        self.out_of_range = 0

    def written(self, now_seconds: float, took_seconds: float) -> None:
        """One more is safe since `now_seconds`, after so long."""
        self.last_success_seconds = now_seconds
        self.took_counts[bisect_left(CHECKPOINT_BOUNDS_SECONDS, took_seconds)] += 1
        self.took_sum_seconds += took_seconds


class CatchingUp:
    """Whether all was read that the logs held at a restart; before, counters would seem to go back.

    `needed` is set when there was a restart. Once `over`, it stays so.
    """

    def __init__(self) -> None:
        self.needed = False
        self.over = False
        self._goals: dict[Partition, int] = {}

    def look(
        self,
        owned: frozenset[Partition],
        positions: Mapping[Partition, int],
        ends: Mapping[Partition, int],
    ) -> None:
        """Compare the positions of the owned partitions with the ends as they were first known."""
        if self.over or not owned:
            return
        self._goals = {**ends, **self._goals}
        reached = (
            p in positions and (not self.needed or positions[p] >= self._goals.get(p, math.inf))
            for p in owned
        )
        self.over = all(reached)


class KnownEnds:
    """How old the ends of logs may be that the last poll left behind. Times are monotonic seconds.

    Who stood still knows them as they were before, and with them its partitions would look idle.
    Then it takes SETTLED_SECONDS until each partition's next fetch was answered for certain.
    """

    POLLS_APART_SECONDS_MAX = 1.0
    SETTLED_SECONDS = 5.0

    def __init__(self, now_seconds: float) -> None:
        self._polled = self._before = self._settled = now_seconds

    def polled(self, now_seconds: float) -> None:
        """A poll has ended."""
        if now_seconds - self._polled > self.POLLS_APART_SECONDS_MAX:
            self._before = self._polled
            self._settled = now_seconds + self.SETTLED_SECONDS
        self._polled = now_seconds

    def age_seconds(self, now_seconds: float) -> float:
        """So long ago they were as they are known."""
        return now_seconds - (self._before if now_seconds < self._settled else self._polled)


class Solitude:
    """Whether this process owns every partition, as role `all` has to.

    A process that was killed a moment ago is a member of the group until its session is over, so a
    newcomer waits `newcomer_seconds` for the others to be gone before it says that there is one
    too many. Who was alone already waits longer, so that it is the newcomer who leaves.
    """

    def __init__(self, clock: Clock, newcomer_seconds: float) -> None:
        self._clock = clock
        self._newcomer_seconds = newcomer_seconds
        self._was_alone = False
        self._disturbed_since: float | None = None

    def lasts(self, owned: frozenset[Partition], every: frozenset[Partition]) -> bool:
        """May partitions be read? Raises NotAlone when the patience is over."""
        others = every - owned
        if not others:
            self._was_alone |= bool(owned)
            self._disturbed_since = None
            return True
        if not owned and not self._was_alone:
            return False
        now = self._clock.monotonic()
        if self._disturbed_since is None:
            self._disturbed_since = now
        patience = self._newcomer_seconds + self._was_alone * INCUMBENT_SECONDS
        if now - self._disturbed_since >= patience:
            raise NotAlone(
                f"another member of the consumer group owns {len(others)} partitions "
                f"(for example {min(others).topic}/{min(others).number}). Role `all` judges alone: "
                "stop the other process or give this one another kafka.group. Several replicas "
                "share the work as roles: any number of `worker` and one `judge`"
            )
        return self._was_alone


class Watchdog:
    """Tells a process that hangs from one that has nothing to do.

    The loop calls `turned` once a turn, with what it applied and how far it is behind as the broker
    says now (None when the broker cannot be asked: an outage is not ours to die of). It hangs when
    no turn ended for `after_seconds`, or when it was behind all that time and applied nothing.
    """

    def __init__(self, clock: Clock, after_seconds: float) -> None:
        self._clock = clock
        self._after_seconds = after_seconds
        self._lock = threading.Lock()
        self._turned = self._progressed = clock.monotonic()

    def turned(self, applied: int, lag: int | None) -> None:
        """A turn of the loop ended."""
        now = self._clock.monotonic()
        with self._lock:
            self._turned = now
            if applied or not lag:
                self._progressed = now

    def complaint(self) -> str:
        """What is wrong, in words; empty when all is well."""
        now = self._clock.monotonic()
        with self._lock:
            silent, stuck = now - self._turned, now - self._progressed
        if silent > self._after_seconds:
            return f"the loop has not turned for {silent:.0f} s"
        if stuck > self._after_seconds:
            return f"behind, and nothing applied for {stuck:.0f} s"
        return ""
