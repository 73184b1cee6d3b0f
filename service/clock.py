"""The only place that reads the wall clock; everything else is told the time."""

import math
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


class BrokerClock:
    """The brokers' clock, so that hosts that are wrong do not count differently: what the last
    answer said, and what our own monotonic clock says passed since. The host's until one came.
    """

    def __init__(self, host: Clock) -> None:
        self._host = host
        self._ahead_seconds: float | None = None

    def heard(self, append_seconds: float) -> None:
        """A broker just said the time (epoch seconds); NaN says nothing."""
        if not math.isnan(append_seconds):
            self._ahead_seconds = append_seconds - self._host.monotonic()

    def now(self) -> float:
        """Epoch seconds."""
        if self._ahead_seconds is None:
            return self._host.now()
        return self._host.monotonic() + self._ahead_seconds

    def monotonic(self) -> float:
        """The host's seconds that never go back."""
        return self._host.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._host.sleep(seconds)
