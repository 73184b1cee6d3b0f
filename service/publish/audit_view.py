"""The audit as its template wants it: sentences, a picture, and episodes with their evidence."""

from msgspec import Struct

from service.publish import audit_sentences as told
from service.publish.episode_view import about
from service.publish.pictures.svg import Picture
from service.publish.pictures.watch_days import watch_days
from service.publish.words import decimals
from service.values.audits import Audit, AuditedEpisode, Span
from service.values.episodes import Episode

SPANS_MAX = 100


class EpisodeTold(Struct, frozen=True):
    """One episode; `events` are when, what happened and why, `evidence` what it rests on."""

    about: str
    newest: Episode
    peak: str
    sentence: str
    events: tuple[tuple[float, str, str, str], ...]
    evidence: tuple[str, ...]
    decided: str
    verdicts: tuple[tuple[float, str, str, str], ...]


class AuditView(Struct, frozen=True):
    """Everything. `blind` are the longest times in which nothing could have been noticed."""

    title: str
    opening: str
    why_blind: tuple[str, ...]
    remarks: tuple[str, ...]
    books: str
    episodes_sentence: str
    days: Picture
    blind: tuple[Span, ...]
    blind_total: int
    episodes: tuple[EpisodeTold, ...]


def audit_view(audit: Audit) -> AuditView:
    """The whole report."""
    longest = sorted(audit.blind, key=lambda s: s.from_seconds - s.to_seconds)[:SPANS_MAX]
    return AuditView(
        title=f"Audit of {told.named(audit)}",
        opening=told.opening(audit),
        why_blind=tuple(told.why_blind(audit.minutes)),
        remarks=tuple(told.remarks(audit.minutes)),
        books=told.of_books(audit),
        episodes_sentence=told.of_episodes(audit),
        days=watch_days(told.named(audit), audit.days),
        blind=tuple(sorted(longest, key=lambda span: span.from_seconds)),
        blind_total=len(audit.blind),
        episodes=tuple(map(_told, audit.episodes)),
    )


def _told(one: AuditedEpisode) -> EpisodeTold:
    newest = one.newest
    return EpisodeTold(
        about=about(newest),
        newest=newest,
        peak=decimals(newest.peak),
        sentence=newest.words or "its distribution has changed",
        events=tuple(
            (e.updated_seconds, e.phase.value, e.severity.value, _why(e)) for e in one.events
        ),
        evidence=tuple(_evidence(one.events)),
        decided=told.verdict_words(one),
        verdicts=tuple(
            (v.at_seconds, "real" if v.real else "not real", v.by, v.why) for v in one.verdicts
        ),
    )


def _why(event: Episode) -> str:
    why = event.escalated_because or event.ended_because
    heard = "nobody was told: it was past when it was judged" if event.backlog else ""
    return "; ".join(part for part in (f"score {decimals(event.score)}", why, heard) if part)


def _evidence(events: tuple[Episode, ...]) -> list[str]:
    """As of its first event, and as of the one with the highest score."""
    known = [event for event in events if event.evidence is not None]
    if not known:
        return ["none is kept"]
    chosen = dict.fromkeys(
        (known[0].sequence, max(known, key=lambda event: event.score).sequence), True
    )
    return [line for event in known if event.sequence in chosen for line in _lines(event)]


def _lines(event: Episode) -> list[str]:
    evidence = event.evidence
    if evidence is None:
        return []
    offsets = "; ".join(f"{o.topic}/{o.partition} {o.first} to {o.last}" for o in evidence.offsets)
    stands = (
        f"At {event.phase.value} (event {event.sequence}): {evidence.rows:,} rows, reference "
        f"{evidence.reference_hash[:12]}, configuration {evidence.config_hash[:12]}, offsets "
        f"{offsets or 'not kept'}"
    )
    distances = [
        f"{distance.kind.value} {distance.name}, last {distance.window}: PSI "
        f"{decimals(distance.psi)}, mean {decimals(distance.mean_shift_sd)} sd"
        for distance in evidence.distances[:5]
    ]
    return [stands, *distances]
