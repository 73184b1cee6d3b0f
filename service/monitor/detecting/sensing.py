"""How small a change would be noticed: what the detectors of a model version could see."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget import ALLOWANCE, WANDERS
from detectors.change.e_detector import EDetectorParameters
from detectors.change.pool import with_prior
from detectors.change.ragged import Floats, Indices
from detectors.dispersion import PANES_MIN, WIDENED_MASS
from detectors.foresight import Foresight
from detectors.scores import observe
from detectors.sensitivity import smallest_psi
from service.monitor.detecting import thresholds
from service.monitor.detecting.detection import PRIOR, Detection
from service.monitor.detecting.dispersions import SETTLED_SECONDS
from service.monitor.detecting.evidence_bank import EvidenceBank

HOUR_SECONDS = 3600.0

MISSING_CELL = 1
"""Where among the cells of quality that of missing values is."""

_REFERENCE_ERRORS = 3.0

_ENDLESS = 1e12
"""So many events a pane leave nothing to chance."""


def noticed_within(
    detection: Detection, events: float, panes: float, *, settled: bool = False
) -> Floats:
    """The smallest shift of the mean, in sd, that any detector notices within so many panes of so
    many events each; of each numeric stream, infinity where none would be. As of now, or, if
    `settled`, of streams of independent events after some days.

    Of the e-detector a shift is as much in shape. Page-Hinkley: of N panes of n effective values
    N (sqrt(n) (d - tolerance - 3 / sqrt(m)) - delta) has to reach its threshold. The others count
    for nothing: what they notice, these do.
    """
    numeric = detection.plan.layout.numeric_count
    smallest: Floats = np.full(numeric, math.inf)
    if not numeric or events <= 0 or panes <= 0:
        return smallest
    for bank in detection.means:
        if bank.name == "page_hinkley":
            seen = _page_hinkley(detection, bank.parameters, events, panes, settled=settled)
            smallest = np.minimum(smallest, seen)
    if detection.shapes is not None:
        phi, mass, level, cells = _judged_by(detection, detection.shapes, settled=settled)
        psi = smallest_psi(panes * events / phi, mass, level, cells)
        smallest = np.minimum(smallest, np.sqrt(psi))
    return smallest


def typical_shift(detection: Detection, events: float, *, settled: bool = False) -> float:
    """`noticed_within` an hour, of the middle numeric stream that varies; NaN without any."""
    panes = max(1.0, HOUR_SECONDS / detection.pane_seconds)
    shifts = noticed_within(detection, events, panes, settled=settled)
    vary = _vary(detection)
    return float(np.median(shifts[vary])) if vary.any() else math.nan


def sure_panes(pane_seconds: float) -> float:
    """A change that takes more panes to be noticed may be learned as the stream's own wander
    meanwhile, and then never alarm.

    `dispersions` learns that once an hour. Of changes foreseen to take less than two thirds of this
    all were noticed in simulations, of those that took just an hour three quarters.
    """
    return 2 / 3 * max(2.0 * PANES_MIN, HOUR_SECONDS / pane_seconds)


def values_ahead(detection: Detection, events: float, *, settled: bool = True) -> Foresight | None:
    """What the e-detector would notice in the values of the middle numeric stream, of so many
    independent events a pane; None without the detector or any such stream that varies.

    `settled`: after the days in which its wander is learned, else during these.
    """
    vary = np.flatnonzero(_vary(detection))
    if detection.shapes is None or not len(vary):
        return None
    shifts = noticed_within(detection, _ENDLESS, 1.0, settled=True)[vary]
    middle = vary[np.argsort(shifts, kind="stable")[len(vary) // 2]]
    return _ahead(detection, detection.shapes, int(middle), events, settled=settled)


def missing_ahead(detection: Detection, events: float) -> Foresight | None:
    """The same of the quality of the middle input by how much of it is missing; `MISSING_CELL` of
    its shares is that. None without the detector or any input.
    """
    values, inputs = len(detection.plan.streams), len(detection.watched.quality)
    if detection.shapes is None or not inputs:
        return None
    offsets, normal = detection.watched.cells.offsets[values : values + inputs], detection.normal
    middle = np.argsort(normal[offsets + MISSING_CELL], kind="stable")[inputs // 2]
    return _ahead(detection, detection.shapes, values + int(middle), events, settled=True)


def expected_psi(detection: Detection, live: NDArray[np.int64]) -> Floats:
    """The PSI to the reference that sampling alone explains, of each stream of the plan.

    (B - 1) phi (1 / n + 1 / m), for n live values, m of the reference, and the B cells that have
    anything: the mean of a chi-square over n, twice. `live` are counts (cells,) of the layout. NaN
    where there is no value.
    """
    streams = len(detection.plan.streams)
    layout = detection.plan.layout
    seen = observe(layout, detection.scores, live).n
    rows = detection.reference_values
    cells = thresholds.occupied(detection.watched.cells, detection.normal)[:streams]
    phi = detection.dispersions.learned_phi[:streams]
    known = (seen > 0) & (rows > 0)
    worth = 1 / np.maximum(seen, 1) + 1 / np.maximum(rows, 1)
    return np.where(known, np.maximum(cells - 1, 0) * phi * worth, math.nan)


def _vary(detection: Detection) -> NDArray[np.bool_]:
    """Which of the numeric streams have more than one value, or two: only those have a shift."""
    numeric = detection.plan.layout.numeric_count
    return thresholds.occupied(detection.watched.cells, detection.normal)[:numeric] > 2


def _ahead(
    detection: Detection, shapes: EvidenceBank, stream: int, events: float, *, settled: bool
) -> Foresight:
    """Phi is taken for 1, and what is normal for known from the reference and three days live."""
    cells = detection.watched.cells
    part = slice(int(cells.offsets[stream]), int(cells.offsets[stream + 1]))
    weights = with_prior(detection.normal[part].astype(np.float64), PRIOR)
    live = events * SETTLED_SECONDS / detection.pane_seconds if settled else 0.0
    pool = min(float(weights.sum()) + live, EDetectorParameters().pool_mass_max)
    asked = np.broadcast_to(shapes.parameters["kappa"], (cells.streams,))[stream]
    kappa = min(float(asked), pool, math.inf if settled else WIDENED_MASS)
    return Foresight(weights / weights.sum(), kappa, float(shapes.level[stream]))


def _judged_by(
    detection: Detection, shapes: EvidenceBank, *, settled: bool
) -> tuple[Floats, Floats, Floats, Indices]:
    """phi, the null's mass, the level and the number of cells, of the values of numeric streams."""
    numeric = detection.plan.layout.numeric_count
    cells, known = detection.watched.cells, detection.dispersions
    phi = np.ones(numeric) if settled else np.maximum(1.0, known.phi[:numeric])
    learned = np.full(numeric, math.inf) if settled else known.kappa[:numeric]
    pool = cells.total(detection.normal)[:numeric] / phi
    asked = np.broadcast_to(shapes.parameters["kappa"], (cells.streams,))[:numeric]
    mass = np.minimum(np.minimum(asked, learned), pool)
    occupied = thresholds.occupied(cells, detection.normal)[:numeric]
    return phi, mass, shapes.level[:numeric], np.maximum(2, occupied)


def _page_hinkley(
    detection: Detection,
    parameters: Mapping[str, Any],
    events: float,
    panes: float,
    *,
    settled: bool,
) -> Floats:
    rows = detection.reference_values[: detection.plan.layout.numeric_count]
    learned = detection.dispersions.phi_of_means(events, len(rows))
    phi = np.ones_like(learned) if settled else learned
    wander = 0.0 if settled else detection.dispersions.wander[: len(rows)]
    slack = detection.watch.tolerance_sd + WANDERS * wander
    slack = slack + _REFERENCE_ERRORS * np.sqrt(phi / np.maximum(rows, 1))
    noticed: Floats = slack + (parameters["threshold"] / panes + ALLOWANCE) * np.sqrt(phi / events)
    return np.where(rows > 0, noticed, math.inf)
