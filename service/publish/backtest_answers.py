"""What is said of an episode that was judged again, and of what other settings change; the same in
the report and on the terminal.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.pictures.time_axis import minute
from service.publish.words import count, decimals, duration, several
from service.values.backtests import Answer, EpisodeChange, Fate, Largest, Reconsidered
from service.values.episodes import Episode

ROWS_MIN_SHARE = 0.95
"""Of the rows that an episode rests on, fewer that were read are told of."""

_HASH_SHOWN = 12
_DAY = 86_400.0
_NAMES = {
    Fate.LOST: "would not be told",
    Fate.GAINED: "told in addition",
    Fate.LATER: "later",
    Fate.EARLIER: "earlier",
    Fate.SAME: "unchanged",
}


class ChangeRow(Struct, frozen=True):
    """One episode that other settings change; times are minutes in UTC, a dash where it is not."""

    fate: str
    model: str
    words: str
    severity: str
    before: str
    after: str
    score: str


def headline(asked: Reconsidered) -> str:
    """The answer in a sentence: of the episode, or of what the settings change; else empty."""
    if asked.answer is not None:
        return f"{_under(asked)}{_would(asked.answer)}."
    return "" if asked.changes is None else f"{_under(asked)}{_changed(asked.changes)}."


def further(asked: Reconsidered) -> list[str]:
    """What else is to be said: the episode itself, what else changes, and what is doubtful."""
    parts = []
    if asked.answer is not None:
        episode = asked.answer.episode
        since = minute(episode.started_seconds)
        parts.append(
            f"{episode.id}: {told.episode_model(episode)}, {episode.words}; "
            f"{episode.severity.value} since {since}, highest score {decimals(episode.peak)}."
        )
        parts += _doubts(asked.answer)
    if asked.answer is not None and asked.changes is not None:
        parts.append(f"Over all that was read, {_changed(asked.changes)}.")
    return parts


def change_rows(changes: Sequence[EpisodeChange]) -> list[ChangeRow]:
    """The episodes that are not as they were, in order of time."""
    return [_row(change) for change in changes if change.fate is not Fate.SAME]


def _under(asked: Reconsidered) -> str:
    return f"With {', '.join(asked.settings)}, " if asked.settings else "As configured now, "


def _would(answer: Answer) -> str:
    start, then = answer.would_start_seconds, answer.episode.started_seconds
    if start is None:
        return f"it would not have alarmed: {_largest(answer.largest)}"
    at = _time(start, then)
    if start == then:
        return f"it would have alarmed at {at}, as it did"
    apart = "later" if start > then else "earlier"
    return f"it would have alarmed at {at}, {_exactly(abs(start - then))} {apart} than it did"


def _largest(largest: Largest | None) -> str:
    if largest is None:
        return "nothing could be compared"
    of = f"({told.stream_name(largest.stream)}, {largest.detector}, {minute(largest.at_seconds)})"
    evidence = f"the largest evidence was {told.almost(largest.score)} of the alarm level {of}"
    if largest.score < 1:
        return evidence
    return f"{evidence}, but the stream is muted, or so unstable that it never alarms"


def _changed(changes: Sequence[EpisodeChange]) -> str:
    """`of 4 episodes 1 would not be told, 1 would come later and 2 stay as they are; 1 is new`."""
    by = Counter(change.fate for change in changes)
    gained = by[Fate.GAINED]
    known = len(changes) - gained
    if not changes:
        return "there is no episode, as there is none now"
    new = several(gained, "episode comes", "episodes come") + " in addition"
    if not known:
        return f"there is no episode as configured, and {new}"
    words = {
        Fate.LOST: "would not be told",
        Fate.LATER: "would be told later",
        Fate.EARLIER: "would be told earlier",
        Fate.SAME: "would start as now",
    }
    parts = [f"{by[fate]:,} {would}" for fate, would in words.items() if by[fate]]
    text = f"of {several(known, 'episode', 'episodes')} {_and(parts)}"
    return f"{text}; {new}" if gained else text


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _doubts(answer: Answer) -> Iterator[str]:
    """Why the answer may not be what the service would have said."""
    then = answer.episode.started_seconds
    if answer.as_configured:
        start = answer.configured_start_seconds
        if start is None:
            yield (
                "As configured, this replay does not alarm either: it does not know what the "
                "service knew then."
            )
        elif start != then:
            apart = "later" if start > then else "earlier"
            yield (
                f"As configured, this replay alarms at {_time(start, then)}, "
                f"{_exactly(abs(start - then))} {apart} than the service did."
            )
    if answer.rows < ROWS_MIN_SHARE * answer.rows_then:
        yield (
            f"Of the {count(answer.rows_then)} events that the episode rests on "
            f"{count(answer.rows)} were read."
        )
    if answer.history_seconds < answer.history_wanted_seconds:
        yield _history(answer)
    yield from _others(answer)


def _history(answer: Answer) -> str:
    wanted = duration(answer.history_wanted_seconds)
    return (
        f"What was read begins {duration(answer.history_seconds)} before the change did. How much "
        f"streams wander, and what is usual by the hour, is learned live, and known after {wanted}:"
        " with less history the tolerance is wider, or a season is not allowed for."
    )


def _others(answer: Answer) -> Iterator[str]:
    if answer.reference_hash != answer.reference_hash_then:
        yield (
            f"It was compared with the reference {answer.reference_hash[:_HASH_SHOWN]}; in force "
            f"then was {answer.reference_hash_then[:_HASH_SHOWN]}."
        )
    if answer.config_hash != answer.config_hash_then:
        yield (
            f"The configuration has changed since: {answer.config_hash[:_HASH_SHOWN]} now, "
            f"{answer.config_hash_then[:_HASH_SHOWN]} then. All but what is set here is as it is "
            "now."
        )


def _row(change: EpisodeChange) -> ChangeRow:
    before, after = change.before, change.after
    shown = after or before
    if shown is None:
        raise ValueError("a change has an episode before or after")
    severities = dict.fromkeys(e.severity.value for e in (before, after) if e is not None)
    return ChangeRow(
        fate=_fate(change),
        model=told.episode_model(shown),
        words=shown.words,
        severity=" → ".join(severities),
        before=_start(before),
        after=_start(after),
        score=decimals(shown.peak),
    )


def _fate(change: EpisodeChange) -> str:
    name = _NAMES[change.fate]
    if change.before is None or change.after is None:
        return name
    apart = abs(change.after.started_seconds - change.before.started_seconds)
    return f"{_exactly(apart)} {name}" if apart else name


def _start(episode: Episode | None) -> str:
    return "–" if episode is None else minute(episode.started_seconds)  # noqa: RUF001


def _time(seconds: float, beside: float) -> str:
    """`10:26` on the day of `beside`, else with its day."""
    text = minute(seconds)
    return text[-5:] if seconds // _DAY == beside // _DAY else text


def _exactly(seconds: float) -> str:
    """Up to three hours in minutes, since people compare them with the times beside."""
    minutes = seconds / 60
    if 1 <= minutes <= 180:
        return f"{minutes:,.0f} min"
    return duration(seconds)
