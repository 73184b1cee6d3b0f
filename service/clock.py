"""The only place that reads the wall clock; everything else is told the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> float:
        """Epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The host's clock."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class ManualClock:
    """A clock that a test or a replay moves by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.time_seconds = now

    def now(self) -> float:
        """Epoch seconds, as last set."""
        return self.time_seconds

    def monotonic(self) -> float:
        """The same hand-moved time."""
        return self.time_seconds

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.time_seconds += seconds
