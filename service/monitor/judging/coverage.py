"""What became of each minute of event time of one model version, kept until it is in the record."""

from typing import Any, Literal

from service.values.watched import HOUR_SECONDS, MINUTE_SECONDS, WatchedHour

HOURS_MAX = 500
"""Hours that wait for a record that cannot be written; the oldest are given up beyond."""

LATE_SECONDS = 3600.0
"""What is judged so long after it was over is past: nobody is told of what is found in it."""

Fate = Literal["compared", "learning", "unreferenced"]


class Coverage:
    """Hours of event time, each with what was judged in it so far.

    `lost` counts the hours that were given up.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._hours: dict[int, _Hour] = {}

    def add(
        self,
        start_seconds: float,
        end_seconds: float,
        fate: Fate,
        rows: int,
        *,
        muted: bool,
        age_seconds: float,
    ) -> None:
        """Enter a pane that was judged `age_seconds` after its end.

        Its minutes are all that it touches; its rows count in the hour of its start.
        """
        late = age_seconds > LATE_SECONDS
        own = self._hour(int(start_seconds // HOUR_SECONDS))
        own.panes += 1
        own.rows += rows
        first = int(start_seconds // MINUTE_SECONDS)
        last = max(first, -int(-end_seconds // MINUTE_SECONDS) - 1)
        for minute in range(first, last + 1):
            hour, bit = divmod(minute, HOUR_SECONDS // MINUTE_SECONDS)
            self._hour(hour).mark(1 << bit, fate, muted=muted, late=late)

    @property
    def waiting(self) -> int:
        """How many hours are kept."""
        return len(self._hours)

    def hours(self) -> tuple[WatchedHour, ...]:
        """What is known of each hour that is kept, in order of time."""
        return tuple(self._hours[hour].told(hour * HOUR_SECONDS) for hour in sorted(self._hours))

    def recorded(self, through_seconds: float) -> None:
        """All of it is in the record: let go of the hours to which nothing can be added, since
        everything before `through_seconds` was judged.
        """
        for hour in list(self._hours):
            if (hour + 1) * HOUR_SECONDS <= through_seconds:
                del self._hours[hour]

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot."""
        return {
            "lost": self.lost,
            "hours": [[hour, *kept.figures()] for hour, kept in self._hours.items()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Coverage":
        """The coverage that `state` was taken of."""
        coverage = cls()
        coverage.lost = state["lost"]
        for hour, *figures in state["hours"]:
            coverage._hours[hour] = _Hour(*figures)
        return coverage

    def _hour(self, hour: int) -> "_Hour":
        found = self._hours.get(hour)
        if found is None:
            found = self._hours[hour] = _Hour()
            if len(self._hours) > HOURS_MAX:
                del self._hours[min(self._hours)]
                self.lost += 1
        return found


class _Hour:
    """Masks of minutes, and counts."""

    def __init__(
        self,
        compared: int = 0,
        learning: int = 0,
        unreferenced: int = 0,
        muted: int = 0,
        late: int = 0,
        panes: int = 0,
        rows: int = 0,
    ) -> None:
        self.masks = {"compared": compared, "learning": learning, "unreferenced": unreferenced}
        self.muted = muted
        self.late = late
        self.panes = panes
        self.rows = rows

    def mark(self, bit: int, fate: Fate, *, muted: bool, late: bool) -> None:
        """One minute had events, and this became of them."""
        self.masks[fate] |= bit
        self.muted |= bit * (muted and fate == "compared")
        self.late |= bit * late

    def figures(self) -> tuple[int, ...]:
        """In the order in which they are given back."""
        return (*self.masks.values(), self.muted, self.late, self.panes, self.rows)

    def told(self, start_seconds: int) -> WatchedHour:
        """As the record has it."""
        masks = {fate: f"{mask:x}" for fate, mask in self.masks.items()}
        marks = {"muted": f"{self.muted:x}", "late": f"{self.late:x}"}
        return WatchedHour(start_seconds, **masks, **marks, panes=self.panes, rows=self.rows)
