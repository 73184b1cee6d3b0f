"""Episodes: from the verdicts on panes to the few events that people hear of.

One drift is one episode, whichever detectors saw it: what drifts together in a model version, or
joins later, is one episode of its category. Models that drift together on one declared source are
one episode of that source besides. Pure: no clock, and the same verdicts give the same episodes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from service.monitor.episodes import upstream
from service.monitor.episodes.causes import LIKELY, Cause, likely_cause, situation_of
from service.monitor.episodes.counts import EpisodeCounts
from service.monitor.episodes.drills import Drills, Told, severity_of
from service.monitor.episodes.hiding import Hides, without_values
from service.monitor.episodes.ledger import Ledger, Place
from service.monitor.episodes.pane_verdicts import Describe, Drifting, PaneVerdict
from service.monitor.episodes.severity import Severities
from service.monitor.episodes.steps import begun, ended, moved_on
from service.values.drills import Drill
from service.values.episodes import (
    CATEGORIES,
    UPSTREAM,
    Category,
    Episode,
    EpisodeCount,
    EpisodeLabels,
    Phase,
    Severity,
    Verdict,
)
from service.values.streams import Kind, ModelKey, StreamKey

BACKLOG_SECONDS = 3600.0
"""What ended longer ago when it was judged is recorded, and nobody is told."""


class Owner(NamedTuple):
    """Who answers for a model, and how much depends on it."""

    tier: int
    team: str


class EpisodeRules(Struct, frozen=True):
    """How panes are cut, whom what may reach, under which configuration all is judged, and whose a
    model is by its name.
    """

    pane_seconds: float = 60.0
    severities: Severities = Severities()
    config_hash: str = ""
    owner_of: Callable[[str], Owner] = lambda _: Owner(2, "")


class Episodes:
    """All episodes of all models."""

    def __init__(self, rules: EpisodeRules | None = None) -> None:
        self.rules = rules or EpisodeRules()
        self._ledger = Ledger()
        self._drills = Drills()

    @property
    def outbox(self) -> list[Episode]:
        """The events that are not in the record yet; who has written them takes them out."""
        return self._ledger.outbox

    @property
    def counts(self) -> EpisodeCounts:
        """How many there were, and what was decided on them."""
        return self._ledger.counts

    @property
    def open(self) -> tuple[Episode, ...]:
        """Those that last, in the order in which they started, and drills behind them."""
        return (*self._ledger.open.values(), *self._drills.open)

    @property
    def ended(self) -> tuple[Episode, ...]:
        """The last ones that are over, the newest last; drills before them."""
        return (*self._drills.ended, *self._ledger.ended)

    def has_open(self, model: ModelKey) -> bool:
        """True while a model version has an open episode of its own."""
        return bool(self._mine(model))

    def take(self, verdict: PaneVerdict, describe: Describe) -> list[Episode]:
        """Take the verdict on the next pane of a model version; returns the new events."""
        drifting = _by_category(verdict.drifting)
        mine = self._mine(verdict.model)
        if not drifting and not mine:
            return []
        first_new = len(self.outbox)
        for category in sorted(drifting.keys() | mine.keys()):
            self._follow(category, drifting.get(category, {}), verdict)
        self._follow_sources(verdict)
        self._look_again(verdict)
        self._ledger.tell(verdict.model, describe)
        return self.outbox[first_new:]

    def end(self, model: ModelKey, at_seconds: float, because: str) -> list[Episode]:
        """A model version is watched no more; `because` says in words why."""
        first_new = len(self.outbox)
        for category, episode in self._mine(model).items():
            self._ledger.end((category, *model), ended(episode, at_seconds, because))
        for place, episode in list(self._open.items()):
            live = upstream.live_on(episode.source, self._open.values())
            if upstream.includes(episode, model) and upstream.is_over(episode, live):
                self._ledger.end(place, ended(episode, at_seconds, because))
        return self.outbox[first_new:]

    def hear(self, verdict: Verdict) -> None:
        """Count what somebody decided on an episode."""
        self.counts.decided(verdict)

    def hide(self, hides: Hides) -> None:
        """Tell no more of hidden streams than is told of those that are described from now on."""
        self._ledger.change(lambda episode: without_values(episode, hides))

    def drill(self, asked: Iterable[Drill], now_seconds: float) -> list[Episode]:
        """Begin and end drills, as people ask for and as their time is over: the new events, which
        are told as those of episodes, and counted nowhere.
        """
        events = [
            event
            for one in asked
            for event in self._drills.hear(one, self._reached_by(one), now_seconds)
        ]
        events += self._drills.end(now_seconds)
        self.outbox.extend(events)
        return events

    def counted(
        self, owners: Mapping[ModelKey, Owner], sources: Iterable[Owner]
    ) -> tuple[EpisodeCount, ...]:
        """The counts of these model versions and of all sources, `sources` being those of the most
        important model of each. What may be counted is there from 0.
        """
        of = self.rules.severities.of
        known = {
            EpisodeLabels(*key, kind.value, of(CATEGORIES[kind], owner.tier), owner.team)
            for key, owner in owners.items()
            for kind in Kind
        }
        known |= {
            EpisodeLabels("", "", UPSTREAM, of(Category.UPSTREAM, owner.tier), owner.team)
            for owner in sources
        }
        return tuple(
            count
            for count in self.counts.all(known)
            if not count.labels.model
            or ModelKey(count.labels.model, count.labels.version) in owners
        )

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot."""
        return self._ledger.state() | {"drills": self._drills.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._ledger = Ledger.from_state(state)
        self._drills.restore(state.get("drills", {}))

    def _reached_by(self, drill: Drill) -> Told:
        owner = self.rules.owner_of(drill.model)
        severity = drill.severity or severity_of(drill.kind, owner.tier, self.rules.severities)
        return Told(owner.team, owner.tier, severity)

    @property
    def _open(self) -> Mapping[Place, Episode]:
        return self._ledger.open

    def _mine(self, model: ModelKey) -> dict[Category, Episode]:
        places = ((category, *model) for category in Category)
        return {place[0]: self._open[place] for place in places if place in self._open}

    def _follow(
        self, category: Category, drifting: Mapping[StreamKey, Drifting], verdict: PaneVerdict
    ) -> None:
        place = (category, *verdict.model)
        episode = self._open.get(place)
        if episode is not None:
            self._ledger.step(place, *moved_on(episode, drifting, verdict))
            self._catch_up(place, verdict.age_seconds)
            return
        started = begun(category, drifting, verdict, self.rules.config_hash)
        named = replace(started, id=self._ledger.new_id(verdict.model.model, started.onset_seconds))
        severity = self.rules.severities.of(category, verdict.tier)
        self._start(place, named, severity, verdict)

    def _start(
        self, place: Place, episode: Episode, severity: Severity, verdict: PaneVerdict
    ) -> None:
        past = verdict.age_seconds > BACKLOG_SECONDS
        told = replace(episode, severity=Severity.LOG if past else severity, backlog=past)
        self._ledger.start(place, told)

    def _catch_up(self, place: Place, age_seconds: float) -> None:
        """What began in a backlog and still lasts is a matter of today."""
        episode = self._open[place]
        if not episode.backlog or not episode.is_open or age_seconds > BACKLOG_SECONDS:
            return
        severity = self.rules.severities.of(episode.category, episode.tier)
        self._ledger.reach(place, replace(episode, backlog=False), severity)

    def _follow_sources(self, verdict: PaneVerdict) -> None:
        """Gather the models that drift on one source, and let go of a source that is well again."""
        for source in upstream.sources_of(verdict):
            live = upstream.live_on(source, self._open.values())
            place = (Category.UPSTREAM, source, "")
            if place in self._open:
                self._join(place, live, verdict)
            else:
                near = upstream.near(live, verdict.model, self.rules.pane_seconds)
                if len({member.model for member in near}) > 1:
                    self._start_upstream(place, near, live, verdict)
        for place, episode in list(self._open.items()):
            if upstream.includes(episode, verdict.model):
                live = upstream.live_on(episode.source, self._open.values())
                mine = self._mine(verdict.model).values()
                self._ledger.step(place, *upstream.moved_on(episode, live, verdict, mine))

    def _start_upstream(
        self, place: Place, members: upstream.Members, live: upstream.Live, verdict: PaneVerdict
    ) -> None:
        source = place[1]
        onset = min(member.since_seconds for member in members)
        episode = upstream.begun(source, members, live, verdict, self._ledger.new_id(source, onset))
        self._start(place, episode, self._severity(episode), verdict)
        self._link(episode)

    def _join(self, place: Place, live: upstream.Live, verdict: PaneVerdict) -> None:
        before = self._open[place]
        episode = upstream.joined(before, live)
        if episode.members != before.members:
            past = verdict.age_seconds > BACKLOG_SECONDS
            self._ledger.reach(place, episode, before.severity if past else self._severity(episode))
            self._link(episode)
        else:
            self._catch_up(place, verdict.age_seconds)

    def _severity(self, episode: Episode) -> Severity:
        return self.rules.severities.of(Category.UPSTREAM, episode.tier)

    def _link(self, source_episode: Episode) -> None:
        """Tell the members' own episodes where they belong."""
        own = {member.episode for member in source_episode.members}
        for place, episode in self._open.items():
            if episode.id in own and not episode.upstream:
                linked = replace(episode, upstream=source_episode.id)
                if episode.cause != Cause.BROKEN_DATA:
                    cause = Cause.UPSTREAM_SOURCE
                    linked = replace(linked, cause=cause.value, likely=LIKELY[cause])
                self._ledger.step(place, linked, Phase.ONGOING)

    def _look_again(self, verdict: PaneVerdict) -> None:
        """The likely cause, by all that is known now; where it changed, that is an event."""
        mine = self._mine(verdict.model)
        for category, episode in mine.items():
            if not episode.is_open:
                continue
            known = situation_of(
                mine.values(),
                [
                    self._open.get((Category.DRIFT, verdict.model.model, version))
                    for version in verdict.other_versions
                ],
                upstream=bool(episode.upstream),
                behind=verdict.age_seconds > BACKLOG_SECONDS,
            )
            cause = likely_cause(category, known)
            if cause != episode.cause:
                place = (category, *verdict.model)
                changed = replace(episode, cause=cause.value, likely=LIKELY[cause])
                self._ledger.step(place, changed, Phase.ONGOING)


def _by_category(
    drifting: tuple[Drifting, ...],
) -> dict[Category, dict[StreamKey, Drifting]]:
    grouped: defaultdict[Category, dict[StreamKey, Drifting]] = defaultdict(dict)
    for stream in drifting:
        grouped[CATEGORIES[stream.key.kind]][stream.key] = stream
    return dict(grouped)
