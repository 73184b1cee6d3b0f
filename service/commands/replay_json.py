"""What a replay found, for a program. Times are RFC 3339; what is not known is null."""

import json
import math
from datetime import UTC, datetime
from typing import Any

from service.commands.replay_answer_json import reconsidered_tree
from service.commands.replay_policy import distances_tree, policy_tree
from service.publish.backtest_sentences import unseen
from service.values.backtests import (
    Alarm,
    Backtest,
    Case,
    Evidence,
    Finding,
    Histogram,
    History,
    NearMiss,
    Setting,
    TopicRange,
)
from service.values.reports import ModelReport, TopicReport

FORMAT = 1


def as_json(backtest: Backtest, files: tuple[str, ...]) -> str:
    """The whole backtest but for the lines of its pictures."""
    outcome = backtest.outcome
    findings = backtest.findings
    pairs = zip(outcome.alarms, backtest.evidence, strict=True)
    tree = {
        "format": FORMAT,
        "files": list(files),
        "config_hash": backtest.origin.config_hash,
        "from": _time(outcome.from_seconds),
        "to": _time(outcome.to_seconds),
        "budget": backtest.budget,
        "budget_allows": round(backtest.budget_allows, 4),
        "tolerance_sd": backtest.tolerance_sd,
        "reconsidered": (
            None if backtest.reconsidered is None else reconsidered_tree(backtest.reconsidered)
        ),
        "episodes": [_case(case) for case in backtest.cases],
        "alarms": [
            _alarm(alarm, evidence)
            | ({} if findings is None else {"expected": i not in backtest.unexpected})
            for i, (alarm, evidence) in enumerate(pairs)
        ],
        "incidents": None if findings is None else [_finding(finding) for finding in findings],
        "what_if": [_setting(setting) for setting in backtest.what_if],
        "near_misses": [_near_miss(miss) for miss in backtest.near_misses],
        "warnings": list(backtest.warnings),
        "notes": list(backtest.notes),
        "could_not_see": [_history(history) for history in backtest.histories],
        "models": [_model(model) for model in outcome.models],
        "books": [_book(book, is_topic=bool(backtest.origin.topics)) for book in outcome.books],
        "again": {
            "command": backtest.origin.command,
            "versions": dict(backtest.origin.versions),
            "files": [
                {"path": file.path, "bytes": file.bytes, "sha256": file.sha256}
                for file in backtest.origin.files
            ],
            "topics": [_topic(found) for found in backtest.origin.topics],
        },
    }
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False)


def _case(case: Case) -> dict[str, Any]:
    """`alarms` are positions in the list of alarms."""
    episode = case.episode
    return {
        "id": episode.id,
        "severity": episode.severity.value,
        "category": episode.category.value,
        "model": episode.model,
        "model_version": episode.version,
        "team": episode.team,
        "source": episode.source,
        "onset": _time(episode.onset_seconds),
        "started": _time(episode.started_seconds),
        "ended": None if episode.ended_seconds is None else _time(episode.ended_seconds),
        "peak": round(episode.peak, 4),
        "words": episode.words,
        "cause": episode.cause,
        "likely": episode.likely,
        "features": [
            {"kind": stream.kind.value, "feature": stream.name, "words": stream.words}
            for stream in episode.streams
        ],
        "alarms": list(case.alarms),
        "expected": case.expected,
    }


def _alarm(alarm: Alarm, evidence: Evidence | None) -> dict[str, Any]:
    told = {
        "model": alarm.model.model,
        "model_version": alarm.model.version,
        "kind": alarm.stream.kind.value,
        "feature": alarm.stream.name,
        "started": _time(alarm.started_seconds),
        "ended": None if alarm.ended_seconds is None else _time(alarm.ended_seconds),
        "score": round(alarm.score, 4),
        "detectors": list(alarm.detectors),
        "summary": alarm.summary,
    }
    if evidence is None:
        return told
    return told | {
        "peak": round(evidence.peak, 4),
        "seen_after_seconds": dict(evidence.seen_after_seconds),
        "histogram": _histogram(evidence.histogram),
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    """Cells as they lie: by the edges, or the categories, other and unseen; missing, invalid."""
    return {
        "edges": list(histogram.edges),
        "categories": list(histogram.categories),
        "reference": list(histogram.reference),
        "live": list(histogram.live),
        "live_from": _time(histogram.from_seconds),
        "live_to": _time(histogram.to_seconds),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    incident = finding.incident
    return {
        "start": _time(incident.start_seconds),
        "end": _time(incident.end_seconds),
        "model": incident.model,
        "feature": incident.feature,
        "what": incident.what,
        "found": bool(finding.alarms),
        "delay_seconds": _number(finding.delay_seconds),
        "alarms": list(finding.alarms),
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {
        "tolerance_sd": setting.tolerance_sd,
        "budget": setting.budget,
        "configured": setting.configured,
        "episodes": setting.episodes,
        "alarms": setting.alarms,
        "missed_incidents": list(setting.missed),
    }


def _near_miss(miss: NearMiss) -> dict[str, Any]:
    return {
        "model": miss.model.model,
        "model_version": miss.model.version,
        "kind": miss.stream.kind.value,
        "feature": miss.stream.name,
        "at": _time(miss.at_seconds),
        "score": round(miss.score, 4),
        "detector": miss.detector,
        "histogram": _histogram(miss.histogram),
    }


def _history(history: History) -> dict[str, Any]:
    return {
        "model": history.key.model,
        "model_version": history.key.version,
        "sentences": unseen(history),
        "judged_from": _time(history.judged_from_seconds),
        "silent_seconds": history.silent_seconds,
        "longest_gaps": [
            {"from": _time(gap.from_seconds), "to": _time(gap.to_seconds)} for gap in history.gaps
        ],
        "constant": [list(key) for key in history.constant],
        "blind": [list(key) for key in history.blind],
        "vague": [list(key) for key in history.vague],
        "hours": [
            {
                "hour": hour.hour,
                "events_per_pane": round(hour.events_per_pane, 2),
                "smallest_shift_sd": _number(hour.shift_sd),
            }
            for hour in history.hours
        ],
    }


def _model(model: ModelReport) -> dict[str, Any]:
    return {
        "model": model.key.model,
        "model_version": model.key.version,
        "predictions": model.predictions_total,
        "late": model.late_total,
        "unjudged": model.unjudged_total,
        "rejected": {reason.value: count for reason, count in model.rejected_totals.items()},
        "panes": model.panes_judged_total,
        "reference": model.reference_hash,
        "reference_state": model.reference_state.value,
        "policy": policy_tree(model.policy),
        "streams": [
            {
                "kind": stream.key.kind.value,
                "feature": stream.key.name,
                "score": round(stream.score, 4),
                "missing": stream.missing_total,
                "invalid": stream.invalid_total,
                "unseen": stream.unseen_total,
                **distances_tree(stream),
            }
            for stream in model.streams
        ],
    }


def _topic(found: TopicRange) -> dict[str, Any]:
    """Offsets from `first` on, before `end`; `missing` is null where only the time is known."""
    return {
        "topic": found.topic,
        "partition": found.partition,
        "first": found.first,
        "end": found.end,
        "missing": found.missing,
        "missing_from": _time(found.missing_from_seconds),
        "missing_until": _time(found.missing_until_seconds) if found.missing is None else None,
    }


def _book(book: TopicReport, *, is_topic: bool) -> dict[str, Any]:
    return {
        "topic" if is_topic else "file": book.topic,
        "consumed": book.consumed,
        "applied": book.applied,
        "ignored": book.ignored,
        "rejected": {reason.value: count for reason, count in book.rejected.items()},
    }


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _time(seconds: float) -> str | None:
    if not math.isfinite(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
