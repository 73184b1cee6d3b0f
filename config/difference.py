"""In what two configurations differ, and which of it a running service takes up."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from config.detection import DetectionSettings, windows_fault
from config.settings import Settings
from config.tree import Path, dotted

TAKEN_UP = frozenset(
    {"reference", "severity", "policy", "models", "include", "privacy", "metrics", "detection"}
)
"""Sections that a running service takes up anew; all others need a restart."""

TIME_RULES = frozenset({"pane", "lateness", "idle_after", "future", "forget_after"})
"""Of `detection`, what cuts and bounds time: it stays until a restart."""


class Change(NamedTuple):
    """A setting that differs, each side as a file would say it; None where it is not said."""

    path: Path
    before: Any
    after: Any

    @property
    def needs_restart(self) -> bool:
        """Whether a running service goes on with what was before."""
        if self.path[0] == "detection":
            return len(self.path) > 1 and self.path[1] in TIME_RULES
        return self.path[0] not in TAKEN_UP


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between two configurations as `Loaded.shown` gives them, in their order. Of the
    rules of models an order that differs is told as well, since later lines win.
    """
    found = list(_changes(before, after, ()))
    rules = [list(side.get("models") or {}) for side in (before, after)]
    both = [[glob for glob in rules[0] if glob in rules[1]], [g for g in rules[1] if g in rules[0]]]
    if both[0] != both[1]:
        found.append(Change(("models",), both[0], both[1]))
    return found


def _changes(before: Any, after: Any, path: Path) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in (*before, *(key for key in after if key not in before)):
            yield from _changes(before.get(key), after.get(key), (*path, key))
    elif before != after:
        yield Change(path, before, after)


def taken_up(running: Settings, wanted: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The settings that hold from now on in a service that runs, and what of the wanted ones waits
    for a restart, by dotted name (of a secret only the section).
    """
    fixed = [name for name in type(running).model_fields if name not in TAKEN_UP]
    kept = {name: getattr(running, name) for name in fixed}
    time = {name: getattr(running.detection, name) for name in TIME_RULES}
    told = changes(_shown(running), _shown(wanted))
    waiting = [dotted(change.path) for change in told if change.needs_restart]
    named = {name.partition(".")[0].partition("[")[0] for name in waiting}
    waiting += [n for n in fixed if n not in named and kept[n] != getattr(wanted, n)]
    detection = wanted.detection.model_copy(update=time)
    if not _fits(detection, wanted):
        return running, (*waiting, "detection and models, whose windows go with another pane")
    return wanted.model_copy(update={**kept, "detection": detection}), tuple(waiting)


def _fits(detection: DetectionSettings, wanted: Settings) -> bool:
    """Whether all windows are whole panes of those that there are."""
    rules = (rule.windows for rule in wanted.models.values())
    every = (detection.windows, *(windows for windows in rules if windows))
    return not any(windows_fault(windows, detection.pane) for windows in every)


def _shown(settings: Settings) -> dict[str, Any]:
    data: dict[str, Any] = settings.model_dump(mode="json", by_alias=True)
    return data
