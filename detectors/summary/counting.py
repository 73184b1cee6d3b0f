"""Rows into the cells of a layout: sorted columns by bisection, few rows edge by edge."""

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Columns
from detectors.summary.layout import Layout

COMPARED_MAX = 4_096
"""Rows times edges up to which rows are compared with every edge: sorting them first costs more."""


def check_rows(layout: Layout, numeric: NDArray[np.float64], codes: NDArray[np.int32]) -> None:
    """Raises ValueError for arrays of another shape, and for a code that has no cell."""
    widths = (layout.numeric_count, len(layout.categories))
    if (numeric.shape, codes.shape) != tuple((len(numeric), width) for width in widths):
        raise ValueError(
            f"rows of {widths[0]} numeric and {widths[1]} categorical streams are needed,"
            f" not {numeric.shape} and {codes.shape}"
        )
    if codes.size and (codes.min() < -3 or (codes > layout.value_cells[widths[0] :] - 2).any()):
        raise ValueError("a code is neither a category's nor other, missing, invalid or unseen")


def are_few(layout: Layout, rows: int) -> bool:
    """Whether `count_values` is the cheaper way to count so many rows."""
    edges = len(layout.edge_table)
    return edges <= 4 * layout.numeric_count and rows * edges <= COMPARED_MAX


def count_values(cells: NDArray[np.int64], layout: Layout, numeric: NDArray[np.float64]) -> None:
    """Add rows, shape (n, numeric streams), edge by edge: they need not be sorted."""
    streams = layout.numeric_count
    if not streams:
        return
    above = numeric >= layout.edge_table[:, None, :]
    # Added up byte by byte where no sum is larger than one.
    narrow = np.uint8 if len(above) < 256 else np.int64
    places = np.add.reduce(above.view(np.uint8), axis=0, dtype=narrow) + layout.offsets[:streams]
    absent = ~np.isfinite(numeric)
    if absent.any():
        missing, invalid = layout.missing_cells()[:streams], layout.invalid_cells()[:streams]
        places = np.where(absent, np.where(np.isnan(numeric), missing, invalid), places)
    cells += np.bincount(places.ravel(), minlength=len(cells))


def count_columns(cells: NDArray[np.int64], layout: Layout, columns: Columns) -> None:
    """Add columns: values below each edge, by bisection; the cells are their differences."""
    offsets = layout.offsets
    for stream, edges in enumerate(layout.edges):
        valid = columns.valid[stream]
        below = columns.values[stream, :valid].searchsorted(edges, side="left")
        start = offsets[stream]
        cells[start : start + len(edges)] += below
        cells[start + 1 : start + len(edges) + 1] -= below
        cells[start + len(edges)] += valid
    numeric = layout.numeric_count
    cells[layout.missing_cells()[:numeric]] += columns.missing
    cells[layout.invalid_cells()[:numeric]] += columns.invalid


def count_codes(cells: NDArray[np.int64], layout: Layout, codes: NDArray[np.int32]) -> None:
    """Add codes, shape (n, categorical streams): -1 is missing, -2 invalid, -3 unseen."""
    numeric = layout.numeric_count
    if len(layout.categories) == 0:
        return
    starts = layout.offsets[numeric:-1]
    places = codes.astype(np.int64)
    special = places < 0
    if special.any():
        ends = layout.offsets[numeric + 1 :]
        # missing (-1) is the last cell but one, invalid (-2) the last, unseen (-3) the one before
        back = np.array([0, 2, 1, 3])[-places * special]
        places = np.where(special, ends - back, places + starts)
    else:
        places += starts
    cells += np.bincount(places.ravel(), minlength=len(cells))
