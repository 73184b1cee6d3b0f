"""What an audit says in sentences, the same in the report and on the terminal."""

from collections.abc import Iterator

from service.publish.pictures.time_axis import minute
from service.publish.words import count, several
from service.values.audits import BLIND, Audit, AuditedEpisode, Book, Down, Fate, Minutes, Rows

FATE_WORDS = {
    Fate.WATCHED: "watched",
    Fate.LEARNING: "learning a reference",
    Fate.UNREFERENCED: "no reference",
    Fate.DOWN: "service down",
    Fate.SILENT: "no events",
    Fate.NOT_YET: "before its first event",
    Fate.UNRECORDED: "not recorded",
}

_BECAUSE = {
    Fate.LEARNING: "a reference was being learned",
    Fate.UNREFERENCED: "there was no reference",
    Fate.DOWN: "the service was down and no event of that time was read afterwards",
    Fate.SILENT: "no event came",
    Fate.UNRECORDED: "nothing is recorded",
}


def opening(audit: Audit) -> str:
    """How much of the period was watched, in one sentence."""
    name = named(audit)
    start, end = minute(audit.period.from_seconds), minute(audit.period.to_seconds)
    minutes = audit.minutes
    possible = minutes.total - minutes.of(Fate.NOT_YET)
    if not possible:
        return f"{name} sent no event from {start} to {end} UTC."
    watched = minutes.of(Fate.WATCHED)
    return (
        f"{name} was watched in {count(watched)} of {count(possible)} minutes "
        f"({share(watched, possible)}) from {start} to {end} UTC, and in "
        f"{several(minutes.blind, 'minute', 'minutes')} nothing could have been noticed."
    )


def named(audit: Audit) -> str:
    """The model, with the version if one was asked about."""
    return audit.model if audit.version is None else f"{audit.model} v{audit.version}"


def why_blind(minutes: Minutes) -> Iterator[str]:
    """A clause for each reason, with its minutes."""
    for fate in BLIND:
        if minutes.of(fate):
            yield f"{several(minutes.of(fate), 'minute', 'minutes')}: {_BECAUSE[fate]}"


def remarks(minutes: Minutes) -> Iterator[str]:
    """What is to be known of the watched ones."""
    with_events = sum(minutes.of(f) for f in (Fate.WATCHED, Fate.LEARNING, Fate.UNREFERENCED))
    if with_events:
        yield (
            f"Of {several(with_events, 'minute', 'minutes')} in which events came, "
            f"{share(minutes.of(Fate.WATCHED), with_events)} were watched."
        )
    if minutes.afterwards:
        yield (
            f"{several(minutes.afterwards, 'watched minute', 'watched minutes')} lie in a time in "
            "which the service was down: their events were read and judged afterwards."
        )
    if minutes.late:
        yield (
            f"{several(minutes.late, 'watched minute was', 'watched minutes were')} judged more "
            "than an hour after they were over, so that nobody was told of what was found in them."
        )
    if minutes.muted:
        yield (
            f"In {several(minutes.muted, 'watched minute', 'watched minutes')} at least one "
            "feature was muted."
        )


def share(part: int, whole: int) -> str:
    """`99.95 %`; never 100 % of what is not whole, never 0 % of what is something."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    if part in {0, whole}:
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.01), 99.99):.2f} %"


def of_episodes(audit: Audit) -> str:
    """How many there were, and what people decided on them."""
    if not audit.episodes:
        return "No episode is recorded in this time."
    verdicts = [one.verdicts[-1].real for one in audit.episodes if one.verdicts]
    undecided = len(audit.episodes) - len(verdicts)
    return (
        f"{several(len(audit.episodes), 'episode', 'episodes')}: {sum(verdicts)} real, "
        f"{len(verdicts) - sum(verdicts)} not real, {undecided} without a verdict."
    )


def of_books(audit: Audit) -> str:
    """Whether every record is accounted for."""
    if not audit.books:
        return "No positions are recorded in this time, so no book can be checked."
    consumed = sum(book.consumed for book in audit.books)
    offsets = sum(book.end - book.first for book in audit.books)
    opening_ = (
        f"{count(offsets)} offsets were passed in "
        f"{several(len(audit.books), 'partition', 'partitions')}, {count(consumed)} records "
        "consumed = applied + ignored + rejected"
    )
    gaps = offsets - consumed
    if not gaps:
        return f"{opening_}: each offset is accounted for."
    if gaps < 0:
        return (
            f"{opening_}: {count(-gaps)} records more than offsets. The books of this time do not "
            "balance; compare them with a replay of the topic"
        )
    return (
        f"{opening_}: at {several(gaps, 'offset', 'offsets')} no record was read (markers of "
        "transactions, compaction, or deleted before they were read)."
    )


def broker_says(book: Book) -> str:
    """What the broker can confirm of a book now."""
    broker = book.broker
    if broker is None:
        return "not asked"
    parts = []
    if broker.by_time is None:
        parts.append("cannot tell the period any more: retention deleted its beginning")
    else:
        first, end = broker.by_time
        parts.append(f"{count(end - first)} offsets in the period, {first} to {end}")
        if end > book.end:
            parts.append(f"{several(end - book.end, 'of them', 'of them')} after the last entry")
    parts.append(_recount(book))
    return "; ".join(part for part in parts if part)


def down_words(down: Down) -> str:
    """How it came to be down."""
    return "stopped" if down.stopped else "ended without a word"


def rows_words(rows: Rows) -> str:
    """Where the rows of a version went."""
    rejected = sum(rows.rejected.values())
    rest = rows.predictions - rows.judged - rows.unjudged
    reasons = ", ".join(f"{count(n)} {reason}" for reason, n in rows.rejected.items())
    open_ = f", {count(rest)} open or judged before" if rest else ""
    said = f" ({reasons})" if reasons else ""
    return (
        f"{count(rows.predictions)} counted: {count(rows.judged)} judged, {count(rows.unjudged)} "
        f"unjudged{open_}; not counted: {count(rows.late)} late, {count(rejected)} rejected{said}"
    )


def verdict_words(one: AuditedEpisode) -> str:
    """What people decided last."""
    if not one.verdicts:
        return "no verdict"
    last = one.verdicts[-1]
    return f"{'real' if last.real else 'not real'}, by {last.by}: {last.why}"


def _recount(book: Book) -> str:
    """What of the offsets that were passed the broker still holds."""
    broker = book.broker
    if broker is None:
        return ""
    first, end = max(book.first, broker.first), min(book.end, broker.end)
    if end <= first:
        return "holds none of these offsets any more, so they cannot be counted again"
    gone = f" (those before {first} are deleted)" if first > book.first else ""
    if broker.recount is None:
        return f"still holds offsets {first} to {end}{gone}; --recount counts them"
    told = broker.recount
    same = first == book.first and end == book.end
    verdict = ""
    if same:
        agrees = told.records == book.consumed
        verdict = ", as consumed" if agrees else f", but {count(book.consumed)} were consumed"
    return f"holds {count(told.records)} records at {told.first} to {told.end}{gone}{verdict}"
