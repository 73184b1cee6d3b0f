"""The changes that are to be noticed, each with the panes that it may take."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from detectors.joint import JointMoments, Projection, reconstruction_errors
from detectors.scaling import PROBABILITIES, Scaling
from service.values.streams import Kind
from tests.benchmarks.judging.laws import Categories, Empirical, Mixture
from tests.benchmarks.judging.streams import Feature

RUNS = 20
"""Runs of one change side by side: each is a feature of one model, and an episode book of its own
hears of it."""


class Change(NamedTuple):
    """From the features that `before` makes of a generator to those of `after`, by the same names.

    `margins` says that it can be seen in the values of a feature alone.
    """

    name: str
    panes_at_most: int
    make: Callable[[np.random.Generator, int], tuple[list[Feature], list[Feature]]]
    margins: bool = True


def changes():
    """All of them, by name."""
    return {change.name: change for change in _CHANGES}


def pairs(before: dict[str, Any], after: dict[str, Any]):
    """Makes as many features as there are runs, all alike."""

    def make(_rng, _rows):
        names = [f"run {i:02}" for i in range(RUNS)]
        return [Feature(n, **before) for n in names], [Feature(n, **after) for n in names]

    return make


def _laws(before, after):
    return pairs({"law": before}, {"law": after})


NORMAL = Mixture()
CORRELATION, ROWS_OF_ERRORS, FEATURES = 0.8, 200_000, 20


def _correlations(rng, rows):
    """The reconstruction error of models in which one pair of 20 features is correlated."""
    before, after = [], []
    for i in range(RUNS):
        projection, fitted = _fitted(rng, rows)
        laws = [
            Empirical(np.sort(_errors(projection, _related(rng, ROWS_OF_ERRORS, rho))), fitted)
            for rho in (CORRELATION, 0.0)
        ]
        for law, made in zip(laws, (before, after), strict=True):
            made.append(Feature(f"run {i:02}", law, kind=Kind.JOINT))
    return before, after


def _fitted(rng, rows):
    """What a reference of so many rows makes of the relations, and the errors of its own rows."""
    values = _related(rng, rows, CORRELATION)
    names = [f"f{i:02}" for i in range(FEATURES)]
    scaling = Scaling.of_quantiles(names, np.quantile(values, PROBABILITIES, axis=0).T)
    moments = JointMoments(FEATURES)
    moments.update(scaling, values)
    projection = Projection.of_moments(scaling, moments)
    return projection, _errors(projection, values)


def _related(rng, rows, rho):
    values = rng.normal(size=(rows, FEATURES))
    values[:, 1] = rho * values[:, 0] + np.sqrt(1 - rho**2) * values[:, 1]
    return values


def _errors(projection, values):
    columns = [int(name[1:]) for name in projection.features]
    return reconstruction_errors(projection, values[:, columns])


_APART = 0.9

_CHANGES = (
    Change("mean +1 sd", 1, _laws(NORMAL, Mixture(means=(1.0,)))),
    Change("mean +0.5 sd", 2, _laws(NORMAL, Mixture(means=(0.5,)))),
    Change("mean +0.25 sd", 5, _laws(NORMAL, Mixture(means=(0.25,)))),
    Change("variance x 1.5", 4, _laws(NORMAL, Mixture(sds=(float(np.sqrt(1.5)),)))),
    Change(
        "5 % outliers at 4 sd",
        2,
        _laws(NORMAL, Mixture((0.95, 0.05), (0.0, 4.0), (1.0, 0.01))),
    ),
    Change(
        "bimodal split",
        2,
        _laws(NORMAL, Mixture((0.5, 0.5), (-_APART, _APART), (float(np.sqrt(1 - _APART**2)),) * 2)),
    ),
    Change(
        "a 10 % category appears",
        2,
        _laws(Categories((0.4, 0.3, 0.2, 0.1)), Categories((0.36, 0.27, 0.18, 0.09, 0.1))),
    ),
    Change(
        "missing 1 % to 5 %",
        4,
        pairs({"law": NORMAL, "missing": 0.01}, {"law": NORMAL, "missing": 0.05}),
    ),
    Change("positives 1 % to 2 %", 20, _laws(Categories((0.99, 0.01)), Categories((0.98, 0.02)))),
    Change(
        "above a cut-off 0.5 % to 1 %",
        30,
        _laws(Categories((0.995, 0.005)), Categories((0.99, 0.01))),
    ),
    Change("correlation 0.8 to 0", 10, _correlations, margins=False),
)
