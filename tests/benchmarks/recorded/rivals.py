"""Other detectors on a recording: river's, value by value, and two that look once a period.

All see each column by itself: numbers in standard deviations of the reference, texts as the rank
that they have in it (river knows no categories). They keep their defaults and see the reference's
rows first, where alarms count for nothing.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import drift
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from tests.benchmarks.recorded.recording import Alarm, Recording, runs

KSWIN = "river KSWIN"
KSWIN_VALUES_MAX = 300_000
"""It takes some 0.2 ms a value: more would take minutes."""

WARM_ROWS = 10_000
"""So many rows of the reference they see at most before they are judged by."""

HDDM = "river HDDM-A"
RIVER: dict[str, Callable[[], Any]] = {
    "river ADWIN": drift.ADWIN,
    "river Page-Hinkley": drift.PageHinkley,
    KSWIN: lambda: drift.KSWIN(seed=1),
    HDDM: drift.binary.HDDMA,
}

P_VALUE, DISTANCE = 0.05, 0.1
PERIODIC = {
    f"periodic, KS or chi-square, p < {P_VALUE}": (ks_2samp, "chi-square"),
    f"periodic, Wasserstein or JS > {DISTANCE}": (wasserstein_distance, "js"),
}


def contestants(recording: Recording) -> Iterator[tuple[str, Callable[[], list[Alarm]] | None]]:
    """Each by name, with what runs it; None where it would take too long. HDDM-A knows only two
    values, so that it stands aside where no column has two.
    """
    values = (len(recording.times) - recording.reference_rows) * len(recording.columns)
    binary = [name for name, column in recording.columns.items() if _is_binary(column)]
    for name, build in RIVER.items():
        columns = binary if name == HDDM else list(recording.columns)
        if name == KSWIN and values > KSWIN_VALUES_MAX:
            yield name, None
        elif columns:
            yield name, partial(_every_value, recording, build, columns)
    for name, (numeric, categorical) in PERIODIC.items():
        yield name, partial(_every_period, recording, numeric, categorical)


def _every_value(recording: Recording, build: Callable[[], Any], names: list[str]) -> list[Alarm]:
    alarms = []
    first = max(0, recording.reference_rows - WARM_ROWS)
    times = recording.times[first:].tolist()
    for name in names:
        detector = build()
        for time, value in zip(times, _standardised(recording, name)[first:].tolist(), strict=True):
            if math.isnan(value):
                continue
            detector.update(value)
            if detector.drift_detected:
                alarms.append(Alarm(name, time, time, time))
    return alarms


def _every_period(recording: Recording, numeric: Any, categorical: str) -> list[Alarm]:
    """An alarm from the first of some periods in a row that differ to the last."""
    size, first, times = recording.period_rows, recording.reference_rows, recording.times
    begins = range(first, len(times) - size + 1, size)
    spans = [(float(times[row]), float(times[row + size - 1])) for row in begins]
    alarms: list[Alarm] = []
    for name, column in recording.columns.items():
        values = _standardised(recording, name)
        is_text = column.dtype.kind not in "fi"
        compare = (
            partial(_differs_in_shares, method=categorical)
            if is_text
            else partial(_differs, test=numeric)
        )
        known = _present(values[:first])
        alarms += runs(
            name, [compare(known, _present(values[a : a + size])) for a in begins], spans
        )
    return alarms


def _differs(known: NDArray[np.float64], live: NDArray[np.float64], test: Any) -> bool:
    if not len(live) or not len(known):
        return len(live) != len(known)
    if test is ks_2samp:
        return bool(ks_2samp(known, live, method="asymp").pvalue < P_VALUE)
    return bool(test(known, live) > DISTANCE)


def _differs_in_shares(known: NDArray[np.float64], live: NDArray[np.float64], method: str) -> bool:
    before, after = Counter(known.tolist()), Counter(live.tolist())
    names = sorted(before.keys() | after.keys())
    table = np.array([[counts[name] for name in names] for counts in (before, after)])
    if len(names) < 2 or not len(live):
        return False
    if method == "js":
        return bool(jensenshannon(table[0], table[1], base=2) > DISTANCE)
    return bool(chi2_contingency(table).pvalue < P_VALUE)


def _present(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]


def _standardised(recording: Recording, name: str) -> NDArray[np.float64]:
    column, rows = recording.columns[name], recording.reference_rows
    if column.dtype.kind not in "fi":
        ranks = {text: rank for rank, (text, _) in enumerate(Counter(column[:rows]).most_common())}
        codes = [math.nan if not text else ranks.get(text, len(ranks)) for text in column.tolist()]
        return np.array(codes, dtype=np.float64)
    values = column.astype(np.float64)
    known = _present(values[:rows])
    return np.asarray((values - known.mean()) / (known.std() or 1.0))


def _is_binary(column: NDArray[Any]) -> bool:
    return column.dtype.kind not in "fi" and len({text for text in column.tolist() if text}) == 2
