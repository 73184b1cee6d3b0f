"""What a Summary costs: microseconds a row, a merge, and the bytes of its state.

python -m tests.benchmarks.summary
"""

import time
import zlib

import numpy as np

from detectors.summary.cells import numeric_cells
from detectors.summary.layout import Layout
from detectors.summary.profile import Profile
from detectors.summary.summary import Summary

ROWS = 5000


def table():
    """(name, value, unit) of every figure."""
    layout, numeric, codes = stream_of(16, 4, ROWS)
    many_layout, many_numeric, _ = stream_of(500, 0, ROWS)
    wide_layout, wide_numeric, _ = stream_of(50, 0, 10_000)
    wide = summary_of(wide_layout, wide_numeric)
    state = wide.state()
    arrays = [value for value in state.values() if isinstance(value, np.ndarray)]
    return [
        ("update, first 5,000 rows of a pane", first(layout, numeric, codes), "us/row"),
        ("update, 5,000 rows at once", further(layout, numeric, codes, ROWS), "us/row"),
        ("update, 50 rows at once", further(layout, numeric, codes, 50), "us/row"),
        ("update, 1 row at once", further(layout, numeric, codes, 1), "us/row"),
        ("profile, 5,000 numbers at once", profiled(numeric), "us/value"),
        ("merge of 500 numeric streams", merged(many_layout, many_numeric), "ms"),
        ("quantiles of 500 numeric streams", quantiles(many_layout, many_numeric), "ms"),
        ("state of 50 features, 10,000 rows", sum(a.nbytes for a in arrays) / 1024, "KiB"),
        (
            "the same, deflated",
            sum(len(zlib.compress(a.tobytes(), 1)) for a in arrays) / 1024,
            "KiB",
        ),
    ]


def stream_of(numeric_count, categorical_count, rows):
    """Columns like a credit model's: normal, lognormal, integer, zero-inflated, some missing."""
    rng = np.random.default_rng(11)
    kinds = [
        lambda: rng.normal(size=rows),
        lambda: rng.lognormal(10.0, 1.0, rows),
        lambda: rng.poisson(30.0, rows).astype(float),
        lambda: np.where(rng.random(rows) < 0.6, 0.0, rng.lognormal(size=rows)),
        lambda: np.where(rng.random(rows) < 0.01, np.nan, rng.random(rows)),
    ]
    numeric = np.column_stack([kinds[i % len(kinds)]() for i in range(numeric_count)])
    edges = []
    for column in numeric.T:
        profile = Profile()
        profile.update_numbers(column)
        edges.append(numeric_cells(profile).edges)
    names = tuple(f"category {i}" for i in range(20))
    codes = rng.integers(-1, 20, size=(rows, categorical_count)).astype(np.int32)
    return Layout(tuple(edges), (names,) * categorical_count), numeric, codes


def summary_of(layout, numeric, codes=None):
    summary = Summary(layout)
    codes = np.empty((len(numeric), 0), np.int32) if codes is None else codes
    summary.update(numeric, codes, {}, float(len(numeric)))
    return summary


def first(layout, numeric, codes):
    return best(lambda: summary_of(layout, numeric, codes)) / len(numeric) * 1e6


def further(layout, numeric, codes, size):
    summary = summary_of(layout, numeric, codes)

    def feed():
        for start in range(0, len(numeric), size):
            rows = slice(start, start + size)
            summary.update(numeric[rows], codes[rows], {}, float(size))
        return summary.cells

    return best(feed) / len(numeric) * 1e6


def profiled(numeric):
    profile = Profile()
    return best(lambda: profile.update_numbers(numeric[:, 0])) / len(numeric) * 1e6


def merged(layout, numeric):
    one, other = summary_of(layout, numeric), summary_of(layout, numeric)
    return best(lambda: one.merge(other), rounds=5) * 1e3


def quantiles(layout, numeric):
    summary = summary_of(layout, numeric)
    probabilities = np.array([0.01, 0.25, 0.5, 0.75, 0.99])
    return best(lambda: summary.quantile(probabilities), rounds=5) * 1e3


def best(work, rounds=15):
    """The shortest of several rounds, in seconds: what others on the machine disturbed least."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main():
    for name, value, unit in table():
        print(f"{name:<40} {value:>10.3f} {unit}")


if __name__ == "__main__":
    main()
