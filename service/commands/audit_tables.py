"""An audit as tables, for CSV: the first row of each names its columns. Times are RFC 3339."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from service.publish.audit_sentences import FATE_WORDS, broker_says, down_words
from service.values.audits import Audit, Fate, Minutes

Rows = Sequence[Sequence[object]]

_MINUTES = (*(f"minutes_{fate.value}" for fate in Fate),)
_REMARKS = ("minutes_late", "minutes_read_afterwards", "minutes_some_feature_muted")


def tables(audit: Audit) -> Mapping[str, Rows]:
    """Every table by its name."""
    return {
        "days": _days(audit),
        "versions": _versions(audit),
        "not-watched": _spans(audit),
        "service-down": _down(audit),
        "books": _books(audit),
        "settings": _settings(audit),
        "references": _references(audit),
        "policy": _policy(audit),
        "mutes": _mutes(audit),
        "episodes": _episodes(audit),
        "verdicts": _verdicts(audit),
    }


def _minutes(minutes: Minutes) -> list[object]:
    by_fate = [minutes.of(fate) for fate in Fate]
    return [*by_fate, minutes.late, minutes.afterwards, minutes.muted]


def _days(audit: Audit) -> Rows:
    rows = [[day.day, *_minutes(day.minutes), day.rows] for day in audit.days]
    return [["day", *_MINUTES, *_REMARKS, "rows_judged"], *rows]


def _versions(audit: Audit) -> Rows:
    counted = ("predictions", "judged", "unjudged", "late", "rejected")
    head = ["version", "first_event", *_MINUTES, *_REMARKS, "rows_from", "rows_to"]
    rows = []
    for one in audit.versions:
        of = one.rows
        counts: list[object] = [None] * (2 + len(counted))
        if of is not None:
            rejected = sum(of.rejected.values())
            counts = [_time(of.from_seconds), _time(of.to_seconds)]
            counts += [of.predictions, of.judged, of.unjudged, of.late, rejected]
        rows.append([one.version, _time(one.first_seconds), *_minutes(one.minutes), *counts])
    return [[*head, *(f"rows_{name}" for name in counted)], *rows]


def _spans(audit: Audit) -> Rows:
    rows = [
        [
            _time(one.from_seconds),
            _time(one.to_seconds),
            round((one.to_seconds - one.from_seconds) / 60),
            FATE_WORDS[one.fate],
        ]
        for one in audit.blind
    ]
    return [["from", "to", "minutes", "why"], *rows]


def _down(audit: Audit) -> Rows:
    rows = [[_time(d.from_seconds), _time(d.to_seconds), down_words(d)] for d in audit.down]
    return [["from", "to", "how"], *rows]


def _books(audit: Audit) -> Rows:
    head = ["topic", "partition", "from", "to", "first_offset", "end_offset", "consumed"]
    rows = [
        [
            book.topic,
            book.partition,
            _time(book.from_seconds),
            _time(book.to_seconds),
            book.first,
            book.end,
            book.consumed,
            book.applied,
            book.ignored,
            sum(book.rejected.values()),
            book.gaps,
            broker_says(book),
        ]
        for book in audit.books
    ]
    more = ["applied", "ignored", "rejected", "offsets_without_record", "broker"]
    return [[*head, *more], *rows]


def _settings(audit: Audit) -> Rows:
    rows = [
        [_time(s.from_seconds), _time(s.to_seconds), s.config_hash, "\n".join(s.changed), s.text]
        for s in audit.settings
    ]
    return [["from", "to", "configuration_hash", "changed", "settings"], *rows]


def _references(audit: Audit) -> Rows:
    head = ["version", "from", "to", "hash", "in_force_from", "source", "rows", "created"]
    rows = []
    for one in audit.references:
        reference = one.facts.reference
        if reference is None:
            continue
        rows.append(
            [
                one.version,
                _time(one.from_seconds),
                _time(one.to_seconds),
                reference.hash,
                _time(reference.effective_from_seconds),
                reference.source,
                reference.rows,
                _time(reference.created_seconds),
                reference.created_by,
                reference.dataset,
                reference.data_hash,
                "; ".join(f"{name}={text}" for name, text in reference.metadata.items()),
            ]
        )
    return [[*head, "created_by", "dataset", "data_hash", "metadata"], *rows]


def _policy(audit: Audit) -> Rows:
    head = ["month", "version", "policy", "hours", "amber_or_red_hours", "red_hours"]
    rows = [
        [
            one.month,
            one.version,
            one.policy,
            one.hours,
            one.amber_hours,
            one.red_hours,
            one.doubtful_hours,
            one.highest,
            one.stream,
            _time(one.at_seconds),
            one.covered_ratio,
        ]
        for one in audit.policy
    ]
    more = ["hours_some_level_says_nothing", "highest_distance", "stream", "at", "window_covered"]
    return [[*head, *more], *rows]


def _mutes(audit: Audit) -> Rows:
    rows = [
        [
            one.version,
            one.mute.feature,
            _time(one.from_seconds),
            _time(one.mute.until_seconds),
            one.mute.by,
            one.mute.why,
            one.mute.ticket,
        ]
        for one in audit.mutes
    ]
    return [["version", "feature", "known_since", "until", "by", "why", "ticket"], *rows]


def _episodes(audit: Audit) -> Rows:
    head = ["episode", "model", "version", "category", "severity", "team", "onset", "first_alarm"]
    rows = []
    for one in audit.episodes:
        newest = one.newest
        last = one.verdicts[-1] if one.verdicts else None
        evidence = newest.evidence
        rows.append(
            [
                newest.id,
                newest.model,
                newest.version,
                newest.category.value,
                newest.severity.value,
                newest.team,
                _time(newest.onset_seconds),
                _time(newest.started_seconds),
                _time(newest.ended_seconds),
                newest.ended_because,
                round(newest.peak, 3),
                newest.words,
                newest.likely,
                "" if last is None else ("real" if last.real else "not real"),
                "" if evidence is None else evidence.reference_hash,
                "" if evidence is None else evidence.config_hash,
            ]
        )
    more = ["ended", "ended_because", "peak_score", "what", "likely", "verdict"]
    return [[*head, *more, "reference_hash", "configuration_hash"], *rows]


def _verdicts(audit: Audit) -> Rows:
    rows = [
        [v.episode, _time(v.at_seconds), "real" if v.real else "not real", v.by, v.why]
        for one in audit.episodes
        for v in one.verdicts
    ]
    return [["episode", "at", "verdict", "by", "why"], *rows]


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
