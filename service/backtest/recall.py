"""An episode of the record, judged again: would it fire, and how near did it come?"""

import math
from collections.abc import Iterable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.backtest.changes import lasts_through
from service.monitor.counting.panes import Pane
from service.monitor.detecting.dispersions import SETTLED_SECONDS
from service.monitor.detecting.seasons import DECIDED_SECONDS
from service.monitor.detecting.volume_stream import KNOWN_SECONDS
from service.monitor.judging.comparison import Comparison
from service.monitor.judging.model_judge import ModelJudge
from service.values.backtests import Answer, Largest
from service.values.episodes import CATEGORIES, Category, Episode, Evidence
from service.values.watches import SeasonWatch


class Period(Struct, frozen=True):
    """The time of an episode: when its change began or it alarmed, whichever was first, until it
    was over; infinity while it lasts. `history_seconds` before are needed to judge it as it was.
    """

    from_seconds: float
    until_seconds: float
    history_seconds: float

    @classmethod
    def of(cls, episode: Episode, season: SeasonWatch) -> "Period":
        """That of an episode of the record, of a model whose season is watched so."""
        onset = episode.onset_seconds
        first = min(onset if math.isfinite(onset) else math.inf, episode.started_seconds)
        return cls(first, lasts_through(episode), history_wanted(episode.category, season))


def history_wanted(category: Category, season: SeasonWatch) -> float:
    """How long before an episode events have to begin, so that as much is known as it takes.

    The reference is given, and detectors forget what was before a change. What is learned live is
    how much a stream wanders (three days), what is usual by the hour of the week, and how many
    rows are (two weeks each); seasons of the day are known after two days.
    """
    if category is Category.VOLUME:
        return KNOWN_SECONDS
    return DECIDED_SECONDS if season.period == "week" else SETTLED_SECONDS


class Witness:
    """Is told of every judged pane, and remembers what it takes to answer for one episode.

    `rows` are those of the panes that its evidence is of. `first_seconds` and `end_seconds` are
    those of all panes of the model version. `panes` were within the episode's time.
    """

    def __init__(self, episode: Episode, evidence: Evidence, period: Period, pane: float) -> None:
        self.episode = episode
        self.evidence = evidence
        self.period = period
        self.largest: Largest | None = None
        self.reference_hash = ""
        self.panes = self.rows = 0
        self.first_seconds, self.end_seconds = math.inf, -math.inf
        self._pane_seconds = pane
        self._concerned: tuple[Comparison, NDArray[np.int64]] | None = None

    def record(self, model: ModelJudge, pane: Pane) -> None:
        """Take one pane that was judged."""
        if model.key != self.episode.key:
            return
        start, end = pane.start_seconds, pane.start_seconds + self._pane_seconds
        self.first_seconds = min(self.first_seconds, start)
        self.end_seconds = max(self.end_seconds, end)
        if self.evidence.from_seconds <= start < self.evidence.to_seconds:
            self.rows += pane.rows
        if end > self.period.from_seconds and start < self.period.until_seconds:
            self.panes += 1
            if model.comparison is not None:
                self._look(model.comparison, start)

    def answer(
        self, episodes: Iterable[Episode], configured: Iterable[Episode] | None, config_hash: str
    ) -> Answer:
        """What became of it, out of the episodes that there were under the settings asked about,
        and as configured (None: that is the same). `config_hash` is of what is configured.
        """
        return Answer(
            episode=self.episode,
            would_start_seconds=self._start(episodes),
            configured_start_seconds=self._start(episodes if configured is None else configured),
            as_configured=configured is not None,
            largest=self.largest,
            rows=self.rows,
            rows_then=self.evidence.rows,
            history_seconds=max(0.0, self.period.from_seconds - self.first_seconds),
            history_wanted_seconds=self.period.history_seconds,
            reference_hash=self.reference_hash,
            reference_hash_then=self.evidence.reference_hash,
            config_hash=config_hash,
            config_hash_then=self.evidence.config_hash,
        )

    def _start(self, episodes: Iterable[Episode]) -> float | None:
        """Of the first one of its model version and category that meets its time."""
        starts = [
            episode.started_seconds
            for episode in episodes
            if (episode.key, episode.category) == (self.episode.key, self.episode.category)
            and episode.started_seconds < self.period.until_seconds
            and lasts_through(episode) > self.period.from_seconds
        ]
        return min(starts, default=None)

    def _look(self, comparison: Comparison, start: float) -> None:
        """Remember the largest score of the streams of the episode's category."""
        self.reference_hash = comparison.plan.reference_hash
        if self._concerned is None or self._concerned[0] is not comparison:
            kinds = [CATEGORIES[key.kind] for key in comparison.streams]
            chosen = np.flatnonzero([kind is self.episode.category for kind in kinds])
            self._concerned = comparison, chosen
        streams = self._concerned[1]
        if not len(streams):
            return
        stream = int(streams[np.argmax(comparison.score[streams])])
        score = float(comparison.score[stream])
        if self.largest is None or score > self.largest.score:
            nearest = max(comparison.banks, key=lambda bank: float(bank.score[stream]))
            self.largest = Largest(comparison.streams[stream], start, score, nearest.name)
