"""Which episodes there are, and what there is to tell of them.

What happens to an episode within one pane is gathered first and told as one event of it, so that
people hear of a change once, whatever its sides.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from service.monitor.episodes import words as episode_words
from service.monitor.episodes.counts import EpisodeCounts
from service.monitor.episodes.escalation import as_told, escalation
from service.monitor.episodes.pane_verdicts import Describe
from service.monitor.episodes.severity import is_worse
from service.monitor.episodes.steps import described, kept
from service.values.episodes import Category, Episode, Phase, Severity
from service.values.streams import ModelKey

ENDED_MAX = 50
"""Episodes that are over and still shown; all of them are in the record."""

IDS_MAX = 2000
"""Names of episodes that are not given again."""

Place = tuple[Category, str, str]
"""Where there is one open episode at most: category, model (or source), version."""

_STRONGER = (Phase.ONGOING, Phase.RECOVERED, Phase.STARTED)
"""Of two things that happened in one pane, the later of these is what is told."""


class Ledger:
    """Episodes by their place. `outbox` holds the events that are not in the record yet; `counts`
    are those of the metrics.
    """

    def __init__(self) -> None:
        self.outbox: list[Episode] = []
        self.counts = EpisodeCounts()
        self._open: dict[Place, Episode] = {}
        self._ended: list[Episode] = []
        self._ids: dict[str, None] = {}
        self._before: dict[Place, Episode] = {}
        self._due: dict[Place, Phase] = {}

    @property
    def open(self) -> Mapping[Place, Episode]:
        """Those that last, in the order in which they started, and until the next `tell` those that
        have just ended.
        """
        return self._open

    @property
    def ended(self) -> tuple[Episode, ...]:
        """The last ones that are over, the newest last."""
        return tuple(self._ended)

    def start(self, place: Place, episode: Episode) -> None:
        """A new episode."""
        self.step(place, episode, Phase.STARTED)
        self.counts.started(episode)

    def step(self, place: Place, episode: Episode, phase: Phase | None) -> None:
        """The episode as it is now; `phase` None: nothing that is told for its own sake."""
        self._before.setdefault(place, self._open.get(place, episode))
        self._open[place] = episode
        known = self._due.get(place)
        if phase is not None and (known is None or _STRONGER.index(phase) > _STRONGER.index(known)):
            self._due[place] = phase

    def reach(self, place: Place, episode: Episode, severity: Severity) -> None:
        """Let an episode reach further, if `severity` does: the only change of its labels."""
        if is_worse(severity, episode.severity):
            episode = replace(episode, severity=severity)
            self.counts.started(episode)
        self.step(place, episode, Phase.ONGOING)

    def tell(self, model: ModelKey, describe: Describe) -> None:
        """Put what is due into the outbox: what is new first, sources last. The evidence is as of
        now for `model`, of which `describe` knows the pane.
        """
        for place in sorted(self._before, key=self._turn):
            because = escalation(self._before[place], self._open[place])
            phase = self._due.get(place)
            if because and phase in {None, Phase.ONGOING}:
                phase = Phase.ESCALATED
            if phase is None:
                continue
            if self._open[place].key == model and phase is not Phase.RECOVERED:
                self._open[place] = described(self._open[place], describe)
            self._append(place, phase, because if phase is Phase.ESCALATED else "")
        self._before.clear()
        self._due.clear()

    def end(self, place: Place, episode: Episode) -> None:
        """The episode, which is over, is told at once."""
        self._open[place] = episode
        self._append(place, Phase.RECOVERED, "")

    def change(self, changed: Callable[[Episode], Episode]) -> None:
        """Every episode that is known, those that wait to be written too, in another form."""
        self._open = {place: changed(episode) for place, episode in self._open.items()}
        self._ended = [changed(episode) for episode in self._ended]
        self.outbox[:] = [changed(episode) for episode in self.outbox]

    def new_id(self, name: str, onset_seconds: float) -> str:
        """A name for an episode that no other has had lately."""
        chosen = episode_words.new_id(name, onset_seconds, self._ids)
        self._ids[chosen] = None
        while len(self._ids) > IDS_MAX:
            del self._ids[next(iter(self._ids))]
        return chosen

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot."""
        return {
            "open": msgspec.to_builtins(list(self._open.values())),
            "ended": msgspec.to_builtins(self._ended),
            "outbox": msgspec.to_builtins(self.outbox),
            "ids": list(self._ids),
            "counts": self.counts.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Ledger":
        """The ledger that `state` was taken of."""
        ledger = cls()
        opened = msgspec.convert(state["open"], list[Episode])
        ledger._open = {_place(episode): episode for episode in opened}
        ledger._ended = msgspec.convert(state["ended"], list[Episode])
        ledger.outbox = msgspec.convert(state["outbox"], list[Episode])
        ledger._ids = dict.fromkeys(state["ids"])
        ledger.counts = EpisodeCounts.from_state(state["counts"])
        return ledger

    def _turn(self, place: Place) -> tuple[bool, bool]:
        return place[0] is Category.UPSTREAM, self._due.get(place) is not Phase.STARTED

    def _append(self, place: Place, phase: Phase, because: str) -> None:
        told = as_told(self._open[place], phase, because)
        self._open[place] = told
        self.outbox.append(kept(told))
        if not told.is_open:
            del self._open[place]
            self._ended = [*self._ended[1 - ENDED_MAX :], kept(told, with_counts=False)]


def _place(episode: Episode) -> Place:
    if episode.category is Category.UPSTREAM:
        return (episode.category, episode.source, "")
    return (episode.category, episode.model, episode.version)
