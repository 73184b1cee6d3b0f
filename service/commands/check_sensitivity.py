"""What the budget comes to: when detectors alarm, and how small a change they notice how soon."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from config.settings import Settings
from config.tree import Path
from detectors.catalogue import E_DETECTOR
from detectors.change.ragged import Floats
from detectors.dispersion import Status
from detectors.foresight import Foresight, shifted, with_share
from service.commands.check_rates import Rate, Rates
from service.commands.check_references import Found
from service.commands.findings import Finding
from service.composition.wiring import watches
from service.monitor.detecting import thresholds
from service.monitor.detecting.detection import Detection
from service.monitor.detecting.sensing import (
    MISSING_CELL,
    missing_ahead,
    sure_panes,
    typical_shift,
    values_ahead,
)
from service.monitor.detecting.watched_cells import watched_count
from service.monitor.references.planning import plan_for, watched_part
from service.monitor.references.reference import reference_cells
from service.monitor.references.segments import segment_streams
from service.values.plans import Plan
from service.values.references import Reference
from service.values.streams import ModelKey
from service.values.watches import Sharing, Watch

TOLD_SD = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Of the first of these shifts that is sure to be noticed it is said how soon."""

_ENDLESS = 1e9

LEVEL_MIN = 1.0
"""ln A is never lower, however much a budget allows."""


class Judged(NamedTuple):
    """A reference as it would be judged by; so many streams share its budget."""

    reference: Reference
    watch: Watch
    detection: Detection
    sharing: Sharing

    @property
    def name(self) -> str:
        """`credit-risk v3`."""
        model, version = self.reference.model, self.reference.version
        return f"{model} (any version)" if version is None else ModelKey(model, version).words


def judged_by(settings: Settings, found: Found) -> list[Judged]:
    """Every reference that its model looks for where it is, with its detectors; none: none."""
    known = list(_planned(settings, found))
    shared = _sharing((plan, watch) for _, plan, watch in known)
    pane, judged = settings.detection.pane, []
    for reference, plan, watch in known:
        sharing = _own(plan, watch) if watch.budget.scope == "model" else shared[_scope(watch)]
        counts = reference_cells(reference)
        detection = Detection(reference, counts, plan, watch, pane, sharing)
        judged.append(Judged(reference, watch, detection, sharing))
    return judged


def sensitivity(judged: Sequence[Judged], rates: Rates) -> Iterator[str]:
    """Two sentences on each: what is noticed how soon at its rate of events, and what alarms.

    They hold for independent events: what depends on each other is worth less.
    """
    for one in judged:
        rate = rates.of(one.reference.model)
        yield f"{one.name} at {rate}: {_noticed(one.detection, rate)}."
        yield f"{one.name}: {_levels(one.detection)}."
        yield from _segments(one)


def budget_findings(settings: Settings, judged: Sequence[Judged]) -> Iterator[Finding]:
    """Settings with which nothing would ever be noticed, or everything."""
    blind: dict[tuple[Path, str], list[str]] = {}
    lax = []
    for one in judged:
        ahead = values_ahead(one.detection, _ENDLESS)
        if ahead is not None and not _alarms_ever(ahead, TOLD_SD[-1]):
            blind.setdefault(_cause(settings, one.watch), []).append(one.name)
        elif ahead is not None and ahead.level <= LEVEL_MIN:
            lax.append(one.name)
    for (path, what), names in blind.items():
        why = f"not even a shift of {TOLD_SD[-1]:g} sd would ever alarm in {_listed(names)}"
        yield Finding(path, f"{what}: {why}")
    if lax:
        said = settings.detection.false_alarm_budget.text()
        why = f"{said} is so much that chance alone alarms in {_listed(lax)}: allow fewer"
        yield Finding(("detection", "false_alarm_budget"), why, is_hint=True)


def rate_hints(judged: Sequence[Judged], rates: Rates) -> list[str]:
    """Rates of models that have no reference."""
    models = {one.reference.model for one in judged}
    lost = [glob for glob in rates.globs if not any(fnmatchcase(m, glob) for m in models)]
    return [f"--rate {glob}=... is of no model that has a reference." for glob in lost]


def _planned(settings: Settings, found: Found) -> Iterator[tuple[Reference, Plan, Watch]]:
    watch_for = watches(settings)
    for file, given in found.items():
        if settings.for_model(given.model).reference.directory != file.parent:
            continue
        watch = watch_for(given.model)
        reference = watched_part(given, watch)
        key = ModelKey(given.model, given.version or "")
        plan = plan_for(key, watch, reference, learns=False)
        if plan.streams:
            yield reference, plan, watch


def _sharing(planned: Iterable[tuple[Plan, Watch]]) -> Mapping[str, Sharing]:
    """How many streams share a budget: those of a team's references, or of all."""
    streams: dict[str, Sharing] = defaultdict(Sharing)
    for plan, watch in planned:
        streams[_scope(watch)] = streams[_scope(watch)].plus(_own(plan, watch))
    return streams


def _own(plan: Plan, watch: Watch) -> Sharing:
    """Of one model, with the segments that are still to be learned."""
    lacking = segment_streams(plan.segments).difference(plan.streams) if watch.learn else ()
    return watched_count(plan, watch).plus(Sharing(0, len(lacking)))


def _scope(watch: Watch) -> str:
    return {"model": "one model", "all": "all"}.get(watch.budget.scope, f"team {watch.team}")


def _cause(settings: Settings, watch: Watch) -> tuple[Path, str]:
    """The setting that lets nothing be noticed, and what it is."""
    for i, detector in enumerate(settings.detection.detectors):
        if detector.name == E_DETECTOR and detector.parameters:
            return ("detection", "detectors", i), "must be less strict than it is set by hand"
    if watch.tolerance_sd >= TOLD_SD[-1]:
        return ("detection", "tolerance", "shift"), f"must be smaller than {watch.tolerance_sd:g}"
    return ("detection", "false_alarm_budget"), "must allow more alarms, it is too strict"


def _levels(detection: Detection) -> str:
    """`31 streams; e_detector alarms at evidence 14.8, adwin at ...`."""
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
    return "; ".join((f"{len(detection.streams)} streams", told, *_from_the_start(detection)))


def _segments(judged: Judged) -> Iterator[str]:
    """Which there are and at what evidence they alarm; and by which features there are none."""
    watch, plan = judged.watch, judged.detection.plan
    if not watch.segmentations:
        return
    told = ", ".join(f"{len(one.names)} by {one.by.name}" for one in plan.segments) or "none"
    if plan.segments and judged.detection.shapes is not None:
        part = thresholds.shares(choice.name for choice in watch.detectors)[E_DETECTOR]
        streams = thresholds.weighed(judged.sharing).segment
        level = thresholds.level(watch.budget, judged.detection.pane_seconds, streams, part)
        told += f"; e_detector alarms there at evidence {level:.1f}"
    known = {one.by.name for one in plan.segments}
    lacking = [one.feature for one in watch.segmentations if one.feature not in known]
    if lacking:
        told += (
            f"; none by {_listed(lacking)}, which the reference does not have, has one value of, "
            "or which is ignored or hidden"
        )
    yield f"{judged.name}: segments of its predictions: {told}."


def _from_the_start(detection: Detection) -> Iterator[str]:
    """What holds until live panes have shown how far the streams wander by themselves."""
    values = detection.plan.streams
    status = detection.status[: len(values)]
    unstable = [
        key.name for key, known in zip(values, status, strict=True) if known == Status.UNSTABLE
    ]
    if unstable:
        yield f"{_listed(unstable)} never kept its shape in the reference, so cannot alarm yet"
    early = values_ahead(detection, 0.0, settled=False)
    if (status == Status.READY).all():
        yield "how far it wanders is known from the reference"
    elif early is not None:
        smallest = _sd(early.shift_from(_ENDLESS))
        yield f"in its first 3 days, while its wander is learned, hardly anything below {smallest}"


def _noticed(detection: Detection, rate: Rate) -> str:
    """Which shift is noticed how soon, which never is, and the same of missing values."""
    events = rate.per_second * detection.pane_seconds
    ahead = values_ahead(detection, events)
    if ahead is not None:
        told = _shifts(ahead, events, detection.pane_seconds)
    elif detection.shapes is not None:
        told = "no stream of it is numeric and varies, so that nothing is said of shifts"
    else:
        told = _by_means(detection, events)
    missing = missing_ahead(detection, events)
    if missing is None:
        return told
    return f"{told}; {_missing(missing, events, detection.pane_seconds)}"


def _by_means(detection: Detection, events: float) -> str:
    """Without the e-detector; of those that are of means only Page-Hinkley can be foreseen."""
    shift = typical_shift(detection, events, settled=True)
    if math.isfinite(shift):
        return f"a shift of {_sd(shift)} is noticed within an hour"
    names = ", ".join(bank.name for bank in detection.means)
    return f"how soon {names} would notice a shift is not known" if names else "nothing is noticed"


def _shifts(ahead: Foresight, events: float, pane_seconds: float) -> str:
    never = f"nothing smaller than {_sd(ahead.shift_from(_ENDLESS))} alarms"
    told = _first_sure(
        ((sd, shifted(ahead.shares, sd)) for sd in TOLD_SD), ahead, events, pane_seconds
    )
    if told is None:
        longer = "longer panes (detection.pane) let it collect more events before it judges"
        return f"no shift up to {TOLD_SD[-1]:g} sd is sure to be noticed: {longer}"
    sd, seconds = told
    sure = ahead.shift_from(sure_panes(pane_seconds) * events)
    wander = ""
    if sure > 1.1 * ahead.shift_from(_ENDLESS):
        longer = " (longer panes help: detection.pane)" if sure > TOLD_SD[1] else ""
        wander = f"less than {_sd(sure)} may be learned as normal before it alarms{longer}, "
    return f"a shift of {sd:g} sd is noticed within about {_time(seconds)}; {wander}{never}"


def _missing(ahead: Foresight, events: float, pane_seconds: float) -> str:
    usual = float(ahead.shares[MISSING_CELL])
    larger = (3 * usual, usual + 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)
    worth = (share for share in sorted(larger) if usual + 0.0199 <= share < 1.0)
    changes = ((share, with_share(ahead.shares, MISSING_CELL, share)) for share in worth)
    told = _first_sure(changes, ahead, events, pane_seconds)
    if told is None:
        return "more missing values are not sure to be noticed"
    share, seconds = told
    rates = f"from {_percent(usual)} to {_percent(share)}"
    return f"a missing rate that goes {rates} within about {_time(seconds)}"


def _first_sure(
    changes: Iterable[tuple[float, Floats]], ahead: Foresight, events: float, pane_seconds: float
) -> tuple[float, float] | None:
    """The first change that is noticed before it could be learned as wander, and in how long."""
    for size, shares in changes:
        panes = ahead.events_until(shares) / events
        if panes <= sure_panes(pane_seconds):
            return size, math.ceil(panes) * pane_seconds
    return None


def _alarms_ever(ahead: Foresight, shift_sd: float) -> bool:
    return ahead.evidence(shifted(ahead.shares, shift_sd), _ENDLESS) >= ahead.level


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _sd(shift: float) -> str:
    return f"{shift:.2g} sd" if math.isfinite(shift) else "10 sd"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 0.0005 else "0 %"


def _time(seconds: float) -> str:
    """A duration in one unit, as people say it: `40 s`, `3 min`, `7 h`, `2 d`."""
    for unit, length, most in (("s", 1, 59), ("min", 60, 90), ("h", 3600, 48)):
        if seconds <= most * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds / 86_400:.2g} d"
