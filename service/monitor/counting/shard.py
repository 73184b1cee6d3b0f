"""A shard: all that is known of one partition, with the position it was applied through.

A partition is the unit of work and of state. What a shard holds is a function of the log's prefix
before `next_offset`, the references and the configuration; only the rejection of events from the
future looks at a clock.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.monitor.counting.model_shard import ModelShard, PlanByHash
from service.monitor.counting.panes import Pane, PaneId
from service.monitor.counting.totals import RecordBook
from service.values.batches import Batch, Decoded
from service.values.records import Chunk, Partition
from service.values.rejects import Reason, Reject
from service.values.streams import ModelKey

UNKNOWN_MAX = 100
"""Names of features of a model version that are remembered though nobody watches them."""


class TimeRules(Struct, frozen=True):
    """All in seconds. `use_host_clock` False (a replay) takes each record's own Kafka timestamp
    for "now" where it has one.
    """

    pane_seconds: float = 60.0
    lateness_seconds: float = 60.0
    future_seconds: float = 300.0
    use_host_clock: bool = True
    forget_after_seconds: float = math.inf


class Shard:
    """One partition. `applied` in the sense of the books is entered by `apply` alone.

    `counted_since_era` is the era in which its counts began: an operator's reset raises it.
    """

    def __init__(self, partition: Partition, next_offset: int, now_seconds: float) -> None:
        self.partition = partition
        self.next_offset = next_offset
        self.book = RecordBook()
        self.models: dict[ModelKey, ModelShard] = {}
        self.newest_record_seconds = math.nan
        self.assigned_seconds = now_seconds
        self.counted_since_era = 0
        self.caught_up_seconds = -math.inf

    @property
    def open_panes(self) -> int:
        """Open panes of the model that has most of them."""
        return max((len(model.panes) for model in self.models.values()), default=0)

    def apply(
        self, chunk: Chunk, decoded: Decoded, rules: TimeRules, now_seconds: float
    ) -> list[Reject]:
        """Count one chunk. Returns the rows refused for their time, as rejects."""
        refused = Counter(r.reason for r in decoded.rejects if r.row is None)
        skipped = sum(s.last_offset - s.first_offset + 1 for s in chunk.skipped)
        if skipped:
            refused[Reason.CORRUPT_BATCH] += skipped
        self.book.add(decoded.applied, decoded.ignored, dict(refused))
        for reject in decoded.rejects:
            if reject.row is not None and reject.model is not None:
                self._model(reject.model, now_seconds).totals.add_rejected(reject.reason)
        late_or_future: list[Reject] = []
        for key, batches in _by_model(decoded.batches).items():
            late_or_future += self._apply_model(key, batches, rules, now_seconds)
        self.next_offset = chunk.next_offset
        if chunk.records:
            self.newest_record_seconds = chunk.records[-1].timestamp_seconds
        return late_or_future

    def passed_seconds(
        self, key: ModelKey, lateness_seconds: float, idle_after_seconds: float
    ) -> float:
        """The event time through which this partition has said all of a model that counts.

        +inf when it is idle: the log's end was reached that long after the model's last event. In a
        backlog the records' own timestamps tell the time: after so long a silence of the model, and
        before its first event here, the partition has passed what its other records have passed.
        """
        model = self.models.get(key)
        if model is None:
            return self.passed_others_seconds(lateness_seconds, idle_after_seconds)
        if self.caught_up_seconds >= model.last_seen_seconds + idle_after_seconds:
            return math.inf
        by_records = self.newest_record_seconds - lateness_seconds
        own = model.watermark(lateness_seconds)
        silent = self.newest_record_seconds >= model.last_arrival_seconds + idle_after_seconds
        return max(own, by_records) if silent else own

    def passed_others_seconds(self, lateness_seconds: float, idle_after_seconds: float) -> float:
        """The same for every model that it has not seen."""
        if self.caught_up_seconds >= self.assigned_seconds + idle_after_seconds:
            return math.inf
        by_records = self.newest_record_seconds - lateness_seconds
        return -math.inf if math.isnan(by_records) else by_records

    def note_unknown(self, features: Mapping[ModelKey, frozenset[str]]) -> None:
        """Remember names of features that events have and no plan watches, for the judge."""
        for key, names in features.items():
            if key in self.models:
                known = self.models[key].unknown_features
                known.update(sorted(names - known)[: max(0, UNKNOWN_MAX - len(known))])

    def forget(self, key: ModelKey) -> None:
        """Let go of a model version; one that comes back begins anew."""
        self.models.pop(key, None)

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for a snapshot."""
        return {
            "topic": self.partition.topic,
            "partition": self.partition.number,
            "next_offset": self.next_offset,
            "newest_record_seconds": self.newest_record_seconds,
            "book": self.book.state(),
            "models": [model.state(key) for key, model in self.models.items()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], plan: PlanByHash, now_seconds: float) -> "Shard":
        """The shard that `state` was taken of; `plan` finds a model's plan by its reference."""
        partition = Partition(state["topic"], state["partition"])
        shard = cls(partition, state["next_offset"], now_seconds)
        shard.newest_record_seconds = state["newest_record_seconds"]
        shard.book = RecordBook.from_state(state["book"])
        for model_state in state["models"]:
            key = ModelKey(model_state["model"], model_state["version"])
            shard.models[key] = ModelShard.from_state(key, model_state, plan)
        return shard

    def _model(self, key: ModelKey, now_seconds: float) -> ModelShard:
        model = self.models.get(key)
        if model is None:
            model = self.models[key] = ModelShard(now_seconds)
        return model

    def _apply_model(
        self, key: ModelKey, batches: list[Batch], rules: TimeRules, now_seconds: float
    ) -> list[Reject]:
        model = self._model(key, now_seconds)
        model.last_seen_seconds = now_seconds
        late, future = _out_of_time(model, batches, rules, now_seconds)
        refused: list[Reject] = []
        first = 0
        for batch in batches:
            here = slice(first, first + len(batch))
            first += len(batch)
            _add_to_panes(model, batch, late[here] | future[here], rules.pane_seconds)
            refused += _rejects(self.partition, batch, late[here], Reason.LATE)
            refused += _rejects(self.partition, batch, future[here], Reason.FUTURE)
        late_count, future_count = int(late.sum()), int(future.sum())
        model.totals.late += late_count
        if future_count:
            model.totals.add_rejected(Reason.FUTURE, future_count)
        return refused


def _by_model(batches: Iterable[Batch]) -> dict[ModelKey, list[Batch]]:
    grouped: dict[ModelKey, list[Batch]] = {}
    for batch in batches:
        grouped.setdefault(batch.model, []).append(batch)
    return grouped


def _out_of_time(
    model: ModelShard, batches: list[Batch], rules: TimeRules, now_seconds: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows (of all batches one after the other) come too late, and which from the future.

    Late: the pane's end is at or before W as it stood just before the event; so the order of the
    log decides, not how it was cut into batches. Moves the model's clock on.
    """
    times = np.concatenate([batch.times_seconds for batch in batches])
    arrivals = np.concatenate([batch.arrivals_seconds for batch in batches])
    order = _log_order(batches)
    now = np.full(len(times), now_seconds)
    if not rules.use_host_clock:
        now = np.where(np.isnan(arrivals), now, arrivals)
    future = times > now + rules.future_seconds
    capped = np.where(future, -np.inf, np.fmin(times, arrivals))[order]
    highest = np.maximum.accumulate(np.concatenate(([model.newest_seconds], capped)))
    ends = (np.floor(times / rules.pane_seconds) + 1) * rules.pane_seconds
    late = np.empty(len(times), dtype=bool)
    late[order] = ends[order] <= highest[:-1] - rules.lateness_seconds
    late &= ~future
    model.newest_seconds = float(highest[-1])
    believable = arrivals[arrivals <= now + rules.future_seconds]
    if len(believable):
        newest_arrival = np.fmax(believable.max(), model.last_arrival_seconds)
        model.last_arrival_seconds = float(newest_arrival)
    return late, future


def _log_order(batches: list[Batch]) -> NDArray[np.int64]:
    """Positions of the rows of all batches in the order of the log."""
    if len(batches) == 1:
        return np.arange(len(batches[0]))
    offsets = np.array([record.offset for batch in batches for record in batch.records])
    rows = np.concatenate([batch.rows for batch in batches])
    return np.lexsort((rows, offsets))


def _add_to_panes(
    model: ModelShard, batch: Batch, refused: NDArray[np.bool_], pane_seconds: float
) -> None:
    if refused.all():
        return
    starts = np.floor(batch.times_seconds / pane_seconds) * pane_seconds
    if refused.any():
        kept = np.flatnonzero(~refused)
        model.totals.add_rows(batch.weights[kept], batch.latency_seconds[kept])
    else:
        kept = None
        model.totals.add_rows(batch.weights, batch.latency_seconds)
    distinct = np.unique(starts if kept is None else starts[kept])
    for start in distinct.tolist():
        chosen = kept
        if len(distinct) > 1:
            chosen = np.flatnonzero((starts == start) & ~refused)
        pane = model.panes.get(PaneId(start, batch.plan.reference_hash))
        if pane is None:
            pane = Pane(start, batch.plan)
            model.panes[pane.id] = pane
        pane.add(batch, chosen)


def _rejects(
    partition: Partition, batch: Batch, refused: NDArray[np.bool_], reason: Reason
) -> list[Reject]:
    if not refused.any():
        return []
    return [
        Reject(
            reason=reason,
            detail=f"event time {batch.times_seconds[i]:.3f}",
            partition=partition,
            record=batch.records[i],
            row=int(batch.rows[i]),
            model=batch.model,
        )
        for i in np.flatnonzero(refused).tolist()
    ]
