"""Episodes of models that never change: at most the budget, whatever they are like.

Every model is watched from its first pane, knowing nothing but its reference. One exception is
made, of the stream with a daily season of 1 sd: it does drift by what is known until its season
was learned, and counts from when it was, and its drift is over; after four days at the latest.

Several models are judged at once, as a group: the streams of one detection, which costs half a
stream of what it does for each alone. What streams know of each other is the budget alone, and
that of a group of ten is 10 false alarms over 401 streams: a level by ln(410 / 401) = 0.02 nats
below that of one model with 1 over its 41. They share how many rows come, and so the volume, which
is one stream: if it drifts, every model of the group has an episode. Each has a reference drawn
for itself.
"""

import time
from collections import defaultdict

import numpy as np

from detectors.dispersion import Status
from service.values.episodes import Phase
from service.values.streams import Kind, ModelKey
from tests.benchmarks.judging.streams import DAY_PANES, SEASONAL, START_SECONDS, STATIONARY, Streams
from tests.benchmarks.judging.watching import Watched

SEASON_DAYS_MAX = 4
NEAR = float(np.log(100))
"""Evidence so far below the level is that of a budget a hundred times as large."""


def group_months(rate, rows, group, models, days, seed=1):
    """So many models of 20 features: of each its episodes with what was known of their streams, how
    often the evidence crossed the level of a hundred times the budget, when the season was learned,
    and the panes within an episode: one that never ends is one, and yet worse than many.

    Groups of odd numbers have rates that vary tenfold over the day.
    """
    started, judging = time.process_time(), 0.0
    rng = np.random.default_rng([seed, group, rate, rows])
    streams = Streams(features_of(models), rate, rows, rng, varies=group % 2 == 1)
    judged = _Judged(Watched(streams.reference, models=models), models)
    for day in range(days):
        drawn = streams.panes(day * DAY_PANES, DAY_PANES)
        cpu = time.process_time()
        for pane, (n, counts) in enumerate(zip(*drawn, strict=True), start=day * DAY_PANES):
            judged.take(pane, n, counts)
        judging += time.process_time() - cpu
    shared = {
        "varies": group % 2 == 1,
        "days": days,
        "cpu_seconds": (time.process_time() - started) / models,
        "judging_seconds": judging / models,
    }
    return [told | shared for told in judged.told()]


def features_of(models):
    """The features of so many stationary models, each named after its model."""
    names = [_name(number) for number in range(models)]
    return tuple(f._replace(name=f"{name} {f.name}") for name in names for f in STATIONARY)


def _name(number):
    return f"m{number:02}"


class _Judged:
    """What came of a group of models so far."""

    def __init__(self, watched, models):
        self._watched = watched
        streams = watched.detection.streams
        self._models = [_Model(_name(number), streams) for number in range(models)]
        self._near = np.zeros((2, len(streams)), dtype=np.int64)
        self._above = np.zeros(len(streams), dtype=bool)

    def take(self, pane, rows, counts):
        watched, detection = self._watched, self._watched.detection
        known = _knowledge(detection)
        started, _, found = watched.judge(pane, rows, counts)
        mine = defaultdict(list)
        for stream in found:
            mine[_model_of(stream.key)].append(stream)
        alarms = [(i, _alarm(detection, i, pane, known)) for i in np.flatnonzero(started).tolist()]
        for model in self._models:
            model.wait_for_season(pane, detection)
            model.take(pane, rows, watched, alarms, mine[model.key.model] + mine[""])
        self._count_near(detection)

    def told(self):
        """All of it as plain values, by model."""
        return [model.told(self._watched.detection, self._near) for model in self._models]

    def _count_near(self, detection):
        """Upward crossings by the e-detector, while a stream is learned of and then."""
        shapes = detection.shapes
        above = shapes.evidence > shapes.level - NEAR
        crossed = above & ~self._above
        crossed[[model.season for model in self._models if model.awaits_season]] = False
        ready = detection.status == Status.READY
        self._near[0] += crossed & ~ready
        self._near[1] += crossed & ready
        self._above = above


class _Model:
    """What came of one of them."""

    def __init__(self, name, streams):
        self.key = ModelKey(name, "1")
        self._own = [i for i, stream in enumerate(streams) if _model_of(stream) in {name, ""}]
        names = [stream.name for stream in streams]
        self.season = names.index(f"{name} {SEASONAL}")
        self._seasonal = streams[self.season]
        self._season_day, self.awaits_season = None, True
        self._events, self._alarms, self._panes_within = [], [], 0

    def wait_for_season(self, pane, detection):
        if self._season_day is None and detection.seasons.active[self.season]:
            self._season_day = pane / DAY_PANES
        if self.awaits_season:
            learned = self._season_day is not None and not detection.drift.drifted[self.season]
            self.awaits_season = not learned and pane < SEASON_DAYS_MAX * DAY_PANES

    def take(self, pane, rows, watched, alarms, found):
        """Take the alarms of the group by their stream, and what of this model drifts."""
        if self.awaits_season:
            found = [stream for stream in found if stream.key != self._seasonal]
        for i, alarm in alarms:
            if i in self._own and not (self.awaits_season and i == self.season):
                self._alarms.append(alarm)
        self._events += watched.tell(pane, rows, found, self.key)
        self._panes_within += watched.episodes.has_open(self.key)

    def told(self, detection, near):
        episodes = [_episode(event) for event in self._events if event.phase is Phase.STARTED]
        told = {_told(detection.streams[i]): near[:, i].tolist() for i in self._own}
        return {
            "episodes": episodes,
            "alarms": self._alarms,
            "panes_within": self._panes_within,
            "near": {stream: crossed for stream, crossed in told.items() if any(crossed)},
            "season_day": self._season_day,
            "streams": len(self._own),
            "status": _statuses(detection.status[self._own]),
        }


def _model_of(stream):
    """The name of its model; none of the volume, which is that of all of them."""
    return "" if stream.kind is Kind.VOLUME else stream.name.partition(" ")[0]


def _told(stream):
    """A stream in words, without its model."""
    name = stream.name if stream.kind is Kind.VOLUME else stream.name.partition(" ")[2]
    return f"{stream.kind.value} {name}"


def _knowledge(detection):
    """phi, kappa, and whether they are learned, before the pane was."""
    known = detection.dispersions
    return known.phi, known.kappa, known.estimated, detection.status


def _alarm(detection, i, pane, known):
    """A stream that began to drift: which, when, who saw it, and what was known of it."""
    phi, kappa, estimated, status = known
    key, inside = detection.streams[i], i < len(phi)
    return {
        "stream": _told(key),
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
        "streams": [_told(s) for s in event.streams],
        "detectors": sorted({seen.name for s in event.streams for seen in s.detectors}),
    }


def _statuses(status):
    names = [Status(int(number)).name.lower() for number in status]
    return {name: names.count(name) for name in sorted(set(names))}
