"""What the windows of a model tell of each of its streams, kept for as long as it stays the same.

A page is made every second or so, and a pane closes once a minute.
"""

import math
from collections.abc import Container

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.monitor.detecting.sensing import expected_psi
from service.monitor.detecting.windows import QUANTILES, Window
from service.monitor.judging.comparison import Comparison
from service.monitor.judging.wording import Measured
from service.values.reports import WindowReport
from service.values.streams import ModelKey


class WindowsTold(Struct, frozen=True):
    """`measured`: counts and distances of each window. `of_streams`: what is reported of them, for
    each stream of the plan.
    """

    measured: list[Measured]
    of_streams: tuple[tuple[WindowReport, ...], ...]


class KeptWindows:
    """The last that was told of each model version."""

    def __init__(self) -> None:
        self._kept: dict[ModelKey, _Kept] = {}

    def tell(self, comparison: Comparison, open_cells: NDArray[np.int64]) -> WindowsTold:
        """See `tell_windows`; as it was the last time, if nothing has changed since then."""
        kept = self._kept.get(comparison.key)
        if kept is None or not kept.holds(comparison, open_cells):
            told = tell_windows(comparison, open_cells)
            kept = _Kept(comparison, comparison.changes, open_cells, told)
            self._kept[comparison.key] = kept
        return kept.told

    def forget(self, but: Container[ModelKey]) -> None:
        """Let go of the model versions that are not among these."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in but}


class _Kept(Struct, frozen=True):
    comparison: Comparison
    changes: int
    open_cells: NDArray[np.int64]
    told: WindowsTold

    def holds(self, comparison: Comparison, open_cells: NDArray[np.int64]) -> bool:
        return (
            self.comparison is comparison
            and self.changes == comparison.changes
            and np.array_equal(self.open_cells, open_cells)
        )


def tell_windows(comparison: Comparison, open_cells: NDArray[np.int64]) -> WindowsTold:
    """Of closed panes, and of `open_cells`, shape (cells,): counts of the panes that are open."""
    seen = [window.total.cells + open_cells for window in comparison.windows]
    measured = [(cells, comparison.distances(cells)) for cells in seen]
    quantiles = [window.quantiles() for window in comparison.windows]
    expected = [expected_psi(comparison.detection, cells) for cells in seen]
    windows = list(zip(comparison.windows, measured, quantiles, expected, strict=True))
    of_streams = tuple(
        tuple(_window(comparison, *window, i) for window in windows)
        for i in range(len(comparison.plan.streams))
    )
    return WindowsTold(measured, of_streams)


def _window(
    comparison: Comparison,
    window: Window,
    measured: Measured,
    quantiles: NDArray[np.float64],
    expected: NDArray[np.float64],
    stream: int,
) -> WindowReport:
    cells, told = measured
    numeric = stream < comparison.plan.layout.numeric_count
    told_values = numeric and not comparison.hides(stream)
    values = quantiles[stream].tolist() if told_values else []
    return WindowReport(
        window=window.length.name,
        values=int(cells[comparison.plan.layout.values_of(stream)].sum()),
        covers_seconds=max(0.0, window.end_seconds - window.start_seconds)
        if math.isfinite(window.start_seconds)
        else 0.0,
        psi=float(told.psi[stream]),
        jensen_shannon=float(told.jensen_shannon[stream]),
        ks=float(told.ks[stream]),
        wasserstein_sd=float(told.wasserstein_sd[stream]),
        mean_shift_sd=float(told.mean_shift[stream]),
        quantiles=tuple(
            (q, v) for q, v in zip(QUANTILES, values, strict=False) if not math.isnan(v)
        ),
        psi_expected=float(expected[stream]),
    )
