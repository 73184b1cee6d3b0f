"""Episodes of models in which nothing changes: at most the budget, whatever they are like.

Every model is watched from its first pane, knowing nothing but its reference. One exception is
made, of the stream with a daily season of 1 sd: it does drift by what is known until its season
was learned, and counts from when it was, and its drift is over; after four days at the latest.
"""

import time

import numpy as np

from detectors.dispersion import Status
from service.values.episodes import Phase
from tests.benchmarks.judging.streams import DAY_PANES, SEASONAL, START_SECONDS, STATIONARY, Streams
from tests.benchmarks.judging.watching import MODEL, Watched

SEASON_DAYS_MAX = 4
NEAR = float(np.log(100))
"""Evidence so far below the level is that of a budget a hundred times as large."""


def model_month(rate, rows, model, days, seed=1):
    """One model of 20 features: its episodes with what was known of their streams, how often the
    evidence crossed the level of a hundred times the budget, when the season was learned, and the
    panes within an episode: one that never ends is one, and yet worse than many.

    Models of odd numbers have rates that vary tenfold over the day.
    """
    started, judging = time.process_time(), 0.0
    rng = np.random.default_rng([seed, model, rate, rows])
    streams = Streams(STATIONARY, rate, rows, rng, varies=model % 2 == 1)
    judged = _Judged(Watched(streams.reference))
    for day in range(days):
        drawn = streams.panes(day * DAY_PANES, DAY_PANES)
        cpu = time.process_time()
        for pane, (n, counts) in enumerate(zip(*drawn, strict=True), start=day * DAY_PANES):
            judged.take(pane, n, counts)
        judging += time.process_time() - cpu
    return judged.told() | {
        "varies": model % 2 == 1,
        "days": days,
        "cpu_seconds": time.process_time() - started,
        "judging_seconds": judging,
    }


class _Judged:
    """What came of a model so far."""

    def __init__(self, watched):
        self._watched = watched
        detection = watched.detection
        self._season = next(i for i, s in enumerate(detection.streams) if s.name == SEASONAL)
        self._season_day, self._awaits_season = None, True
        self._near = np.zeros((2, len(detection.streams)), dtype=np.int64)
        self._above = np.zeros(len(detection.streams), dtype=bool)
        self._events, self._alarms, self._panes_within = [], [], 0

    def take(self, pane, rows, counts):
        detection = self._watched.detection
        known = _knowledge(detection)
        started, _, found = self._watched.judge(pane, rows, counts)
        self._wait_for_season(pane)
        if self._awaits_season:
            season = detection.streams[self._season]
            found = [stream for stream in found if stream.key != season]
            started[self._season] = False
        for i in np.flatnonzero(started).tolist():
            self._alarms.append(_alarm(detection, i, pane, known))
        self._count_near(detection)
        self._events += self._watched.tell(pane, rows, found)
        self._panes_within += self._watched.episodes.has_open(MODEL)

    def told(self):
        """All of it as plain values."""
        episodes = [_episode(event) for event in self._events if event.phase is Phase.STARTED]
        streams = self._watched.detection.streams
        near = {
            f"{key.kind.value} {key.name}": self._near[:, i].tolist()
            for i, key in enumerate(streams)
            if self._near[:, i].any()
        }
        return {
            "episodes": episodes,
            "alarms": self._alarms,
            "panes_within": self._panes_within,
            "near": near,
            "season_day": self._season_day,
            "streams": len(streams),
            "status": _statuses(self._watched.detection),
        }

    def _wait_for_season(self, pane):
        detection = self._watched.detection
        if self._season_day is None and detection.seasons.active[self._season]:
            self._season_day = pane / DAY_PANES
        if self._awaits_season:
            learned = self._season_day is not None and not detection.drift.drifted[self._season]
            self._awaits_season = not learned and pane < SEASON_DAYS_MAX * DAY_PANES

    def _count_near(self, detection):
        """Upward crossings by the e-detector, while a stream is learned of and then."""
        shapes = detection.shapes
        above = shapes.evidence > shapes.level - NEAR
        crossed = above & ~self._above
        if self._awaits_season:
            crossed[self._season] = False
        ready = detection.status == Status.READY
        self._near[0] += crossed & ~ready
        self._near[1] += crossed & ready
        self._above = above


def _knowledge(detection):
    """phi, kappa, and whether they are learned, before the pane was."""
    known = detection.dispersions
    return known.phi, known.kappa, known.estimated, detection.status


def _alarm(detection, i, pane, known):
    """A stream that began to drift: which, when, who saw it, and what was known of it."""
    phi, kappa, estimated, status = known
    key, inside = detection.streams[i], i < len(phi)
    return {
        "stream": f"{key.kind.value} {key.name}",
        "pane": pane,
        "detectors": [bank.name for bank in detection.banks if bank.alarming[i]],
        "evidence": {b.name: round(float(b.score[i]), 3) for b in detection.banks},
        "phi": round(float(phi[i]), 2) if inside else None,
        "kappa": round(float(min(kappa[i], 1e12)), 1) if inside else None,
        "known": _state(estimated[i], status[i]) if inside else Status(status[i]).name.lower(),
        "season": bool(inside and detection.seasons.active[i]),
    }


def _state(estimated, status):
    return Status(int(status)).name.lower() if estimated else "phi unknown"


def _episode(event):
    return {
        "category": event.category.value,
        "day": round((event.started_seconds - START_SECONDS) / 86_400, 3),
        "streams": [f"{s.kind.value} {s.name}" for s in event.streams],
        "detectors": sorted({seen.name for s in event.streams for seen in s.detectors}),
    }


def _statuses(detection):
    names = [Status(int(status)).name.lower() for status in detection.status]
    return {name: names.count(name) for name in sorted(set(names))}
