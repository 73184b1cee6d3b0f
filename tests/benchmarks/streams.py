"""Streams as counts of cells, pane by pane, of which the truth is known: stationary or changing."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

PANE_SECONDS = 60
QUANTILES = np.array([0.001, 0.01, 0.05, *np.arange(1, 10) / 10, 0.95, 0.99, 0.999])
EDGES = norm.ppf(QUANTILES)
SIMULATED_RATE_MAX = 10
"""Autocorrelated events are drawn one by one up to so many a second; beyond, as clusters of the
same variance."""


class World(NamedTuple):
    """A kind of stationary stream: `features` of a model's 20 are of it.

    shares: of independent events, but for what follows. autocorrelation: of a normal AR(1), from
    event to event. wander_sd: of the mean, over 6 hours. season_sd: amplitude of a daily wave of
    the mean. rate_varies: tenfold over the day.
    """

    name: str
    features: int
    shares: np.ndarray
    autocorrelation: float = 0.0
    wander_sd: float = 0.0
    season_sd: float = 0.0
    rate_varies: bool = False

    @property
    def variance_factor(self):
        """What autocorrelation does to the variance of a sum."""
        return (1 + self.autocorrelation) / (1 - self.autocorrelation)


def numeric(shift=0.0, sd=1.0):
    """Shares of the cells of a numeric stream, missing and invalid the last; shapes broadcast."""
    inner = norm.cdf((EDGES - np.asarray(shift)[..., None]) / sd)
    ends = np.zeros((*inner.shape[:-1], 1))
    return np.concatenate((np.diff(inner, prepend=ends, append=ends + 1), ends, ends), axis=-1)


def plain(*shares):
    """Any shares, with nothing unseen, missing or invalid."""
    values = np.array([*shares, 0, 0, 0], dtype=float)
    return values / values.sum()


def poisson(mean, cells):
    """Integer counts, the last cell being all larger ones."""
    steps = np.arange(1, cells)
    shares = np.exp(-mean) * np.cumprod(np.concatenate(([1.0], mean / steps)))
    return plain(*shares[:-1], 1 - shares[:-1].sum())


WORLDS = (
    World("numeric (normal, lognormal)", 5, numeric()),
    World("Bernoulli 1 %", 2, plain(0.99, 0.01)),
    World("zero-inflated", 1, plain(0.6, *np.full(10, 0.04))),
    World("integer counts", 1, poisson(5.0, 13)),
    World("50 categories", 2, plain(*(1 / np.arange(1, 51)))),
    World("constant", 1, plain(1.0)),
    World("AR(1) 0.5", 1, numeric(), autocorrelation=0.5),
    World("AR(1) 0.9", 2, numeric(), autocorrelation=0.9),
    World("6-hour wander of 0.05 sd", 2, numeric(), wander_sd=0.05),
    World("rate varies 10 x", 2, numeric(), rate_varies=True),
    World("daily season of 1 sd, learned", 1, numeric(), season_sd=1.0),
)


class Streams:
    """`count` streams of a world at `rate` events a second; `pane()` draws the next minute."""

    def __init__(self, world, rate, count, rng):
        self.world, self.rate, self.count, self.rng = world, rate, count, rng
        self.minute = 0
        self._phase = rng.uniform(0, 2 * np.pi, count)
        self._wander = rng.normal(size=count) * world.wander_sd
        self._latent = rng.normal(size=(count, 1)) * world.autocorrelation

    def reference(self, rows):
        """Counts of a reference, shape (count, B); dependent events are worth fewer rows."""
        return self._clustered(rows, np.broadcast_to(self.world.shares, (self.count, self.cells)))

    @property
    def cells(self):
        """How many cells a stream has."""
        return len(self.world.shares)

    def shares(self, minute):
        """What is expected in a minute, but for the wander; shape (count, B)."""
        world = self.world
        if not world.season_sd:
            return np.broadcast_to(world.shares, (self.count, self.cells))
        wave = np.sin(minute / 1440 * 2 * np.pi + self._phase)
        return numeric(world.season_sd * np.sqrt(2) * wave, np.ones((self.count, 1)))

    def pane(self):
        """Counts of the next minute, shape (count, B)."""
        self.minute += 1
        events = self.rate * PANE_SECONDS
        if self.world.rate_varies:
            events = round(events * 10 ** (np.sin(self.minute / 1440 * 2 * np.pi) / 2))
        if self.world.wander_sd:
            keep = np.exp(-1 / 360)
            step = self.world.wander_sd * np.sqrt(1 - keep**2)
            self._wander = keep * self._wander + step * self.rng.normal(size=self.count)
            return self.rng.multinomial(events, numeric(self._wander))
        if self.world.autocorrelation and self.rate <= SIMULATED_RATE_MAX:
            return self._autocorrelated(events)
        return self._clustered(events, self.shares(self.minute))

    def _clustered(self, events, shares):
        size = self.world.variance_factor
        return size * self.rng.multinomial(max(1, round(events / size)), shares)

    def _autocorrelated(self, events):
        rho = self.world.autocorrelation
        noise = self.rng.normal(size=(self.count, events)) * np.sqrt(1 - rho**2)
        values, self._latent = lfilter([1.0], [1.0, -rho], noise, axis=1, zi=self._latent)
        placed = np.searchsorted(EDGES, values) + np.arange(self.count)[:, None] * self.cells
        counts = np.bincount(placed.ravel(), minlength=self.count * self.cells)
        return counts.reshape(self.count, self.cells)


class Change(NamedTuple):
    """A change from `before` to `after`: shares, and how many panes it may take to be noticed.

    `tolerance`: PSI that does not matter.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    panes_at_most: int
    tolerance: float = 0.15**2


def _missing(share):
    values = numeric() * (1 - share)
    values[-2] = share
    return values


def _bimodal(apart):
    """Two normals, as much apart as leaves mean 0 and variance 1."""
    sd = np.sqrt(1 - apart**2)
    return (numeric(-apart, sd) + numeric(apart, sd)) / 2


def _residual(variance):
    """Squared residual of a principal component whose variance was 0.2; cells are those of 0.2."""
    edges = norm.ppf((1 + QUANTILES) / 2)
    inner = 2 * norm.cdf(edges * np.sqrt(0.2 / variance)) - 1
    return np.array([*np.diff(inner, prepend=0, append=1), 0, 0])


def changes(rate_tolerance):
    """Every change that is measured; `rate_tolerance(r)` is the PSI that a rate may move by."""
    return (
        Change("mean +1 sd", numeric(), numeric(1.0), 1),
        Change("mean +0.5 sd", numeric(), numeric(0.5), 2),
        Change("mean +0.25 sd", numeric(), numeric(0.25), 5),
        Change("variance x 1.5", numeric(), numeric(0.0, np.sqrt(1.5)), 4),
        Change("5 % outliers at 4 sd", numeric(), 0.95 * numeric() + 0.05 * numeric(4.0, 0.01), 2),
        Change("bimodal split", numeric(), _bimodal(0.9), 2),
        Change(
            "a 10 % category appears",
            plain(0.4, 0.3, 0.2, 0.1),
            np.array([0.36, 0.27, 0.18, 0.09, 0.1, 0, 0]),
            2,
        ),
        Change("missing 1 % to 5 %", _missing(0.01), _missing(0.05), 4),
        Change(
            "positives 1 % to 2 %",
            np.array([0.99, 0.01]),
            np.array([0.98, 0.02]),
            20,
            rate_tolerance(0.01),
        ),
        Change(
            "above a cut-off 0.5 % to 1 %",
            np.array([0.995, 0.005]),
            np.array([0.99, 0.01]),
            30,
            rate_tolerance(0.005),
        ),
        Change("correlation 0.8 to 0 (residual)", _residual(0.2), _residual(1.0), 10),
    )
