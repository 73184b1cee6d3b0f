"""A version against the fixed limits of its policy, month by month."""

from collections.abc import Sequence
from datetime import UTC, datetime

from service.values.audits import Period, PolicyMonth
from service.values.watched import HOUR_SECONDS, ModelWatched, PolicyWatched


def policy_months(period: Period, entries: Sequence[ModelWatched]) -> tuple[PolicyMonth, ...]:
    """Each month of one version in which entries have a policy, in order of time.

    `entries` in order of time; what a policy says is in the facts, which not each of them has.
    """
    months: dict[tuple[str, str], list[tuple[float, PolicyWatched]]] = {}
    words = ""
    for entry in entries:
        words = words if entry.facts is None else entry.facts.policy
        if entry.policy is None or not _lies_in(period, entry.at_seconds):
            continue
        month = datetime.fromtimestamp(entry.at_seconds, UTC).strftime("%Y-%m")
        months.setdefault((month, words), []).append((entry.at_seconds, entry.policy))
    version = entries[0].version if entries else ""
    return tuple(_month(version, *key, told) for key, told in months.items())


def _lies_in(period: Period, at_seconds: float) -> bool:
    return period.from_seconds <= at_seconds <= period.to_seconds


def _month(
    version: str, month: str, policy: str, told: Sequence[tuple[float, PolicyWatched]]
) -> PolicyMonth:
    """By the last entry of each hour."""
    hourly = {int(at // HOUR_SECONDS): (at, policy_then) for at, policy_then in told}.values()
    known = [(p.highest, p.stream, at) for at, p in hourly if p.highest is not None]
    highest, stream, at_seconds = max(known, default=(None, "", None))
    return PolicyMonth(
        version=version,
        month=month,
        policy=policy,
        hours=len(hourly),
        amber_hours=sum(p.amber + p.red > 0 for _, p in hourly),
        red_hours=sum(p.red > 0 for _, p in hourly),
        doubtful_hours=sum(p.too_few + p.unknown > 0 for _, p in hourly),
        highest=highest,
        stream=stream,
        at_seconds=at_seconds,
        covered_ratio=max(p.covered_ratio for _, p in hourly),
    )
