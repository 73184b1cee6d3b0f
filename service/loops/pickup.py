"""Takes up references that are given while the service runs, without a restart."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import structlog

from service.clock import Clock
from service.monitor.counting.counted import CountedPartition
from service.monitor.judging.judge import Judge

LOOK_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Given(Protocol):
    """Where references are given."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What cannot be used, by its name, and why."""
        ...

    @property
    def broken_total(self) -> int:
        """How often something could not be used."""
        ...

    def look(self) -> bool:
        """Look for what is new; whether anything has changed."""
        ...


class NothingGiven:
    """Nothing comes: of a replay, or where references do not change."""

    def __init__(self) -> None:
        self.problems: Mapping[str, str] = {}
        self.broken_total = 0

    def look(self) -> bool:
        """Nothing has changed."""
        return False


class Pickup:
    """Looks every few seconds, and once in the beginning. What is broken is told once in the log;
    what is taken up, the journal tells.
    """

    def __init__(
        self, given: Given, judge: Judge, clock: Clock, every_seconds: float = LOOK_SECONDS
    ) -> None:
        self.given = given
        self._judge = judge
        self._clock = clock
        self._every_seconds = every_seconds
        self._next = clock.monotonic()
        self._told: dict[str, str] = {}

    @property
    def failures(self) -> int:
        """How often something that was given could not be used, or could not be looked at."""
        return self.given.broken_total

    @property
    def warnings(self) -> tuple[str, ...]:
        """What cannot be used now, a sentence each, as long as it is there."""
        return tuple(
            f"{name}: {why}. The last reference that was sound holds"
            for name, why in sorted(self._told.items())
        )

    def look(self, partitions: Iterable[CountedPartition]) -> bool:
        """Look, if it is time; whether another reference is to come into force."""
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every_seconds
        changed = self.given.look()
        self._tell_problems()
        if not changed:
            return False
        return bool(self._judge.take_up(partitions))

    def _tell_problems(self) -> None:
        found = dict(self.given.problems)
        for name, why in found.items():
            if self._told.get(name) != why:
                log.error("reference_not_usable", name=name, reason=why)
        self._told = found
