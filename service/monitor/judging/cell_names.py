"""The cells of a stream by names that a person understands: `[52k, 61k)`, `web`, `missing`."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from detectors.summary.layout import Layout

_UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
"""From what size on, in what unit."""

_TINY = 1e-4
_DIGITS_MIN, _DIGITS_MAX = 3, 17


def cell_names(layout: Layout, stream: int) -> tuple[str, ...]:
    """A name for each cell of a stream, in the order of the layout."""
    if stream >= layout.numeric_count:
        known = layout.categories[stream - layout.numeric_count]
        return (*known, "rare categories", "unseen categories", "missing", "invalid")
    return (*intervals(layout.edges[stream].tolist()), "missing", "invalid")


def intervals(edges: Sequence[float]) -> list[str]:
    """Names of the k + 1 cells between k ascending edges."""
    if not edges:
        return ["any value"]
    texts = _distinct(edges)
    inner = [f"[{low}, {high})" for low, high in pairwise(texts)]
    return [f"below {texts[0]}", *inner, f"{texts[-1]} or more"]


def _distinct(edges: Sequence[float]) -> list[str]:
    """The edges in as few digits as tell each from the next, three at least."""
    for digits in range(_DIGITS_MIN, _DIGITS_MAX):
        texts = [_short(edge, digits) for edge in edges]
        if len(set(texts)) == len(texts):
            return texts
    return [repr(edge) for edge in edges]


def _short(value: float, digits: int) -> str:
    """`52k`, `1.2M`, `0.25`."""
    for from_size, size, unit in _UNITS:
        if abs(value) >= from_size:
            return _positional(value / size, digits) + unit
    if 0 < abs(value) < _TINY:
        return f"{value:.{digits}g}"
    return _positional(value, digits)


def _positional(value: float, digits: int) -> str:
    return np.format_float_positional(value, digits, unique=False, fractional=False, trim="-")
