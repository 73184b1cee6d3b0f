"""What the budget comes to: when detectors alarm, and how small a change they notice."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from config.settings import Settings
from config.units import format_duration
from service.monitor.detecting.detection import Detection
from service.monitor.detecting.sensing import panes_until, smallest_shift, typical_shift
from service.monitor.detecting.watched_cells import watched_count
from service.monitor.references.directory import ReferenceDirectory
from service.monitor.references.planning import plan_for, watched_part
from service.monitor.references.reference import reference_cells
from service.values.plans import Plan
from service.values.references import Reference
from service.values.streams import ModelKey
from service.values.watches import Watch
from service.wiring import watches

TOLD_SD = 0.25
"""The shift of which it is said how soon it is noticed."""

_Judged = tuple[Reference, Plan, Watch]


def sensitivity(settings: Settings, events_per_second: float) -> list[str]:
    """A sentence or two on each reference that is found, at this rate of events; none: none.

    It holds for independent events, after the first days: what depends on each other is worth less.
    """
    judged = list(_judged(settings))
    sharing = _sharing(judged)
    lines = []
    for reference, plan, watch in judged:
        detection = Detection(
            reference,
            reference_cells(reference),
            plan,
            watch,
            settings.detection.pane,
            sharing[_scope(watch)],
        )
        name = f"{reference.model} {reference.version or '(any version)'}"
        lines.append(f"{name}: {_levels(detection)}")
        lines.append(f"{name}: {_noticed(detection, events_per_second)}")
    return lines


def _judged(settings: Settings) -> Iterator[_Judged]:
    watch_for = watches(settings)
    named = (settings.reference.directory, *settings.reference_directories.values())
    for directory in dict.fromkeys(named):
        for found in ReferenceDirectory(directory) if directory.is_dir() else ():
            watch = watch_for(found.model)
            reference = watched_part(found, watch)
            key = ModelKey(found.model, found.version or "")
            plan = plan_for(key, watch, reference, learns=False)
            if plan.streams:
                yield reference, plan, watch


def _sharing(judged: Iterable[_Judged]) -> Mapping[str, int]:
    """How many streams share a budget: those of a team's references, or of all."""
    streams: Counter[str] = Counter()
    for _, plan, watch in judged:
        streams[_scope(watch)] += watched_count(plan, watch)
    streams["one model"] = 0
    return streams


def _scope(watch: Watch) -> str:
    return {"model": "one model", "all": "all"}.get(watch.budget.scope, f"team {watch.team}")


def _levels(detection: Detection) -> str:
    """`31 streams; e_detector alarms at 14.8, adwin at ...`."""
    parts = []
    if detection.shapes is not None:
        parts.append(f"e_detector alarms at evidence {detection.shapes.level[0]:.1f}")
    for bank in detection.means:
        if bank.name == "page_hinkley":
            parts.append(f"page_hinkley at {bank.parameters['threshold']:.1f}")
        elif bank.name == "adwin":
            parts.append(f"adwin at a confidence of {bank.parameters['delta']:.2g}")
        else:
            parts.append(f"{bank.name} as it is set, whatever the budget")
    told = ", ".join(parts) or "nothing alarms, since no detector is named"
    return f"{len(detection.streams)} streams; {told}."


def _noticed(detection: Detection, rate: float) -> str:
    """`at 10 events/s a shift of 0.25 sd is noticed within about 5 panes of 1m; ...`."""
    pane = format_duration(detection.pane_seconds)
    events = rate * detection.pane_seconds
    within_an_hour = typical_shift(detection, events, settled=True)
    if math.isnan(within_an_hour):
        return "no stream of it is numeric: shares are told by tolerance.rate."
    panes = panes_until(detection, events, TOLD_SD)
    if math.isinf(panes):
        soon = f"a shift of {TOLD_SD} sd is never noticed"
    elif math.isnan(panes):
        soon = f"a shift of {within_an_hour:.2f} sd is noticed within an hour"
    else:
        some = "a pane" if panes <= 1 else f"about {panes:,.0f} panes"
        soon = f"a shift of {TOLD_SD} sd is noticed within {some} of {pane}"
        soon += f", one of {within_an_hour:.2f} sd within an hour"
    smallest = smallest_shift(detection)
    return f"at {rate:g} events/s {soon}; nothing smaller than {smallest:.2f} sd alarms."
