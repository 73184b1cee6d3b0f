"""A stream made here as another's example is described, so that its changes are known exactly."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.recorded.recording import Change, Recording

BEGIN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
FIRST_YEAR, YEARS, YEAR_ROWS = 2007, 15, 5_000


def fifteen_years() -> Recording:
    """Numbers of gamma and normal distributions and one mix of categories, 2007 to 2021."""
    rng = np.random.default_rng(123)
    columns: dict[str, NDArray[Any]] = {
        name: scale * rng.gamma(shape, size=YEARS * YEAR_ROWS)
        for name, shape, scale in (
            *(("a", 8, 1e3), ("c", 7, 1e3), ("d", 10, 1e4), ("g", 11, 1e4)),
            *(("h", 12, 1e3), ("i", 9, 1e3), ("j", 10, 1e2)),
        )
    }
    columns["b"] = rng.normal(200, 10, YEARS * YEAR_ROWS)
    columns["e"], columns["f"] = rng.normal(0, np.sqrt(2), (2, YEARS * YEAR_ROWS))
    columns["confidence"] = rng.uniform(0, 0.6, YEARS * YEAR_ROWS)
    shares = (0.3, 0.3, 0.2, 0.1, 0.05, 0.04, 0.01)
    columns["mix"] = rng.choice(np.array(list("pqrstuv")), YEARS * YEAR_ROWS, p=shares)
    _change(columns, rng)
    return Recording(
        name="Fifteen years after the example of menelaus: 75,000 rows of twelve columns",
        truth="made here, as make_example_batch_data describes it but for 5,000 rows a year: the "
        "mean of b in 2009; in 2012 every tenth value of c and every second of d become their "
        "mean; e and f are correlated by 0.5 in 2015; h and confidence change for good in 2019, j "
        "in 2021. The way back may alarm within 500 rows. The reference is 2007 and 2008. A row a "
        "second.",
        times=BEGIN + np.arange(YEARS * YEAR_ROWS, dtype=np.float64),
        columns=columns,
        changes=[
            _between(2009, 2009, "b"),
            _between(2012, 2012, "c"),
            _between(2012, 2012, "d"),
            _between(2015, 2015, "e", "f"),
            _between(2019, 2021, "h"),
            _between(2019, 2021, "confidence"),
            _between(2021, 2021, "j"),
        ],
        reference_rows=2 * YEAR_ROWS,
        period_rows=1_000,
        prediction="confidence",
        aftermath_seconds=500.0,
    )


def _change(columns: Mapping[str, NDArray[Any]], rng: np.random.Generator) -> None:
    columns["b"][_rows(2009)] = rng.normal(500, 10, YEAR_ROWS)
    for name, every in (("c", 10), ("d", 2)):
        column = columns[name]
        replaced = np.arange(YEARS * YEAR_ROWS)[_rows(2012)][::every]
        column[replaced] = column.mean() + rng.normal(0, 10, len(replaced))
    correlated = rng.multivariate_normal((0, 0), ((2, 1), (1, 2)), YEAR_ROWS)
    columns["e"][_rows(2015)], columns["f"][_rows(2015)] = correlated.T
    columns["h"][_rows(2019, 2021)] = 1e3 * rng.gamma(1, size=3 * YEAR_ROWS)
    columns["confidence"][_rows(2019, 2021)] = rng.uniform(0.4, 1, 3 * YEAR_ROWS)
    columns["j"][_rows(2021)] = 10 * rng.gamma(10, size=YEAR_ROWS)


def _rows(first: int, last: int | None = None) -> slice:
    """The rows of a year, or of some years."""
    return slice((first - FIRST_YEAR) * YEAR_ROWS, ((last or first) - FIRST_YEAR + 1) * YEAR_ROWS)


def _between(first: int, last: int, *streams: str) -> Change:
    rows = _rows(first, last)
    return Change(BEGIN + rows.start, BEGIN + rows.stop - 1, frozenset(streams))
