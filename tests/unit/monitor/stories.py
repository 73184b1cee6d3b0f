"""A world that is fed pane by pane, told as the events of its episodes."""

import numpy as np
from msgspec.structs import replace

from service.monitor.references.acceptance import Decision, accept
from service.monitor.references.kept import kept_of
from service.monitor.references.reference import content_hash
from service.values.episodes import Episode, Phase
from service.values.references import Reference
from service.values.streams import ROWS, StreamKey
from service.values.watches import DetectorChoice
from tests.unit.monitor.events import MODEL, P0, PANE, T0, Event, World, X, stream_of, watch

ALL = tuple(DetectorChoice(name) for name in ("e_detector", "adwin", "page_hinkley"))
BY_HAND = (DetectorChoice("e_detector", {"level": 14.0}), *ALL[1:])
"""With a level that does not depend on how many streams there are, nor does then the evidence."""

ROWS_A_PANE = 100


class Story:
    """`told` are the events of all episodes so far."""

    def __init__(self, given=None, watched=None):
        self.world = World(given, watched or watch(detectors=ALL))
        self.world.now = T0 + 1e6
        self.pane = 0
        self.told: list[Episode] = []

    def feed(self, panes, *, models=(MODEL,), **how):
        """So many panes, one after the other; each of `models` has its own events in each."""
        for _ in range(panes):
            self.send(self.events(models, **how))
            self.pane += 1
        return self

    def send(self, events):
        self.world.send(P0, events)
        self.world.advance()
        self.told += self.world.judge.episodes.outbox
        self.world.judge.episodes.outbox.clear()

    def events(self, models=(MODEL,), *, states=(0.5, 0.3, 0.2), **how) -> list[Event]:
        """Of the pane that comes next."""
        events = []
        for number, model in enumerate(models):
            seed = [self.pane, number]
            mine = stream_of(self.pane * PANE, 1, ROWS_A_PANE, seed=seed, model=model, **how)
            drawn = np.random.default_rng(seed).choice(["CA", "MA", "NY"], len(mine), p=states)
            events += [replace(e, state=str(s)) for e, s in zip(mine, drawn, strict=True)]
        return sorted(events, key=lambda event: event.at)

    def restart(self, given=None, watched=None):
        watched = watched or self.world.judge.models[MODEL].watch
        self.world = self.world.restarted(given, watched)
        return self

    @property
    def comparison(self):
        return self.world.judge.models[MODEL].comparison

    @property
    def hash(self):
        """Of the reference in force."""
        return self.comparison.plan.reference_hash

    @property
    def open(self):
        return self.world.judge.episodes.open

    def of(self, key, values):
        return values[self.comparison.streams.index(key)]

    def episodes(self, category="drift"):
        return {e.id for e in self.told if e.category == category}

    def starts(self, category="drift"):
        return sum(e.phase is Phase.STARTED for e in self.told if e.category == category)

    def accepted(self, *keys, since) -> Reference:
        """What `reference accept` makes of all that was seen since that pane."""
        shards = [shard.state() for shard in self.world.shards.values()]
        kept = kept_of({"judge": self.world.judge.state(), "shards": shards}, MODEL, PANE)
        decision = Decision("1", "ada", "new market", T0 + 1.0)
        seen = kept.since(T0 + since * PANE)
        made = accept(kept.reference, kept, seen, keys, decision, rows_min=300, categories_max=100)
        return made.reference


def known_of(story, key: StreamKey):
    """All that is known of a stream, but for what the number of streams sets."""
    detection, comparison = story.comparison.detection, story.comparison
    shapes, means = detection.shapes, {bank.name: bank for bank in detection.means}
    told = {
        "since": story.of(key, detection.drift.since_seconds),
        "onset": story.of(key, detection.drift.onset_seconds),
        "status": int(story.of(key, detection.status)),
        "evidence": story.of(key, shapes.evidence),
        "alarms of shapes": story.of(key, shapes.alarms),
        "page_hinkley": story.of(key, means["page_hinkley"].evidence),
    }
    if key != ROWS:
        told["phi"] = story.of(key, detection.dispersions.phi)
        told["kappa"] = story.of(key, detection.dispersions.kappa)
    if key in comparison.plan.streams:
        place = comparison.plan.streams.index(key)
        for window in comparison.windows:
            cells = window.total.cells
            told[f"cells {window.length.name}"] = comparison.cells_of(place, cells).tolist()
            told[f"psi {window.length.name}"] = float(comparison.distances(cells).psi[place])
        if key == X:
            told["quantiles"] = comparison.windows[1].quantiles()[place].tolist()
    return told


def with_streams_of(reference: Reference, other: Reference, *keys: StreamKey) -> Reference:
    """The reference with what `other` says of these streams; without those it says nothing of."""
    theirs = {stream.key: stream for stream in other.streams}
    streams = tuple(
        theirs[s.key] if s.key in keys else s
        for s in reference.streams
        if s.key not in keys or s.key in theirs
    )
    hash_ = content_hash(reference.rows, streams, reference.lineage, reference.projection)
    return replace(reference, streams=streams, hash=hash_)
