"""A model of features of which the truth is known: its reference, and panes without end."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from detectors.summary.profile import Profile
from service.monitor.references.reference import build_reference, layout_of
from service.values.references import Lineage
from service.values.streams import Kind, StreamKey, ValueType
from tests.benchmarks.judging.autocorrelation import EXACT_RATE_MAX, Exact, Stretches, path
from tests.benchmarks.judging.laws import (
    Categories,
    Constant,
    Counts,
    Lognormal,
    Mixture,
    ZeroInflated,
    cell_shares,
)

PANE_SECONDS = 60
DAY_PANES = 1_440
START_SECONDS = 1_780_272_000.0  # a Monday, 00:00 UTC
WANDER_PANES = 360
SEASONAL = "season 1 sd"


class Feature(NamedTuple):
    """One feature: independent values of `law`, but for what follows.

    missing: share. autocorrelation: from event to event, of normals. wander_sd: of the mean, over
    six hours. season_sd: of the mean over the day.
    """

    name: str
    law: object
    missing: float = 0.0
    autocorrelation: float = 0.0
    wander_sd: float = 0.0
    season_sd: float = 0.0
    kind: Kind = Kind.INPUT


STATIONARY = (
    *(Feature(f"normal {i}", Mixture()) for i in range(3)),
    Feature("normal, 5 % missing", Mixture(), missing=0.05),
    *(Feature(f"lognormal 1.5 {i}", Lognormal(1.5)) for i in range(2)),
    *(Feature(f"bernoulli 1 % {i}", Categories((0.99, 0.01))) for i in range(2)),
    Feature("zero-inflated", ZeroInflated(0.6)),
    Feature("integer counts", Counts(5.0)),
    *(
        Feature(f"50 categories {i}", Categories(tuple(1 / np.arange(1, 51) / 4.499205338329425)))
        for i in range(2)
    ),
    Feature("constant", Constant(7.0)),
    *(Feature(f"AR 0.5 {i}", Mixture(), autocorrelation=0.5) for i in range(2)),
    *(Feature(f"AR 0.9 {i}", Mixture(), autocorrelation=0.9) for i in range(2)),
    *(Feature(f"wander 0.05 sd {i}", Mixture(), wander_sd=0.05) for i in range(2)),
    Feature(SEASONAL, Mixture(), season_sd=1.0),
)
"""The 20 features of a model in which nothing ever changes."""


class Streams:
    """Features at `rate` events a second (tenfold over the day if it `varies`), Poisson a pane,
    with a reference of so many `rows`.
    """

    def __init__(self, features, rate, rows, rng, *, varies=False):
        self._rng, self._rate, self._varies = rng, rate, varies
        self._phase = {f.name: rng.uniform(0, 2 * np.pi) for f in features}
        self._wander = {f.name: rng.normal() * f.wander_sd for f in features}
        drawn = {f.name: self._reference_values(f, rows) for f in features}
        self.reference = reference_of(features, drawn, rows)
        self.layout = layout_of(self.reference)
        self._streams = {stream.key.name: stream for stream in self.reference.streams}
        self._paths = {}
        for f in features:
            if f.autocorrelation:
                kind = Exact if rate <= EXACT_RATE_MAX else Stretches
                edges = self._streams[f.name].edges
                self._paths[f.name] = kind(rng, f.autocorrelation, edges)
        self.become(features)

    def become(self, features):
        """From the next pane on the features are these, by the same names."""
        self._features = {f.name: f for f in features}

    def panes(self, first, count):
        """Rows (count,) and counts by cell of the layout (count, C) of the panes from `first`."""
        minutes = first + np.arange(count) + 0.5
        rows = self._rng.poisson(self._rate * PANE_SECONDS * self._rate_factor(minutes))
        counts = np.zeros((count, self.layout.cell_count), dtype=np.int64)
        for i, stream in enumerate(self.reference.streams):
            start, end = self.layout.offsets[i : i + 2]
            feature = self._features[stream.key.name]
            counts[:, start:end] = self._counts(feature, stream, rows, minutes)
        return rows, counts

    def _rate_factor(self, minutes):
        if not self._varies:
            return np.ones(len(minutes))
        return 10 ** (np.sin(minutes / DAY_PANES * 2 * np.pi) / 2)

    def _counts(self, feature, stream, rows, minutes):
        if feature.autocorrelation:
            values = self._paths[feature.name].counts(rows)
            return np.pad(values, ((0, 0), (0, 2)))
        shift = 0.0
        if feature.wander_sd:
            shift = self._wandered(feature, len(rows))
        if feature.season_sd:
            shift = self._season(feature, minutes)
        shares = cell_shares(feature.law, stream, shift) * (1 - feature.missing)
        shares[..., -2] += feature.missing
        return self._rng.multinomial(rows, shares / shares.sum(axis=-1, keepdims=True))

    def _wandered(self, feature, count):
        keep = np.exp(-1 / WANDER_PANES)
        step = feature.wander_sd * np.sqrt(1 - keep**2)
        noise = step * self._rng.normal(size=count)
        last = keep * self._wander[feature.name]
        wander, _ = lfilter([1.0], [1.0, -keep], noise, zi=[last])
        self._wander[feature.name] = wander[-1] if count else self._wander[feature.name]
        return wander

    def _season(self, feature, minutes):
        wave = np.sin(minutes / DAY_PANES * 2 * np.pi + self._phase[feature.name])
        return np.sqrt(2) * feature.season_sd * wave

    def _reference_values(self, feature, rows):
        """Rows from the same world, spread over all its times; dependent ones one after another."""
        rng = self._rng
        if feature.autocorrelation:
            return path(rng, feature.autocorrelation, rows)
        values = feature.law.draw(rng, rows)
        if feature.wander_sd:
            values = values + feature.wander_sd * rng.normal(size=rows)
        if feature.season_sd:
            values = values + self._season(feature, rng.uniform(0, DAY_PANES, rows))
        if feature.missing:
            values = np.where(rng.random(rows) < feature.missing, np.nan, values)
        return values


def reference_of(features, drawn, rows):
    """The reference of drawn values by feature, built as from a file."""
    profiles, types = {}, {}
    for feature in features:
        key = StreamKey(feature.kind, feature.name)
        profiles[key] = _profile(feature.law, drawn[feature.name])
        types[key] = feature.law.type
    lineage = Lineage("simulated", "", 0.0, "benchmark")
    return build_reference("model", "1", profiles, rows, lineage, types)


def _profile(law, values):
    profile = Profile()
    if law.type is ValueType.NUMERIC:
        profile.update_numbers(values)
    elif law.type is ValueType.BOOLEAN:
        profile.update_booleans(values.astype(bool).tolist())
    else:
        profile.update_texts([law.names[code] for code in values.tolist()])
    return profile
