"""The sentences that every screen opens with: they could be read out on the phone."""

import math
from collections import Counter
from collections.abc import Sequence

from service.publish.words import decimals, duration, moment, percent, several
from service.values.episodes import Episode, Severity
from service.values.reports import ModelReport, Report, StreamReport, StreamState


def opening(report: Report, states: Sequence[str]) -> tuple[str, ...]:
    """How many models are watched, how many have drifted, whom that is to reach, and up to when all
    is counted.
    """
    if not report.caught_up:
        because = report.service.not_ready_because or "not ready yet"
        return (f"Starting: {because}.", _counted(report))
    if report.service.role == "worker":
        return ("This is a worker: it counts, the judge judges.", _counted(report))
    if not states:
        return ("No model has sent an event yet.", _counted(report))
    watched = sum(state in ("steady", "drifting") for state in states)
    sentences = [_watched(watched, len(states)), _drifted(states.count("drifting"))]
    sentences += _reaching([episode for episode in report.episodes if episode.is_open])
    learning = states.count("learning")
    if learning:
        sentences.append(f"{learning} {'is' if learning == 1 else 'are'} still learning.")
    return (*sentences, _counted(report))


def of_model(model: ModelReport, state: str) -> str:
    """What is known of one model, in its state as the page shows it."""
    if state == "drifting":
        return _what_drifted(model)
    if state == "learning":
        ready = percent(model.reference_learned_ratio)
        return f"Learning its reference: {ready} of the events it needs. Until then nothing alarms."
    if state == "unwatched":
        return "Not watched for drift: it has no reference. Volume and quality are counted."
    watched = [stream for stream in model.streams if stream.state is StreamState.WATCHED]
    if not watched:
        return "No stream is watched."
    worst = max(watched, key=lambda stream: -1.0 if math.isnan(stream.score) else stream.score)
    highest = f"the highest score is {decimals(worst.score)} ({worst.key.name}), 1 alarms"
    return f"{_all_streams(len(watched))} steady; {highest}."


def _all_streams(number: int) -> str:
    few = {1: "Its one stream is", 2: "Both streams are"}
    return few.get(number, f"All {number:,} streams are")


def _watched(watched: int, known: int) -> str:
    if watched == known:
        few = {1: "The one model is", 2: "Both models are"}
        return f"{few.get(known, f'All {known} models are')} watched."
    return f"{watched} of {several(known, 'model is', 'models are')} watched."


def _drifted(drifted: int) -> str:
    if not drifted:
        return "None has drifted."
    return f"{drifted} {'has' if drifted == 1 else 'have'} drifted."


def _reaching(episodes: Sequence[Episode]) -> list[str]:
    """`1 page and 2 tickets are open.`; nothing where there are none."""
    counts = Counter(episode.severity for episode in episodes if not episode.drill)
    pages, tickets = counts[Severity.PAGE], counts[Severity.TICKET]
    said = [several(pages, "page", "pages")] if pages else []
    said += [several(tickets, "ticket", "tickets")] if tickets else []
    verb = "is" if pages + tickets == 1 else "are"
    told = [f"{' and '.join(said)} {verb} open."] if said else []
    drills = sum(episode.drill for episode in episodes)
    if drills:
        told.append(f"{several(drills, 'drill is', 'drills are')} on: nothing has happened there.")
    return told


def _counted(report: Report) -> str:
    """Up to when every event is counted, by the partition that is furthest behind."""
    lags = [partition.lag_seconds for partition in report.partitions]
    if not lags:
        return "No partition is read."
    if any(math.isnan(lag) for lag in lags):
        return "How far behind is not known yet."
    behind = max(lags)
    time = moment(report.at_seconds - behind, report.at_seconds)
    late = f", {duration(behind)} behind" if behind >= 1 else ""
    return f"Every event up to {time} UTC is counted{late}."


def _what_drifted(model: ModelReport) -> str:
    drifted = [s for s in model.drifted if s.state is StreamState.WATCHED]
    worst = max(drifted, key=lambda stream: stream.score)
    more = len(drifted) - 1
    others = (
        f" {several(more, 'other stream has', 'other streams have')} drifted too." if more else ""
    )
    return f"{worst.key.title} has drifted: {_change(worst)}.{others}"


def _change(stream: StreamReport) -> str:
    return stream.summary or f"score {decimals(stream.score)}"
