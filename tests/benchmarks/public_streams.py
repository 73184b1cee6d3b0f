"""The e-detectors on recorded public streams: Elec2, SINE1, 2CDT, and New York's taxis (NAB).

    python -m tests.benchmarks.public_streams DIRECTORY

DIRECTORY holds elec.csv, sine1.arff, 2cdt.data, nab_nyc_taxi.csv and nab_windows.json.
"""

import csv
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from detectors.change.bayes_factor import kappa_of_tolerance, tolerance_of_shift
from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.ragged import Ragged
from detectors.change.recovery import Recovery
from detectors.dispersion import DispersionLearner, Status
from detectors.summary.cells import numeric_cells
from detectors.summary.profile import Profile
from detectors.volume import (
    VolumeDetector,
    VolumeParameters,
    VolumeSeason,
    kappa_of_ratio,
    learn_dispersion,
)

LEVEL = 15.0
HALF_HOUR = 1800.0
TAXI_HISTORY, TAXI_WEEK, TAXI_QUIET = 4 * 336, 336, 48


class Episodes(NamedTuple):
    """Rows at which episodes began and ended, and what had been learned before."""

    began: list[int]
    ended: list[int]
    phi: float
    kappa: float
    status: str


def watch(values, history, pane):
    """One numeric stream in panes of `pane` rows, the first `history` rows being the reference."""
    profile = Profile()
    profile.update_numbers(values[:history])
    edges, counts = numeric_cells(profile)
    cells = Ragged(np.array([0, len(counts)]))

    def counted(row):
        found = np.searchsorted(edges, values[row : row + pane], side="right")
        return np.bincount(found, minlength=len(counts))

    learner = DispersionLearner(cells, (counts + 0.5) / (counts + 0.5).sum(), history // pane)
    for row in range(0, history, pane):
        learner.update(counted(row))
    known = learner.estimate()
    occupied = max(2, int((counts > 0).sum()))
    kappa = float(kappa_of_tolerance(tolerance_of_shift(0.15), occupied, LEVEL))
    detector = EDetector(cells, counts, EDetectorParameters(LEVEL, kappa))
    rows = range(history, len(values) - pane + 1, pane)
    panes = ((row, CellCounts(counted(row), known.phi, known.kappa)) for row in rows)
    began, ended = episodes(detector, Recovery(cells), panes)
    return Episodes(
        began, ended, float(known.phi[0]), float(known.kappa[0]), Status(known.status[0]).name
    )


def episodes(detector, recovery, panes):
    """Rows at which one stream's episodes began and ended."""
    began, ended = [], []
    for row, pane in panes:
        over = recovery.update(pane, detector.null(pane)).recovered
        verdict = detector.update(pane)
        new = verdict.alarm & ~recovery.watched
        began += [row] * int(new[0])
        ended += [row] * int(over[0])
        recovery.start(new, detector.since(verdict.onset_panes))
        recovery.stop(over)
        detector.reset(over)
    return began, ended


def taxi(directory):
    """Episodes inside the five windows and outside, relearning weekly from what was quiet."""
    with (directory / "nab_nyc_taxi.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    windows = json.loads((directory / "nab_windows.json").read_text("utf-8"))["nab_nyc_taxi.csv"]
    times = [datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC) for row in rows]
    counts = np.array([float(row["value"]) for row in rows])
    hours = np.array([t.weekday() * 24 + t.hour + t.minute / 60 + 0.25 for t in times])
    began = [times[index] for index in _taxi_episodes(counts, hours)]
    spans = [
        [datetime.fromisoformat(end).replace(tzinfo=UTC) for end in window] for window in windows
    ]
    found = sum(any(a <= time <= b for time in began) for a, b in spans)
    others = [time for time in began if not any(a <= time <= b for a, b in spans)]
    return found, len(spans), others


def _taxi_episodes(counts, hours):
    detector = VolumeDetector(1, VolumeParameters(LEVEL, kappa_of_ratio(1.2, LEVEL)))
    quiet, began, since_alarm = np.ones(len(counts), dtype=bool), [], TAXI_QUIET
    for index in range(TAXI_HISTORY, len(counts)):
        if (index - TAXI_HISTORY) % TAXI_WEEK == 0:
            past = np.flatnonzero(quiet[:index])
            season = VolumeSeason(HALF_HOUR)
            season.add(counts[past], hours[past])
            known = learn_dispersion(counts[past], hours[past], HALF_HOUR)
        expected = season.expected(hours[index : index + 1])
        verdict = detector.update(counts[index : index + 1], expected, known.phi, known.kappa)
        if verdict.alarm[0]:
            began += [index] if since_alarm >= TAXI_QUIET else []
            quiet[index - int(verdict.onset_panes[0]) : index] = False
            since_alarm = 0
            detector.reset(verdict.alarm)
        else:
            since_alarm += 1
        quiet[index] = since_alarm >= TAXI_QUIET
    return began


def table(directory):
    """A line a stream: what was learned, when episodes began and ended."""
    with (directory / "elec.csv").open(encoding="utf-8") as file:
        elec = list(csv.DictReader(file))
    yield "Elec2, panes of a day; the three Victorian streams change at row 17,424"
    for name in ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"):
        yield _line(name, watch(np.array([float(row[name]) for row in elec]), 8_640, 48))
    lines = (directory / "sine1.arff").read_text("utf-8").splitlines()
    sine = [line.split(",")[:2] for line in lines if line and line[0] not in "@%"]
    yield "SINE1, panes of 100 rows; its inputs never drift"
    for index, name in enumerate(("first", "second")):
        yield _line(name, watch(np.array([float(row[index]) for row in sine]), 10_000, 100))
    cdt = np.loadtxt(directory / "2cdt.data")
    yield "2CDT, panes of 100 rows; one of two classes moves steadily"
    for index, name in enumerate(("x", "y")):
        yield _line(name, watch(cdt[:, index], 2_000, 100))
    found, windows, others = taxi(directory)
    days = ", ".join(f"{time:%d %B}" for time in others)
    yield f"New York taxis: {found} of {windows} windows, {len(others)} other episodes: {days}"


def _line(name, seen):
    ends = ", ".join(map(str, seen.ended[:4])) or "-"
    begins = ", ".join(map(str, seen.began[:4])) or "-"
    learned = f"phi {seen.phi:.1f}, kappa {seen.kappa:.0f}, {seen.status.lower()}"
    return f"  {name:<10} {len(seen.began)} episodes, began {begins}; ended {ends} ({learned})"


if __name__ == "__main__":
    for line in table(Path(sys.argv[1])):
        print(line, flush=True)
