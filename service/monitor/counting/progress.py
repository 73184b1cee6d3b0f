"""What a worker says of a partition beside its panes: how far it is, and what it has counted."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.monitor.counting.model_shard import ModelShard
from service.monitor.counting.shard import UNKNOWN_MAX, Shard
from service.monitor.counting.totals import ModelTotals, RecordBook
from service.values.reports import LATENCY_BOUNDS_SECONDS
from service.values.streams import ModelKey


class ModelProgress(Struct, frozen=True):
    """One model version. Times are those of `CountedModel`.

    `watermark_seconds`: every pane that ends by then was sent whole. `passed_seconds`: by then all
    that counts was said, if only as early copies; +inf while it is idle. `open_rows` are in panes
    that were not sent whole yet.
    """

    watermark_seconds: float
    passed_seconds: float
    newest_event_seconds: float
    last_arrival_seconds: float
    last_seen_seconds: float
    open_rows: int
    totals: ModelTotals
    unknown_features: tuple[str, ...] = ()

    @property
    def sent_rows(self) -> int:
        """Rows of all panes that were ever sent whole."""
        return self.totals.predictions - self.open_rows


class Progress(Struct, frozen=True):
    """One partition. `passed_others_seconds` holds for model versions that it has not seen.
    `counted_since_era` is the era in which its counts began: they may go on into later ones.
    """

    book: RecordBook
    newest_record_seconds: float
    caught_up_seconds: float
    passed_others_seconds: float
    models: Mapping[ModelKey, ModelProgress]
    counted_since_era: int = 0

    def state(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {
            "counted_since_era": self.counted_since_era,
            "book": self.book.state(),
            "newest_record_seconds": self.newest_record_seconds,
            "caught_up_seconds": self.caught_up_seconds,
            "passed_others_seconds": self.passed_others_seconds,
            "models": [_model_state(key, model) for key, model in self.models.items()],
        }

    @classmethod
    def from_state(cls, state: Any) -> "Progress":
        """What `state` was taken of. Raises ValueError where it cannot have been."""
        try:
            progress = cls(
                book=RecordBook.from_state(state["book"]),
                newest_record_seconds=float(state["newest_record_seconds"]),
                caught_up_seconds=float(state["caught_up_seconds"]),
                passed_others_seconds=float(state["passed_others_seconds"]),
                models={
                    ModelKey(str(model["model"]), str(model["version"])): _model(model)
                    for model in state["models"]
                },
                counted_since_era=int(state["counted_since_era"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"it is no progress: {error!r}") from error
        return progress


def progress_of(shard: Shard, lateness_seconds: float, idle_after_seconds: float) -> Progress:
    """What can be said of a shard whose panes up to the watermarks were closed."""
    return Progress(
        book=shard.book,
        newest_record_seconds=shard.newest_record_seconds,
        caught_up_seconds=shard.caught_up_seconds,
        passed_others_seconds=shard.passed_others_seconds(lateness_seconds, idle_after_seconds),
        models={
            key: ModelProgress(
                watermark_seconds=model.watermark(lateness_seconds),
                passed_seconds=shard.passed_seconds(key, lateness_seconds, idle_after_seconds),
                newest_event_seconds=model.newest_event_seconds,
                last_arrival_seconds=model.last_arrival_seconds,
                last_seen_seconds=model.last_seen_seconds,
                open_rows=open_rows(model),
                totals=_totals_of(model),
                unknown_features=tuple(sorted(model.unknown_features)),
            )
            for key, model in shard.models.items()
        },
        counted_since_era=shard.counted_since_era,
    )


def open_rows(model: ModelShard) -> int:
    """Rows in panes that may still grow."""
    return sum(pane.rows for pane in model.panes.values())


def _totals_of(model: ModelShard) -> ModelTotals:
    totals = ModelTotals()
    model.add_totals_to(totals)
    return totals


def _model_state(key: ModelKey, model: ModelProgress) -> dict[str, Any]:
    return {
        "model": key.model,
        "version": key.version,
        "watermark_seconds": model.watermark_seconds,
        "passed_seconds": model.passed_seconds,
        "newest_event_seconds": model.newest_event_seconds,
        "last_arrival_seconds": model.last_arrival_seconds,
        "last_seen_seconds": model.last_seen_seconds,
        "open_rows": model.open_rows,
        "totals": model.totals.state(),
        "unknown_features": list(model.unknown_features),
    }


def _model(state: Any) -> ModelProgress:
    model = ModelProgress(
        watermark_seconds=float(state["watermark_seconds"]),
        passed_seconds=float(state["passed_seconds"]),
        newest_event_seconds=float(state["newest_event_seconds"]),
        last_arrival_seconds=float(state["last_arrival_seconds"]),
        last_seen_seconds=float(state["last_seen_seconds"]),
        open_rows=int(state["open_rows"]),
        totals=_totals(state["totals"]),
        unknown_features=tuple(str(name) for name in state["unknown_features"][:UNKNOWN_MAX]),
    )
    if not model.watermark_seconds < math.inf or math.isnan(model.passed_seconds):
        raise ValueError(f"a watermark of {model.watermark_seconds}")
    if not 0 <= model.open_rows <= model.totals.predictions:
        raise ValueError(f"{model.open_rows} open rows of {model.totals.predictions}")
    return model


def _totals(state: Any) -> ModelTotals:
    totals = ModelTotals.from_state(state)
    _check_counts(totals.latency_counts, len(LATENCY_BOUNDS_SECONDS) + 1)
    for counts in totals.quality.values():
        _check_counts(counts, 3)
    return totals


def _check_counts(counts: NDArray[np.int64], length: int) -> None:
    if counts.shape != (length,) or counts.dtype != np.int64:
        raise ValueError(f"counts of shape {counts.shape} and type {counts.dtype}")
