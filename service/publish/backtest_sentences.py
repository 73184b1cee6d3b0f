"""What a backtest says in sentences, the same in the report and on the terminal."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from service.publish.pictures.time_axis import day, minute
from service.publish.words import count, decimals, duration, several
from service.values.backtests import Backtest, Finding, History, Incident
from service.values.episodes import Episode, Severity
from service.values.streams import ModelKey, StreamKey

NAMES_SHOWN_MAX = 20


def opening(backtest: Backtest) -> str:
    """What was replayed, and how often it would have spoken."""
    outcome = backtest.outcome
    panes = sum(model.panes_judged_total for model in outcome.models)
    if not panes:
        return "Nothing could be judged: no event was read."
    rows = sum(model.predictions_total for model in outcome.models)
    names = listed(sorted({model.key.model for model in outcome.models}), 3)
    first, last = day(outcome.from_seconds), day(outcome.to_seconds)
    return (
        f"{names}, {first if first == last else f'{first} to {last}'}, {count(rows)} "
        f"predictions in {count(panes)} panes: you {_heard(outcome.episodes)}. The budget of "
        f"{backtest.budget} allows {decimals(backtest.budget_allows)} false ones in this time."
    )


def of_incidents(backtest: Backtest) -> str:
    """How many known incidents were found, and how many alarms nobody expected; else empty."""
    if backtest.findings is None:
        return ""
    if not backtest.findings:
        return "The file of known incidents holds none, so every alarm is unexpected."
    found = sum(bool(finding.alarms) for finding in backtest.findings)
    known = several(len(backtest.findings), "known incident", "known incidents")
    own = [case for case in backtest.cases if case.alarms]
    unexpected = sum(not case.expected for case in own)
    return (
        f"{found} of {known} found; {unexpected:,} of {several(len(own), 'episode', 'episodes')} "
        "unexpected."
    )


def of_finding(finding: Finding) -> str:
    """`found after 3 h` or `missed`."""
    if not finding.alarms:
        return "missed"
    more = f", by {len(finding.alarms):,} alarms" if len(finding.alarms) > 1 else ""
    return f"found after {duration(max(0.0, finding.delay_seconds))}{more}"


def incident_name(incident: Incident) -> str:
    """What it was, or when."""
    where = " ".join(part for part in (incident.model, incident.feature) if part)
    return incident.what or where or day(incident.start_seconds)


def stream_name(stream: StreamKey) -> str:
    """The name, with the kind where it is no feature: `prediction (output)`."""
    return stream.words


def model_name(key: ModelKey) -> str:
    """`credit-risk v3`; the version only where there is one."""
    return key.model if key.version == "unversioned" else key.words


def episode_model(episode: Episode) -> str:
    """The model version; of an episode over all models its source."""
    return f"source {episode.source}" if not episode.model else model_name(episode.key)


def lasted(episode: Episode) -> str:
    """`11 min`, or that it goes on."""
    if episode.ended_seconds is None:
        return "goes on"
    return duration(episode.ended_seconds - episode.started_seconds)


def almost(score: float) -> str:
    """A score below 1, never rounded up to it."""
    return decimals(math.floor(score * 100) / 100 if score > 0.1 else score)


def unseen(history: History) -> list[str]:
    """What a model's replay could not have seen, a sentence each."""
    told = [*_learning(history), *_silence(history), *_smallest(history)]
    if history.constant:
        names = listed([stream_name(key) for key in history.constant])
        told.append(f"Always the same value, before and now: {names}.")
    if history.blind:
        names = listed([stream_name(key) for key in history.blind])
        told.append(f"Without a value to compare, in the reference or since: {names}.")
    if history.vague:
        names = listed([stream_name(key) for key in history.vague])
        told.append(
            "For more than half of the time too little was known of these, or they wandered too "
            f"much, to judge more than a mean: {names}."
        )
    return told


def listed(names: Iterable[str], most: int = NAMES_SHOWN_MAX) -> str:
    """`a, b and 3 more`."""
    named = list(names)
    if len(named) > most:
        return f"{', '.join(named[:most])} and {len(named) - most:,} more"
    return ", ".join(named)


def _heard(episodes: Sequence[Episode]) -> str:
    """`would have been paged once and had 3 tickets`."""
    by = Counter(episode.severity for episode in episodes)
    pages, logged = by[Severity.PAGE], by[Severity.LOG]
    tickets = several(by[Severity.TICKET], "ticket", "tickets")
    more = f"; {logged:,} more would only have been logged" if logged else ""
    if pages:
        times = {1: "once", 2: "twice"}.get(pages, f"{pages:,} times")
        had = f" and had {tickets}" if by[Severity.TICKET] else ""
        return f"would have been paged {times}{had}{more}"
    if by[Severity.TICKET]:
        return f"would have had {tickets} and no page{more}"
    return f"would have heard of nothing{more}"


def _learning(history: History) -> list[str]:
    if math.isnan(history.judged_from_seconds):
        return ["Anything: it never had a reference to compare with, so nothing could alarm."]
    waited = history.judged_from_seconds - history.first_seconds
    if waited <= 0:
        return []
    end = minute(history.judged_from_seconds)
    return [f"The first {duration(waited)}, until {end}, when it learned its reference."]


def _silence(history: History) -> list[str]:
    if not history.silent_seconds:
        return []
    longest = max(history.gaps, key=lambda gap: gap.to_seconds - gap.from_seconds)
    length = duration(longest.to_seconds - longest.from_seconds)
    silent, start = duration(history.silent_seconds), minute(longest.from_seconds)
    return [f"{silent} without events; the longest, {length}, from {start}."]


def _smallest(history: History) -> list[str]:
    known = [hour for hour in history.hours if not math.isnan(hour.shift_sd)]
    if not known:
        return []
    best = min(known, key=lambda hour: hour.shift_sd)
    worst = max(known, key=lambda hour: hour.shift_sd)
    if math.isinf(best.shift_sd):
        return ["Within an hour, any shift of a mean: there are too few events."]
    least = f"Within an hour, a shift of a mean below about {decimals(best.shift_sd)} sd"
    if worst.shift_sd - best.shift_sd < 0.01:
        return [f"{least}, whatever the hour of the day."]
    if math.isinf(worst.shift_sd):
        return [f"{least} at {best.hour:02} h (UTC), and any at {worst.hour:02} h: too few events."]
    most = f"{decimals(worst.shift_sd)} sd at {worst.hour:02} h (UTC)"
    return [f"{least} at {best.hour:02} h, and {most}."]
