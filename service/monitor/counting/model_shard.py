"""One model version in one partition: its open panes, its clock, its counters."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from service.monitor.counting.counted import Closed, PlanAt
from service.monitor.counting.panes import Pane, PaneId
from service.monitor.counting.totals import ModelTotals
from service.values.plans import Plan
from service.values.streams import ModelKey

PlanByHash = Callable[[ModelKey, str], Plan]


class ClosedPane(Struct, frozen=True):
    """A pane that will not change any more, encoded."""

    id: PaneId
    pane_seconds: float
    rows: int
    counts_hash: bytes
    body: bytes


class ModelShard:
    """One model version in one partition.

    `newest_seconds` is the highest min(event time, Kafka timestamp) seen: the cap by Kafka's clock
    keeps one producer's wrong clock from closing everybody's panes. The watermark W is that less
    the lateness. `last_seen_seconds` is the host's time of the last event, for idleness.
    `outbox` are closed panes on their way to a judge elsewhere: part of the state until it is
    certain that they can be read there. It stays empty where the judge is in this process.
    """

    def __init__(self, seen_seconds: float) -> None:
        self.newest_seconds = -math.inf
        self.last_arrival_seconds = math.nan
        self.last_seen_seconds = seen_seconds
        self.totals = ModelTotals()
        self.panes: dict[PaneId, Pane] = {}
        self.outbox: dict[PaneId, ClosedPane] = {}
        self.unknown_features: set[str] = set()

    @property
    def newest_event_seconds(self) -> float:
        """The newest event time, the starts of open panes included; -inf if nothing was seen."""
        return max(self.newest_seconds, *(at for at, _ in self.panes), -math.inf)

    @property
    def oldest_start_seconds(self) -> float:
        """The start of the oldest open pane, +inf if none is."""
        return min((at for at, _ in self.panes), default=math.inf)

    def watermark(self, lateness_seconds: float) -> float:
        """W: no event before it is taken any more."""
        return self.newest_seconds - lateness_seconds

    def close(self, end_seconds: float, pane_seconds: float) -> list[Pane]:
        """Let go of the panes that end at or before `end_seconds`, in order of time."""
        ids = sorted(i for i in self.panes if i.start_seconds + pane_seconds <= end_seconds)
        closed = [self.panes.pop(i) for i in ids]
        for pane in closed:
            self.totals.add_quality(pane.quality())
        return closed

    def take_closed(self, end_seconds: float, pane_seconds: float, plan_at: PlanAt) -> Closed:
        """Hand over those of them that were binned by the reference that holds for them."""
        panes, unjudged = [], 0
        for pane in self.close(end_seconds, pane_seconds):
            if pane.plan.reference_hash == plan_at(pane.start_seconds).reference_hash:
                panes.append(pane)
            else:
                unjudged += pane.rows
        return Closed(panes, unjudged)

    def open_panes(self, plan: Plan) -> list[Pane]:
        """The open panes that were binned by the reference of `plan`."""
        return [pane for (_, known), pane in self.panes.items() if known == plan.reference_hash]

    def follow(self, key: ModelKey, plan: PlanByHash) -> None:
        """Other settings hold: count by their plans. A pane of a reference that is found nowhere
        any more goes on as it was begun.
        """
        for known, pane in self.panes.items():
            with suppress(KeyError):
                pane.follow(plan(key, known.reference_hash))

    def add_totals_to(self, totals: ModelTotals) -> None:
        """Add its counters, with the quality of the open panes."""
        totals.merge(self.totals)
        for pane in self.panes.values():
            totals.add_quality(pane.quality())

    def counters(self, key: ModelKey) -> dict[str, Any]:
        """Its state without the panes, as plain values and arrays."""
        return {
            "model": key.model,
            "version": key.version,
            "newest_seconds": self.newest_seconds,
            "last_arrival_seconds": self.last_arrival_seconds,
            "last_seen_seconds": self.last_seen_seconds,
            "totals": self.totals.state(),
        }

    def state(self, key: ModelKey) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return self.counters(key) | {"panes": [pane.state() for pane in self.panes.values()]}

    @classmethod
    def from_state(cls, key: ModelKey, state: dict[str, Any], plan: PlanByHash) -> "ModelShard":
        """What `state` was taken of; `plan` finds the plan of a pane by its reference."""
        model = cls.without_panes(state)
        for pane_state in state["panes"]:
            pane = Pane.from_state(plan(key, pane_state["reference"]), pane_state)
            model.panes[pane.id] = pane
        return model

    @classmethod
    def without_panes(cls, counters: dict[str, Any]) -> "ModelShard":
        """What `counters` were taken of."""
        model = cls(counters["last_seen_seconds"])
        model.newest_seconds = counters["newest_seconds"]
        model.last_arrival_seconds = counters["last_arrival_seconds"]
        model.totals = ModelTotals.from_state(counters["totals"])
        return model
