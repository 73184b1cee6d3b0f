"""What was in force when: settings, what was watched and how, references, mutes."""

import difflib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from service.values.audits import Muted, Period, SettingsInForce, WatchedAs
from service.values.watched import ModelFacts, ModelWatched, ServiceWatched, SettingsWatched

T = TypeVar("T", ModelWatched, ServiceWatched)

CHANGED_LINES_MAX = 400


def settings_in_force(
    period: Period, service: Sequence[ServiceWatched], texts: Iterable[SettingsWatched]
) -> tuple[SettingsInForce, ...]:
    """Each configuration of the period, from its first entry to the first of the next one."""
    known = {entry.config_hash: entry.text for entry in texts}
    found: list[SettingsInForce] = []
    for first, _, end in _runs(service, lambda entry: entry.config_hash):
        text = known.get(first.config_hash)
        before = found[-1].text if found else None
        found.append(
            SettingsInForce(first.config_hash, first.at_seconds, end, text, _changed(before, text))
        )
    return tuple(one for one in found if _meets(period, one.from_seconds, one.to_seconds))


def watched_as(period: Period, entries: Sequence[ModelWatched]) -> tuple[WatchedAs, ...]:
    """What was watched of one version and how, and when it changed."""
    return _told(period, entries, _without_mutes)


def references_of(period: Period, entries: Sequence[ModelWatched]) -> tuple[WatchedAs, ...]:
    """The references of one version, and from when they were compared with, by entries."""
    found = _told(period, entries, lambda facts: facts.reference and facts.reference.hash)
    return tuple(one for one in found if one.facts.reference is not None)


def mutes_of(period: Period, entries: Sequence[ModelWatched]) -> tuple[Muted, ...]:
    """Every mute of one version once, with the first entry that has it."""
    found: dict[Hashable, Muted] = {}
    for entry in entries:
        for mute in () if entry.facts is None else entry.facts.mutes:
            key = (mute.feature, mute.until_seconds, mute.by, mute.why, mute.ticket)
            found.setdefault(key, Muted(entry.version, entry.at_seconds, mute))
    return tuple(
        one for one in found.values() if _meets(period, one.from_seconds, one.mute.until_seconds)
    )


def _told(
    period: Period, entries: Sequence[ModelWatched], by: Callable[[ModelFacts], Hashable]
) -> tuple[WatchedAs, ...]:
    """Facts that are told again are the same as before; the last ones hold to the last entry."""
    with_facts = [entry for entry in entries if entry.facts is not None]
    last = entries[-1].at_seconds if entries else 0.0
    found = []
    for first, newest, end in _runs(with_facts, lambda entry: by(entry.facts or _NOTHING)):
        until = last if newest is with_facts[-1] else end
        if newest.facts is not None and _meets(period, first.at_seconds, until):
            found.append(WatchedAs(first.version, first.at_seconds, until, newest.facts))
    return tuple(found)


_NOTHING = ModelFacts("", 0, 0)


def _runs(entries: Sequence[T], by: Callable[[T], Hashable]) -> list[tuple[T, T, float]]:
    """Entries of one kind on end: the first, the last, and when the first of another kind came;
    at the end, when the last one came.
    """
    runs: list[list[T]] = []
    for entry in entries:
        if runs and by(runs[-1][-1]) == by(entry):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    ends = [run[0].at_seconds for run in runs[1:]] + [run[-1].at_seconds for run in runs[-1:]]
    return [(run[0], run[-1], end) for run, end in zip(runs, ends, strict=True)]


def _without_mutes(facts: ModelFacts) -> Hashable:
    reference = "" if facts.reference is None else facts.reference.hash
    names = (facts.features_total, facts.features)
    return (facts.team, facts.tier, names, reference, facts.budget, facts.tolerance, facts.policy)


def _changed(before: str | None, after: str | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ()
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    kept = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return tuple(kept[:CHANGED_LINES_MAX])


def _meets(period: Period, from_seconds: float, to_seconds: float) -> bool:
    return from_seconds < period.to_seconds and to_seconds >= period.from_seconds
