"""What became of an episode that was judged again, and what other settings change, as JSON."""

import math
from datetime import UTC, datetime
from typing import Any

from service.publish.backtest_answers import further, headline
from service.values.backtests import Answer, EpisodeChange, Largest, Reconsidered
from service.values.episodes import Episode


def reconsidered_tree(asked: Reconsidered) -> dict[str, Any]:
    """The sentences, what they rest on, and every episode with its fate (null: not asked for)."""
    return {
        "set": list(asked.settings),
        "sentence": headline(asked),
        "further": further(asked),
        "answer": None if asked.answer is None else _answer(asked.answer),
        "changes": None if asked.changes is None else [_change(change) for change in asked.changes],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    start, episode = answer.would_start_seconds, answer.episode
    return {
        "episode": episode.id,
        "model": episode.model,
        "model_version": episode.version,
        "started": _time(episode.started_seconds),
        "would_alarm": start is not None,
        "would_start": _time(start),
        "later_seconds": None if start is None else start - episode.started_seconds,
        "as_configured_start": _time(answer.configured_start_seconds),
        "largest": None if answer.largest is None else _largest(answer.largest),
        "rows": answer.rows,
        "rows_then": answer.rows_then,
        "history_seconds": answer.history_seconds,
        "history_wanted_seconds": answer.history_wanted_seconds,
        "reference": answer.reference_hash,
        "reference_then": answer.reference_hash_then,
        "config_hash": answer.config_hash,
        "config_hash_then": answer.config_hash_then,
    }


def _largest(largest: Largest) -> dict[str, Any]:
    return {
        "kind": largest.stream.kind.value,
        "feature": largest.stream.name,
        "at": _time(largest.at_seconds),
        "score": round(largest.score, 4),
        "detector": largest.detector,
    }


def _change(change: EpisodeChange) -> dict[str, Any]:
    return {
        "fate": change.fate.value,
        "before": None if change.before is None else _episode(change.before),
        "after": None if change.after is None else _episode(change.after),
    }


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "id": episode.id,
        "model": episode.model,
        "model_version": episode.version,
        "source": episode.source,
        "category": episode.category.value,
        "severity": episode.severity.value,
        "started": _time(episode.started_seconds),
        "ended": _time(episode.ended_seconds),
        "peak": round(episode.peak, 4),
        "words": episode.words,
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None or not math.isfinite(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
