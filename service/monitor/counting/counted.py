"""What the judge asks of one partition, whoever counts it: a shard here, or a worker elsewhere."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from service.monitor.counting.panes import Pane
from service.monitor.counting.totals import ModelTotals, RecordBook
from service.values.plans import Plan
from service.values.records import Partition
from service.values.streams import ModelKey

PlanAt = Callable[[float], Plan]
"""The plan that holds for the pane that starts then (epoch seconds)."""


class Closed(NamedTuple):
    """Panes that were handed over, in order of time: those of the reference that holds for them.
    The rows of the others can never be judged.
    """

    panes: list[Pane]
    rows_unjudged: int


class CountedModel(Protocol):
    """One model version in one partition. All times are epoch seconds of events, but the last."""

    @property
    def newest_event_seconds(self) -> float:
        """The newest that was counted, the starts of open panes included; -inf if none was."""
        ...

    @property
    def oldest_start_seconds(self) -> float:
        """The start of the oldest pane that can be handed over; +inf if there is none."""
        ...

    @property
    def last_arrival_seconds(self) -> float:
        """Kafka's timestamp of the newest record, NaN if none had one."""
        ...

    @property
    def last_seen_seconds(self) -> float:
        """When the last event was counted, by the clock of who counted it."""
        ...

    def watermark(self, lateness_seconds: float) -> float:
        """W: no event before it is taken any more."""
        ...

    def take_closed(self, end_seconds: float, pane_seconds: float, plan_at: PlanAt) -> Closed:
        """Hand over the panes that end at or before `end_seconds`."""
        ...

    def open_panes(self, plan: Plan) -> Iterable[Pane]:
        """What can be handed over later, of the panes that were counted by this plan's cells."""
        ...

    def add_totals_to(self, totals: ModelTotals) -> None:
        """Add its counters, with the quality of panes that are still open."""
        ...


class CountedPartition(Protocol):
    """One partition."""

    @property
    def partition(self) -> Partition:
        """Which one."""
        ...

    @property
    def book(self) -> RecordBook:
        """What became of its records."""
        ...

    @property
    def models(self) -> Mapping[ModelKey, CountedModel]:
        """The model versions that were seen in it."""
        ...

    @property
    def caught_up_seconds(self) -> float:
        """When its log was last read to the end, -inf if never."""
        ...

    def passed_seconds(
        self, key: ModelKey, lateness_seconds: float, idle_after_seconds: float
    ) -> float:
        """The event time through which this partition has said all of a model that counts."""
        ...

    def forget(self, key: ModelKey) -> None:
        """Let go of a model version that is silent everywhere."""
        ...
