"""What the judge knows of one model version in one partition that is counted elsewhere.

    predictions = rows handed over to be judged + rows that never will be + open rows

holds at every moment, since everything moves when the worker's progress is accepted, and only then.
Early copies are rows that are open at the worker: when one was judged, so many rows of that start
are judged already, and of the closed pane that comes later only the difference is news.
"""

import math
from collections.abc import Callable

from msgspec import Struct

from service.errors import FatalError
from service.monitor.counting.counted import Closed, PlanAt
from service.monitor.counting.panes import Pane, PaneId
from service.monitor.counting.progress import ModelProgress
from service.monitor.counting.totals import ModelTotals
from service.values.exchange import Decode, SentPane
from service.values.plans import Plan

REMEMBERED_PANES = 30
"""Of so many closed panes the counts are remembered, so that a repeat can be compared."""

_NONSENSE = (FatalError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

Warn = Callable[[SentPane, str], None]
"""Is told of a pane whose body makes no sense, and why."""


class JudgedEarly(Struct):
    """Rows of a start that were handed over before it closed, and have not come closed yet."""

    rows: int
    end_seconds: float


class Adopted(Struct, frozen=True):
    """What a progress has shown: rows of closed panes that never came, and whether more rows were
    handed over than there are.
    """

    lost: int
    contradicts: bool


class ModelImage:
    """`closed_through_seconds`: every pane that ends by then has been accepted, or never comes.

    `held`: closed panes that were not handed over yet; `early`: the newest copies of open ones.
    `accepted_rows` are those of all closed panes. `before` are the totals of what was counted
    before a worker began anew, `forgotten` those of before it was forgotten here; `is_silent` since
    then, while the worker has counted no more.
    """

    def __init__(self, decode: Decode, warn: Warn) -> None:
        self.progress: ModelProgress | None = None
        self.closed_through_seconds = -math.inf
        self.held: dict[PaneId, SentPane] = {}
        self.early: dict[PaneId, SentPane] = {}
        self.judged_early: dict[float, JudgedEarly] = {}
        self.counts: dict[PaneId, bytes] = {}
        self.accepted_rows = 0
        self.before = ModelTotals()
        self.forgotten: ModelTotals | None = None
        self.is_silent = False
        self._decode = decode
        self._warn = warn
        self._decoded: dict[PaneId, tuple[SentPane, Pane | None]] = {}

    @property
    def newest_event_seconds(self) -> float:
        """The newest event time that the worker has counted, -inf if none."""
        return -math.inf if self.progress is None else self.progress.newest_event_seconds

    @property
    def oldest_start_seconds(self) -> float:
        """The start of the oldest pane that is here, +inf if none is."""
        starts = (known.start_seconds for panes in (self.held, self.early) for known in panes)
        return min(starts, default=math.inf)

    @property
    def last_arrival_seconds(self) -> float:
        """Kafka's timestamp of the newest record, NaN if it is not known."""
        return math.nan if self.progress is None else self.progress.last_arrival_seconds

    @property
    def last_seen_seconds(self) -> float:
        """When the worker last counted an event, by its own clock; -inf if it is not known."""
        return -math.inf if self.progress is None else self.progress.last_seen_seconds

    @property
    def rows_told(self) -> int:
        """Rows of any kind that the worker had counted by its last progress."""
        return 0 if self.progress is None else self.progress.totals.rows

    @property
    def open_rows(self) -> int:
        """Predictions that were neither handed over nor given up."""
        counted = 0 if self.progress is None else self.progress.open_rows
        held = sum(sent.rows for sent in self.held.values())
        return counted + held - self._rows_judged_early

    def watermark(self, lateness_seconds: float) -> float:  # noqa: ARG002 - a shard needs it
        """The worker's, whatever lateness it has."""
        return -math.inf if self.progress is None else self.progress.watermark_seconds

    def add_totals_to(self, totals: ModelTotals) -> None:
        """Add its counters as of the last progress."""
        totals.merge(self.before)
        if self.progress is not None:
            totals.merge(self.progress.totals)
        if self.forgotten is not None:
            totals.subtract(self.forgotten)

    def open_panes(self, plan: Plan) -> list[Pane]:
        """The panes that are here, of the reference of `plan`."""
        here = [*self.held.values(), *self.early.values()]
        panes = (self._pane(sent, plan) for sent in here if _binned_by(sent, plan))
        return [pane for pane in panes if pane is not None]

    def take_closed(self, end_seconds: float, pane_seconds: float, plan_at: PlanAt) -> Closed:
        """Hand over what ends by then: closed panes, and early copies of those still open.

        Of copies that cannot be judged nothing is given up yet: their panes will close.
        """
        panes, unjudged = [], 0
        for known in [i for i, sent in self.held.items() if sent.end_seconds <= end_seconds]:
            sent = self.held.pop(known)
            pane = self._taken(known, sent, pane_seconds, plan_at)
            if pane is None:
                unjudged += sent.rows
            else:
                panes.append(pane)
        for known in [i for i, sent in self.early.items() if sent.end_seconds <= end_seconds]:
            sent = self.early.pop(known)
            pane = self._taken(known, sent, pane_seconds, plan_at)
            if pane is not None:
                self.judged_early[known.start_seconds] = JudgedEarly(sent.rows, sent.end_seconds)
                panes.append(pane)
        return Closed(sorted(panes, key=lambda pane: pane.start_seconds), unjudged)

    def accept_closed(self, sent: SentPane) -> int:
        """Take a closed pane that is news. Returns how many of its rows can never be judged.

        A copy of the same start was judged before: the start is past, what else came for it is
        too late.
        """
        known = PaneId(sent.start_seconds, sent.reference_hash)
        self.counts[known] = sent.counts_hash
        self.accepted_rows += sent.rows
        early = self.judged_early.get(known.start_seconds)
        if early is None:
            self.held[known] = sent
            return 0
        judged = min(sent.rows, early.rows)
        early.rows -= judged
        return sent.rows - judged

    def is_repeat(self, sent: SentPane) -> bool:
        """Whether a closed pane has come before, or has to have."""
        known = PaneId(sent.start_seconds, sent.reference_hash)
        return sent.end_seconds <= self.closed_through_seconds or known in self.counts

    def contradicts(self, sent: SentPane) -> bool:
        """Whether a repeat has other counts than what came first; False if that is forgotten."""
        known = PaneId(sent.start_seconds, sent.reference_hash)
        return self.counts.get(known, sent.counts_hash) != sent.counts_hash

    def accept_early(self, sent: SentPane) -> None:
        """Take a copy of an open pane, unless more of it is known."""
        known = PaneId(sent.start_seconds, sent.reference_hash)
        if self.is_repeat(sent) or known.start_seconds in self.judged_early:
            return
        other = self.early.get(known)
        if other is None or other.stamp.reached <= sent.stamp.reached:
            self.early[known] = sent

    def adopt(self, progress: ModelProgress, *, settle: bool) -> Adopted:
        """All closed panes that came before it were accepted; what has not come by now never will.

        Retention may have deleted panes before they were read, or a judge begins with what is left.
        Without `settle` that is left for later: nobody judges this model version now.
        """
        self.progress = progress
        through = max(self.closed_through_seconds, progress.watermark_seconds)
        self.closed_through_seconds = through
        self.early = {i: sent for i, sent in self.early.items() if sent.end_seconds > through}
        here = self.early.keys() | self.held.keys()
        self._decoded = {i: pane for i, pane in self._decoded.items() if i in here}
        while len(self.counts) > REMEMBERED_PANES:
            del self.counts[next(iter(self.counts))]
        over = [start for start, one in self.judged_early.items() if one.end_seconds <= through]
        judged = sum(self.judged_early.pop(start).rows for start in over)
        lost = max(0, progress.sent_rows - self.accepted_rows) if settle else 0
        self.accepted_rows += lost
        return Adopted(max(0, lost - judged), contradicts=judged > lost)

    def forget(self) -> None:
        """Nothing is told of it any more; should it come back, it is as if it began then."""
        if self.progress is None:
            return
        self.held.clear()
        self.early.clear()
        self._decoded.clear()
        forgotten = ModelTotals()
        forgotten.merge(self.before)
        forgotten.merge(self.progress.totals)
        forgotten.predictions -= self.open_rows
        self.forgotten = forgotten
        self.is_silent = True

    def begin_anew(self) -> int:
        """The worker counts from 0 again, beside what was. Returns the rows that were open: to
        judge them would be to judge them twice, for they may come again.
        """
        given_up = self.open_rows
        if self.progress is not None:
            self.before.merge(self.progress.totals)
        self.progress = None
        self.closed_through_seconds = -math.inf
        self.accepted_rows = 0
        self.held.clear()
        self.early.clear()
        self.judged_early.clear()
        self.counts.clear()
        return given_up

    @property
    def _rows_judged_early(self) -> int:
        return sum(one.rows for one in self.judged_early.values())

    def _taken(
        self, known: PaneId, sent: SentPane, pane_seconds: float, plan_at: PlanAt
    ) -> Pane | None:
        """The pane, None if it is not binned as it should be, or cannot be read."""
        plan = plan_at(sent.start_seconds)
        fits = sent.pane_seconds == pane_seconds and _binned_by(sent, plan)
        pane = self._pane(sent, plan) if fits else None
        self._decoded.pop(known, None)
        return pane

    def _pane(self, sent: SentPane, plan: Plan) -> Pane | None:
        known = PaneId(sent.start_seconds, sent.reference_hash)
        before = self._decoded.get(known)
        if before is None or before[0] is not sent:
            self._decoded[known] = before = sent, self._read(sent, plan)
        return before[1]

    def _read(self, sent: SentPane, plan: Plan) -> Pane | None:
        try:
            pane = Pane.from_state(plan, self._decode(sent.body))
            if (pane.start_seconds, pane.rows) != (sent.start_seconds, sent.rows):
                raise ValueError(f"a pane of {pane.rows} rows where {sent.rows} were sent")
        except _NONSENSE as error:
            self._warn(sent, f"{type(error).__name__}: {error}")
            return None
        return pane


def _binned_by(sent: SentPane, plan: Plan) -> bool:
    return sent.reference_hash == plan.reference_hash
