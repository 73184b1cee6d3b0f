"""From the profile of a stream to the cells of its reference."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.summary.profile import Profile
from detectors.summary.quantiles import Buckets

PROBABILITIES = (
    *(0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999),
)
"""Where the edges of a numeric stream lie; the fine tails find a few outliers early."""

ATOM_SHARE = 0.1
"""A bucket heavier than a decile is a cell of its own."""

DOMINANT_SHARE, DOMINANT_ROWS_MIN = 0.95, 20
"""Beside a cell of this share, smaller cells would alarm several times more often than promised."""

DISCRETE_MAX = 100
"""A stream of no more different values is discrete: no values are expected between them."""


RARE_MAX, RARE_BYTES_MAX = 1000, 16 * 1024
"""More rare categories, or longer names in all, and none is kept by name."""


class NumericCells(NamedTuple):
    """k ascending interior edges and the k + 1 exact counts of the cells they part."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    def fenced(self, minimum: float, maximum: float) -> "NumericCells":
        """The same with an empty cell at either end for what is implausible.

        Implausible are values further out than the range is wide (than its largest value is, of
        one value alone), and those below 0 where there was none. So -999 that stands for a missing
        value is told from the tail, as an unknown category is from a rare one. Where no finite
        number lies as far out, the cells stay as they are.
        """
        width = maximum - minimum or abs(maximum) or 1.0
        lower = 0.0 if minimum >= 0 else minimum - width
        upper = max(maximum + width, *np.nextafter([maximum, *self.edges[-1:]], np.inf))
        if not (np.isfinite(lower) and np.isfinite(upper)):
            return self
        # Below a first edge that lies as far out is nothing already.
        before = [lower] if lower < min(self.edges, default=np.inf) else []
        edges = np.concatenate((before, self.edges, [upper]))
        counts = np.concatenate((np.zeros(len(before)), self.counts, [0])).astype(np.int64)
        return NumericCells(edges, counts)


class CategoryCells(NamedTuple):
    """The frequent categories, the largest first, their counts, and all that is left.

    `other` counts the rows of all further categories; `singletons` is how many categories were seen
    once (Good, 1953: their share estimates that of categories not seen yet).
    `rare` names the categories in `other`, the largest first. They are all there or, if there are
    too many to keep (RARE_MAX, RARE_BYTES_MAX) or to have been counted, none: then `open_ended`.
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    other: int
    singletons: int
    rare: tuple[str, ...] = ()
    open_ended: bool = False


def value_type(profile: Profile) -> Literal["numeric", "categorical", "boolean"]:
    """The type that most valid values have.

    Ties go to numeric, then to categorical; without a valid value it is numeric. Values of the
    other types are invalid in this stream.
    """
    counts = _counts_by_type(profile)
    if counts["numeric"] == max(counts.values()):
        return "numeric"
    return "categorical" if counts["categorical"] >= counts["boolean"] else "boolean"


def numeric_cells(profile: Profile, rows_min: int = 5) -> NumericCells:
    """Cells at the quantiles PROBABILITIES of the numbers, each with at least `rows_min` of them.

    Edges lie on bucket boundaries of the profile's histogram, so every count is exact: cell i holds
    the numbers in [edge i-1, edge i), the outermost cells are open. A bucket heavier than a decile
    (an *atom*: zeros, a constant, a small integer) becomes a cell of its own.
    Cells smaller than `rows_min` (or than DOMINANT_ROWS_MIN beside a bucket of nearly all numbers)
    join their smaller neighbour.
    Beyond an atom at either end of the range stays an empty cell, so that in a constant or discrete
    stream a new value outside of the range is seen. No number gives no edge and the one count 0.
    """
    buckets = profile.quantiles.buckets(0)
    if len(buckets.counts) == 0:
        return NumericCells(np.empty(0), np.zeros(1, dtype=np.int64))
    below = np.concatenate(([0], np.cumsum(buckets.counts)))
    atoms = _atoms(buckets, rows_min)
    if buckets.counts.max() >= DOMINANT_SHARE * below[-1]:
        rows_min = max(rows_min, DOMINANT_ROWS_MIN)
    cuts = _merged(_wanted_cuts(below, atoms), below, rows_min)
    return NumericCells(_edges(cuts, buckets, atoms), np.diff(below[[0, *cuts, -1]]))


def category_cells(profile: Profile, limit: int = 50, rows_min: int = 20) -> CategoryCells:
    """The `limit` most frequent texts with at least `rows_min` rows each, ties by name.

    Of fewer than 20 * rows_min texts a category needs a twentieth (and one row) instead: a small
    reference keeps its large categories. The rest is `other`. Booleans are the categories `false`
    and `true`, both always.
    """
    if value_type(profile) == "boolean":
        return CategoryCells(("false", "true"), profile.booleans.copy(), 0, 0)
    enough = max(1, min(rows_min, profile.texts // 20))
    top = profile.names.top()
    chosen = [(n, c) for n, c in top[:limit] if c >= enough]
    counts = np.array([count for _, count in chosen], dtype=np.int64)
    rare = tuple(name for name, _ in top[len(chosen) :])
    size = sum(len(name.encode("utf-8", "surrogatepass")) for name in rare[: RARE_MAX + 1])
    all_held = profile.names.counts.total() == profile.texts
    open_ended = not all_held or len(rare) > RARE_MAX or size > RARE_BYTES_MAX
    return CategoryCells(
        names=tuple(name for name, _ in chosen),
        counts=counts,
        other=profile.texts - int(counts.sum()),
        singletons=profile.singletons,
        rare=() if open_ended else rare,
        open_ended=open_ended,
    )


def _counts_by_type(profile: Profile) -> dict[str, int]:
    return {
        "numeric": profile.numbers,
        "categorical": profile.texts,
        "boolean": int(profile.booleans.sum()),
    }


def _atoms(buckets: Buckets, rows_min: int) -> NDArray[np.bool_]:
    heavy = buckets.counts > ATOM_SHARE * buckets.counts.sum()
    large = (buckets.counts >= rows_min) | (len(buckets.counts) == 1)
    atoms: NDArray[np.bool_] = heavy & large & np.isfinite(buckets.upper)
    return atoms


def _wanted_cuts(below: NDArray[np.int64], atoms: NDArray[np.bool_]) -> list[int]:
    """Positions between buckets (i = before bucket i): nearest to each quantile, around atoms."""
    ranks = np.array(PROBABILITIES) * below[-1]
    after = np.clip(np.searchsorted(below, ranks), 1, len(below) - 1)
    nearer = np.where(ranks - below[after - 1] < below[after] - ranks, after - 1, after)
    heavy = np.flatnonzero(atoms)
    inside = nearer[(nearer > 0) & (nearer < len(atoms))]
    return sorted({*inside.tolist(), *heavy.tolist(), *(heavy + 1).tolist()})


def _merged(cuts: list[int], below: NDArray[np.int64], rows_min: int) -> list[int]:
    """Drop cuts until every cell, but an empty one beyond an atom, has `rows_min` rows."""
    last = len(below) - 1
    ends = {0, last}  # cuts here only stand next to an atom and keep the beyond apart
    while True:
        bounds = [0, *(cut for cut in cuts if cut not in ends), last]
        rows = np.diff(below[bounds])
        small = int(rows.argmin())
        if rows[small] >= rows_min or len(rows) == 1:
            return cuts
        neighbours = [cell for cell in (small - 1, small + 1) if 0 <= cell < len(rows)]
        smaller = min(neighbours, key=rows.__getitem__)
        cuts = [cut for cut in cuts if cut != bounds[max(small, smaller)]]


def _edges(cuts: list[int], buckets: Buckets, atoms: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A cut's edge: the lower bound of the next bucket, the readable choice.

    But the upper bound of the one before if that is an atom with a gap of the continuum above it.
    """
    last = len(atoms)
    discrete = last <= DISCRETE_MAX
    edges = []
    for cut in cuts:
        tight = cut > 0 and atoms[cut - 1] and not discrete
        edges.append(buckets.upper[cut - 1] if cut == last or tight else buckets.lower[cut])
    return np.array(edges, dtype=np.float64)
