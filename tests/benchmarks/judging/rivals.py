"""What river's detectors do at their defaults, fed every event, and what firing at random would.

They know nothing of a reference, of a budget or of what is missing: a user would give each feature
a detector, categories by number, and leave out what is missing. What their alarms come to is
grouped as ours is: a stream drifts until three panes brought no alarm, and the real book of
episodes makes episodes of that. One that fires once in the budget's period whatever comes has no
more false alarms than allowed: what it notices, it notices by chance.
"""

import numpy as np
from scipy.signal import lfilter

from detectors.change.river import RiverParameters
from service.monitor.detecting.drift import DriftStates, PaneFlags
from service.monitor.episodes.book import EpisodeRules, Episodes
from service.monitor.episodes.pane_verdicts import Drifting, PaneVerdict
from service.values.episodes import Phase
from service.values.streams import StreamKey
from tests.benchmarks.judging.changes import changes
from tests.benchmarks.judging.delays import CHANGED_PANES, RATE, ROWS
from tests.benchmarks.judging.streams import (
    DAY_PANES,
    PANE_SECONDS,
    START_SECONDS,
    STATIONARY,
    WANDER_PANES,
)
from tests.benchmarks.judging.watching import MODEL

RIVERS = {"river.ADWIN": 20_000_000, "river.PageHinkley": 20_000_000, "river.KSWIN": 60_000}
"""Values that each is given of all streams of a model together: KSWIN takes 1,000 times as long."""

QUICK = ("river.ADWIN", "river.PageHinkley")

PERIOD_PANES = 30 * DAY_PANES
RECOVER_PANES = 3
RUNS, QUIET_PANES = 50, 120


def false_episodes(name, rate, seed=4):
    """Alarms and episodes a model-month, the share of time within one, and the panes that this
    rests on.
    """
    rng = np.random.default_rng([seed, rate, *name.encode()])
    panes = max(20, RIVERS[name] // (rate * PANE_SECONDS * len(STATIONARY)))
    streams = [_Stream(name, feature, rate, rng) for feature in STATIONARY]
    drift, book = DriftStates(len(streams)), Episodes(EpisodeRules(float(PANE_SECONDS)))
    alarms, events, within = 0, [], 0
    for pane in range(panes):
        found = np.array([stream.alarms_in(pane) for stream in streams])
        alarms += int(found.sum())
        events += _told(drift, book, pane, found > 0)
        within += book.has_open(MODEL)
    episodes = sum(event.phase is Phase.STARTED for event in events)
    months = panes / PERIOD_PANES
    return {
        "alarms": alarms / months,
        "episodes": episodes / months,
        "within": within / panes,
        "panes": panes,
    }


def delays(name, change, seed=5):
    """Panes from a change to the first alarm in 50 runs (None: none in eight hours), and how many
    panes of those before it had one.
    """
    described = changes()[change]
    rng = np.random.default_rng([seed, *name.encode(), *change.encode()])
    before, after = described.make(rng, ROWS)
    first, early = [], 0
    for run in range(RUNS):
        features = before[run % len(before)], after[run % len(after)]
        stream = _Stream(name, features[0], RATE, rng, missing=features[0].missing > 0)
        early += sum(stream.alarms_in(pane) > 0 for pane in range(QUIET_PANES))
        stream.feature = features[1]
        panes = range(QUIET_PANES, QUIET_PANES + CHANGED_PANES)
        found = next((pane for pane in panes if stream.alarms_in(pane)), None)
        first.append(None if found is None else found - QUIET_PANES + 1)
    return {"delays": first, "early": early, "quiet": QUIET_PANES * RUNS}


def periodic(runs=1_000, seed=6):
    """Delays of a detector that fires once in the budget's period, at a time that knows nothing."""
    panes = np.random.default_rng(seed).integers(1, PERIOD_PANES + 1, runs)
    return [int(pane) if pane <= CHANGED_PANES else None for pane in panes]


class _Stream:
    """One feature event by event, and river's detector of it; `missing`: whether it is missing is
    what is fed.
    """

    def __init__(self, name, feature, rate, rng, *, missing=False):
        self.feature = feature
        self._rng, self._rate, self._missing = rng, rate, missing
        self._detector = RiverParameters(name).detector()
        self._last = rng.normal()
        self._wander = rng.normal() * feature.wander_sd

    def alarms_in(self, pane):
        """How many alarms the events of a pane raise."""
        alarms, detector = 0, self._detector
        for value in self._values(pane).tolist():
            detector.update(value)
            alarms += detector.drift_detected
        return alarms

    def _values(self, pane):
        feature, rng = self.feature, self._rng
        n = int(rng.poisson(self._rate * PANE_SECONDS))
        missing = rng.random(n) < feature.missing
        if self._missing:
            return missing.astype(np.float64)
        if feature.autocorrelation:
            rho = feature.autocorrelation
            noise = rng.normal(size=n) * np.sqrt(1 - rho**2)
            values = lfilter([1.0], [1.0, -rho], noise, zi=[rho * self._last])[0]
            self._last = values[-1] if n else self._last
            return values
        keep = np.exp(-1 / WANDER_PANES)
        self._wander = keep * self._wander
        self._wander += feature.wander_sd * np.sqrt(1 - keep**2) * rng.normal()
        wave = np.sqrt(2) * feature.season_sd * np.sin(pane / DAY_PANES * 2 * np.pi)
        return feature.law.draw(rng, n)[~missing] + self._wander + wave


def _told(drift, book, pane, alarmed):
    start = START_SECONDS + pane * PANE_SECONDS
    seen, none = np.ones(len(alarmed), dtype=bool), np.zeros(len(alarmed), dtype=bool)
    flags = PaneFlags(alarmed, seen, ~alarmed, none, ~none)
    drift.update(start, flags, RECOVER_PANES)
    drifting = tuple(
        Drifting(
            key=StreamKey(STATIONARY[i].kind, STATIONARY[i].name),
            source="",
            score=1.0,
            since_seconds=float(drift.since_seconds[i]),
            onset_seconds=float(drift.onset_seconds[i]),
        )
        for i in np.flatnonzero(drift.drifted).tolist()
    )
    verdict = PaneVerdict(
        MODEL, "", 2, start, start + PANE_SECONDS, rows=0, reference_hash="", drifting=drifting
    )
    return book.take(verdict, lambda _: {})
