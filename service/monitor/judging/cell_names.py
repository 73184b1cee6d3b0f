"""The cells of a stream by names that a person understands: `[52k, 61k)`, `web`, `missing`."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from detectors.summary.layout import Layout

_UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
"""From what size on, in what unit."""

A_CATEGORY, A_BIN = "a category", "a bin"
"""What is said where values are hidden."""

_TINY = 1e-4
_DIGITS_MIN, _DIGITS_MAX = 3, 17


def cell_names(layout: Layout, stream: int) -> tuple[str, ...]:
    """A name for each cell of a stream, in the order of the layout."""
    if stream >= layout.numeric_count:
        known = layout.categories[stream - layout.numeric_count]
        return (*known, "rare categories", "unseen categories", "missing", "invalid")
    return (*intervals(layout.edges[stream].tolist()), "missing", "invalid")


def hidden_names(layout: Layout, stream: int) -> tuple[str, ...]:
    """As `cell_names`, without anything that tells a value."""
    if stream >= layout.numeric_count:
        known = len(layout.categories[stream - layout.numeric_count])
        return (*([A_CATEGORY] * known), *cell_names(layout, stream)[known:])
    return (*([A_BIN] * (len(layout.edges[stream]) + 1)), "missing", "invalid")


def intervals(edges: Sequence[float]) -> list[str]:
    """Names of the k + 1 cells between k ascending edges. An edge that is the next float above
    another ends a cell of that one value: `0.25`, and what follows is `(0.25, 0.5)`.
    """
    if not edges:
        return ["any value"]
    after = [high == np.nextafter(low, np.inf) for low, high in pairwise(edges)]
    alone = [False, *after]
    whole = _distinct([edge for edge, next_ in zip(edges, alone, strict=True) if not next_])
    texts = [whole[position] for position in np.cumsum(~np.array(alone)) - 1]
    inner = [
        low if single else f"{'(' if above else '['}{low}, {high})"
        for (low, high), single, above in zip(pairwise(texts), after, alone, strict=False)
    ]
    last = f"above {texts[-1]}" if alone[-1] else f"{texts[-1]} or more"
    return [f"below {texts[0]}", *inner, last]


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
