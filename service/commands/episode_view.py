"""Episodes on the terminal: a line each in a list, and all that is known of one."""

from collections.abc import Iterable, Sequence

import msgspec

from service.publish.episode_advice import Where, what_now
from service.publish.episode_view import about, stream_ends
from service.publish.words import count, decimals, duration, moment, several
from service.state.episode_history import EpisodeHistory
from service.values.episodes import (
    Episode,
    EpisodeStream,
    Evidence,
    StreamDistance,
    Verdict,
)

_DOT = " \N{MIDDLE DOT} "
_INDENT = 16
_STREAMS_MAX = 10
_EVENTS_MAX = 20
_EVENTS_FIRST = 3
_MARKS = {True: "\N{BLACK UP-POINTING TRIANGLE}", False: "\N{BLACK CIRCLE}"}


def as_list(shown: Iterable[EpisodeHistory]) -> str:
    """An episode's name, whom it reaches, and when; what changed; and while it lasts the cause."""
    return "\n".join(line for history in shown for line in _entry(history))


def as_json(shown: Iterable[EpisodeHistory], *, every_event: bool = False) -> str:
    """For a program: of each the newest event, or every one, and the verdicts."""
    tree = [
        {
            "episode": history.newest,
            **({"events": history.events} if every_event else {}),
            "verdicts": history.verdicts,
        }
        for history in shown
    ]
    return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode()


def as_text(history: EpisodeHistory, now_seconds: float, where: Where) -> str:
    """Everything on one screen, the answers first; its commands are given what `where` says."""
    episode = history.newest
    parts = [
        (f"{_MARKS[episode.is_open]} {_heading(episode, now_seconds)}", []),
        ("Likely", [episode.likely]),
        ("IS IT REAL", _is_it_real(episode)),
        ("HOW MUCH", _how_much(episode)),
        ("SINCE WHEN", _since_when(episode)),
        ("WHAT ELSE", _what_else(episode, where)),
        ("WHAT NOW", what_now(episode, now_seconds, where)),
        ("EVIDENCE", _evidence(episode.evidence)),
        ("HISTORY", _history(history.events)),
        ("VERDICT", [_verdict(verdict) for verdict in history.verdicts] or ["none yet"]),
    ]
    return "\n".join(_part(title, lines) for title, lines in parts if lines or title[0] in "▲●")


def _entry(history: EpisodeHistory) -> list[str]:
    episode, verdict = history.newest, history.verdict
    until = "lasts" if episode.ended_seconds is None else f"to {_time(episode.ended_seconds)}"
    parts = [
        f"{_MARKS[episode.is_open]} {episode.id}",
        episode.severity.value,
        f"{_time(episode.onset_seconds)} {until}",
        f"peak {decimals(episode.peak)}",
    ]
    if verdict is not None:
        parts.append(f"{'real' if verdict.real else 'not real'}, says {verdict.by}")
    lines = [_DOT.join(parts), f"    {about(episode)}: {episode.words}"]
    if episode.is_open and episode.likely:
        lines.append(f"    likely {episode.likely}")
    return lines


def _part(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return title
    first, *rest = lines
    return "\n".join([f"{title:<{_INDENT}}{first}", *(" " * _INDENT + line for line in rest)])


def _heading(episode: Episode, now: float) -> str:
    lasted = (episode.ended_seconds or now) - episode.onset_seconds
    until = "ongoing" if episode.is_open else f"over ({episode.ended_because})"
    return (
        f"{about(episode)}: {episode.words}\n"
        f"  since {_time(episode.onset_seconds)} UTC; {until}, {duration(lasted)}"
        f" \N{MIDDLE DOT} {episode.severity.value} \N{MIDDLE DOT} {episode.team}"
    )


def _is_it_real(episode: Episode) -> list[str]:
    rows = "" if episode.evidence is None else f", {count(episode.evidence.rows)} rows since"
    evidence = f"evidence {decimals(episode.score)} x alarm level now"
    lines = [f"{evidence}, {decimals(episode.peak)} x at its highest{rows}"]
    for stream in _worst(episode):
        seen = ", ".join(
            f"{by.name} {_clock(by.at_seconds)} ({decimals(by.evidence)} of {decimals(by.level)})"
            for by in stream.detectors
        )
        if seen:
            lines.append(f"{stream.key.title} seen by {seen}")
    return lines


def _how_much(episode: Episode) -> list[str]:
    lines = []
    for stream in _worst(episode):
        lines.append(f"{stream.key.title} ({stream.kind.value}): {stream.words or 'has drifted'}")
        lines += [
            f"  {cell.name}: {_percent(cell.before)} before, {_percent(cell.after)} after"
            for cell in stream.cells
        ]
        lines += [
            f"  {_distance(told)}"
            for told in (episode.evidence.distances if episode.evidence else ())
            if (told.kind, told.name) == stream.key
        ]
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _distance(told: StreamDistance) -> str:
    figures = [
        ("PSI", told.psi),
        ("Jensen-Shannon", told.jensen_shannon),
        ("KS", told.ks),
        ("Wasserstein, sd", told.wasserstein_sd),
        ("mean shift, sd", told.mean_shift_sd),
    ]
    said = ", ".join(f"{name} {decimals(value)}" for name, value in figures if value is not None)
    return f"last {told.window}: {said or 'no values'} ({count(told.values)} values)"


def _since_when(episode: Episode) -> list[str]:
    began = f"began {_time(episode.onset_seconds)} by estimate"
    lines = [f"{began}, first alarm in the pane of {_time(episode.started_seconds)}"]
    if episode.backlog:
        lines.append("found in a backlog, when it was past already: nobody was told")
    return lines


def _what_else(episode: Episode, where: Where) -> list[str]:
    lines = [
        f"{member.key.words} since {_time(member.since_seconds)}: "
        f"anchorwatch episode show {member.episode}{where.record}"
        for member in episode.members
    ]
    if episode.upstream:
        lines.append(f"part of {episode.upstream}, which models on one source share")
    for end in stream_ends(episode):
        names = ", ".join(end.names[:_STREAMS_MAX])
        more = ", ..." if len(end.names) > _STREAMS_MAX else ""
        lines.append(f"no longer drifting: {names}{more} ({end.because} {_time(end.at_seconds)})")
    further = episode.streams_total - _STREAMS_MAX
    if further > 0:
        lines.append(f"{several(further, 'further stream', 'further streams')}: --json names them")
    sources = sorted({stream.source for stream in episode.streams if stream.source})
    return [*lines, f"sources: {', '.join(sources)}"] if sources else lines


def _evidence(evidence: Evidence | None) -> list[str]:
    if evidence is None:
        return []
    parts = (
        f"reference {evidence.reference_hash[:12]}",
        f"configuration {evidence.config_hash[:12]}",
        f"panes {_time(evidence.from_seconds)} to {_time(evidence.to_seconds)}",
    )
    lines = [_DOT.join(parts)]
    lines += [
        f"{offsets.topic}/{offsets.partition}: {count(offsets.first)} to {count(offsets.last)}"
        for offsets in evidence.offsets
    ]
    return lines


def _history(events: Sequence[Episode]) -> list[str]:
    """A line an event, what became worse, or why it is over; of many the middle is left out."""
    lines = [_event(event, events[0].updated_seconds) for event in events]
    surplus = len(lines) - _EVENTS_MAX
    if surplus <= 0:
        return lines
    left_out = f"... {several(surplus, 'more event', 'more events')}: --json has them"
    return [*lines[:_EVENTS_FIRST], left_out, *lines[surplus + _EVENTS_FIRST :]]


def _event(event: Episode, first_seconds: float) -> str:
    time = moment(event.updated_seconds, first_seconds)
    said = f"{time} {event.phase.value.upper()} {decimals(event.score)}"
    why = event.escalated_because or event.ended_because
    return f"{said}: {why}" if why else said


def _verdict(verdict: Verdict) -> str:
    said = "real" if verdict.real else "not real"
    return f"{_time(verdict.at_seconds)} {said}, by {verdict.by}: {verdict.why}"


def _worst(episode: Episode) -> list[EpisodeStream]:
    return sorted(episode.streams, key=lambda stream: (not stream.drifts, -stream.peak))[
        :_STREAMS_MAX
    ]


def _time(seconds: float) -> str:
    return moment(seconds, float("inf"))


def _clock(seconds: float) -> str:
    return moment(seconds, seconds)
