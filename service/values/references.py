"""What normal looks like for one model version, and where that knowledge came from."""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.joint import Projection
from service.values.streams import StreamKey, ValueType

LEARNED = "learned"
"""The source of a reference that was learned from live events."""


class Lineage(Struct, frozen=True):
    """Where a reference came from. `source` is a file's name, `learned` or `accepted`."""

    source: str
    data_hash: str
    created_seconds: float
    created_by: str
    from_seconds: float | None = None
    to_seconds: float | None = None
    dataset: str | None = None
    metadata: Mapping[str, str] = {}


class Dependence(Struct, frozen=True):
    """How far from independent events are (`detectors.dispersion`), as `panes` panes have shown it.

    `phi` is at least 1; `kappa` is infinite where there is no wander. `events` were in a pane on
    average: at another rate the same dependence gives another phi. Where `seasonal`, all of it is
    about what the hour of the `Season` does not tell, and worth nothing without it.
    """

    phi: float
    kappa: float
    panes: int
    events: float
    seasonal: bool = False


class Season(Struct, frozen=True):
    """Rows by hour: `counts` (H, cells) of the `hours` (H,), ascending.

    An hour is that of the week (0 = Monday 0:00) where `period` is week, else of the day, on the
    wall clock of `timezone`. `days` days are in it. Cells are those of the stream's counts, then
    missing and invalid.
    """

    timezone: str
    period: str
    days: int
    hours: tuple[int, ...]
    counts: NDArray[np.int64]


class InTime(Struct, frozen=True):
    """What the order of time taught about a stream: in panes of `pane_seconds`, about its values,
    and of an input about its quality. `season` is there where one of them has one.
    """

    pane_seconds: float
    values: Dependence
    quality: Dependence | None = None
    season: Season | None = None


class StreamReference(Struct, frozen=True):
    """One stream's normal. Counts are rows of the reference.

    Numeric: `edges` are the k interior edges, `counts` the k + 1 value cells. Boolean and
    categorical: `categories`, and `counts` of these, then of `other`; `singletons` is how many
    categories were seen once (Good-Turing's estimate of what is yet unseen). `rare` names the
    categories counted in `other`; where they are too many to be named, it is empty and the stream
    `open_ended`: any unknown category counts as other then, since it may have been in the data.
    The outermost cells of a numeric stream that is `fenced` are empty: what is in them is
    implausible, as a category is that was never seen (`NumericCells.fenced`).
    `mean`, `sd`, `minimum`, `maximum` and `quantiles` (probability -> value) are NaN or empty when
    categorical or without a valid value. `distinct` is an estimate (3 % standard error). `in_time`
    is None where the rows were in no order of time, or too few.
    """

    key: StreamKey
    type: ValueType
    counts: NDArray[np.int64]
    missing: int
    invalid: int
    edges: NDArray[np.float64]
    categories: tuple[str, ...] = ()
    singletons: int = 0
    rare: tuple[str, ...] = ()
    open_ended: bool = False
    fenced: bool = False
    mean: float = float("nan")
    sd: float = float("nan")
    minimum: float = float("nan")
    maximum: float = float("nan")
    quantiles: Mapping[float, float] = {}
    distinct: int = 0
    in_time: InTime | None = None

    @property
    def valid(self) -> int:
        """Rows with a valid value."""
        return int(self.counts.sum())


class Reference(Struct, frozen=True):
    """What normal looks like for one model version; `version` None holds for any version.

    Numeric streams come first, then categorical and boolean ones. `hash` is of the content
    (streams, lineage and projection), so two references with one hash bin alike. `projection` is
    how the numeric inputs are related; it has no feature when they are not, and is None as long as
    nobody has looked.
    """

    model: str
    version: str | None
    rows: int
    streams: tuple[StreamReference, ...]
    lineage: Lineage
    hash: str
    projection: Projection | None = None
