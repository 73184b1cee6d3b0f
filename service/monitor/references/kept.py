"""What a snapshot still holds of a model version's last hours, read without a judge.

Windows keep the past in steps, the longer the older: the last minutes in panes, a day in hours.
What was seen since some moment is put together from the finest steps that reach back so far.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from detectors.summary.layout import Layout
from detectors.summary.summary import Summary
from service.monitor.references.file import read
from service.monitor.references.reference import layout_of
from service.values.references import Reference
from service.values.streams import ModelKey

_SLACK_SECONDS = 1e-6
"""Starts of steps are computed, so they may miss a moment by the last bits of a float."""


class Step(Struct, frozen=True):
    """The rows of a stretch of event time, not summed up yet. `state` is that of a `Summary`."""

    start_seconds: float
    end_seconds: float
    state: Mapping[str, Any]


class KeptWindow(Struct, frozen=True):
    """The steps of one window, each `step_seconds` long; ascending."""

    step_seconds: float
    steps: tuple[Step, ...]


class Seen(Struct, frozen=True):
    """What was seen of the reference's streams from `from_seconds` until `until_seconds`."""

    from_seconds: float
    until_seconds: float
    summary: Summary


class Kept(Struct, frozen=True):
    """What is kept of one model version, all of it counted by the cells of `reference`.

    `newest` is the reference that came last: another one where it has yet to come into force.
    """

    key: ModelKey
    reference: Reference
    newest: Reference
    windows: tuple[KeptWindow, ...]
    open_panes: tuple[Step, ...]

    @property
    def from_seconds(self) -> float:
        """How far back it reaches; +inf when nothing is kept."""
        return min((step.start_seconds for step in self._steps()), default=math.inf)

    @property
    def until_seconds(self) -> float:
        """Where the last step ends; -inf when nothing is kept."""
        return max((step.end_seconds for step in self._steps()), default=-math.inf)

    def since(self, seconds: float) -> Seen:
        """All that was seen from `seconds` on, and nothing of what was before.

        So it begins with the first step that starts then or later, at most one step after. No row
        is in it twice; where the steps of two windows do not fit, those between them are left out.
        """
        chosen = _chosen(self.windows, self.open_panes, seconds)
        summary = Summary(layout_of(self.reference))
        for step in chosen:
            summary.merge(Summary.from_state(summary.layout, step.state))
        first = min((step.start_seconds for step in chosen), default=self.until_seconds)
        return Seen(first, self.until_seconds, summary)

    def _steps(self) -> Iterator[Step]:
        yield from (step for window in self.windows for step in window.steps)
        yield from self.open_panes


def model_versions(tree: Mapping[str, Any]) -> list[ModelKey]:
    """The model versions in a snapshot, by name."""
    return sorted(ModelKey(m["model"], m["version"]) for m in tree["judge"]["models"])


def kept_of(tree: Mapping[str, Any], key: ModelKey, pane_seconds: float) -> Kept | None:
    """What the snapshot `tree` holds of a model version that is in it.

    None when nothing was counted by a reference yet: it is being learned, or another one has just
    come into force.
    """
    (model,) = (m for m in tree["judge"]["models"] if (m["model"], m["version"]) == key)
    known = {
        reference.hash: reference
        for reference in (_read(entry["reference"]) for entry in model["references"])
        if reference is not None
    }
    newest = _read(model["references"][-1]["reference"])
    comparison = model["comparison"]
    if comparison is None or newest is None or comparison["reference_hash"] not in known:
        return None
    reference = known[comparison["reference_hash"]]
    panes = _open_panes(tree, key, reference, pane_seconds, model["judged_through_seconds"])
    windows = tuple(
        _window(window, model["judged_from_seconds"], model["judged_through_seconds"])
        for window in comparison["windows"]
    )
    return Kept(key, reference, newest, windows, panes)


def _read(text: str | None) -> Reference | None:
    return None if text is None else read(text, "snapshot")


def _window(state: Mapping[str, Any], from_seconds: float, until_seconds: float) -> KeptWindow:
    """The first step may have begun before anything was seen, and the last one is not full yet."""
    length = state["step_seconds"]
    steps = (
        Step(max(start, from_seconds), min(start + length, until_seconds), summary)
        for start, summary in state["steps"]
    )
    return KeptWindow(length, tuple(sorted(steps, key=lambda step: step.start_seconds)))


def _open_panes(
    tree: Mapping[str, Any],
    key: ModelKey,
    reference: Reference,
    pane_seconds: float,
    judged_seconds: float,
) -> tuple[Step, ...]:
    """The panes that were not judged yet, each merged over all partitions."""
    layout = layout_of(reference)
    merged: dict[float, Summary] = {}
    for start, kept_hash, state in _panes(tree, key):
        if kept_hash == reference.hash and start >= judged_seconds - _SLACK_SECONDS:
            _merge(merged, start, layout, state)
    return tuple(
        Step(start, start + pane_seconds, merged[start].state()) for start in sorted(merged)
    )


def _merge(
    merged: dict[float, Summary], start: float, layout: Layout, state: Mapping[str, Any]
) -> None:
    summary = Summary.from_state(layout, state)
    if start in merged:
        merged[start].merge(summary)
    else:
        merged[start] = summary


def _panes(tree: Mapping[str, Any], key: ModelKey) -> Iterator[tuple[float, str, Any]]:
    for shard in tree["shards"]:
        for model in shard["models"]:
            if (model["model"], model["version"]) == key:
                for pane in model["panes"]:
                    yield pane["start_seconds"], pane["reference"], pane["summary"]


def _chosen(
    windows: Iterable[KeptWindow], panes: Iterable[Step], since_seconds: float
) -> list[Step]:
    """Steps that do not overlap, from the finest window that has them back to `since_seconds`.

    Each window in turn, the finest first, is asked for what lies before those chosen so far. Where
    one of its steps reaches into these they give way, for that is how the steps of the longer
    windows lie, each over several of a shorter one; but not when that would lose rows, since a
    window that was added to the settings is not full yet.
    """
    chosen = [step for step in panes if _since(step, since_seconds)]
    for window in sorted(windows, key=lambda window: window.step_seconds):
        first = min((step.start_seconds for step in chosen), default=math.inf)
        before = [
            step
            for step in window.steps
            if _since(step, since_seconds) and step.start_seconds < first - _SLACK_SECONDS
        ]
        end = max((step.end_seconds for step in before), default=-math.inf)
        after = [step for step in chosen if _since(step, end)]
        if sum(map(_rows, before)) >= sum(map(_rows, chosen)) - sum(map(_rows, after)):
            chosen = [*before, *after]
    return sorted(chosen, key=lambda step: step.start_seconds)


def _since(step: Step, seconds: float) -> bool:
    return step.start_seconds >= seconds - _SLACK_SECONDS


def _rows(step: Step) -> int:
    return int(step.state["rows"])
