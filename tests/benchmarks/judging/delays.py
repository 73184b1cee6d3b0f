"""How soon a change is noticed, how well its onset is told, and how soon it is over.

Twenty runs side by side are the features of one model, so that all that such a model has shares the
budget; each run has an episode book entry of its own.
"""

from collections import defaultdict

import numpy as np

from service.values.episodes import Phase
from service.values.streams import ModelKey
from service.values.watches import Sharing
from tests.benchmarks.judging.changes import RUNS, changes, pairs
from tests.benchmarks.judging.laws import Mixture
from tests.benchmarks.judging.streams import DAY_PANES, PANE_SECONDS, START_SECONDS, Streams
from tests.benchmarks.judging.watching import Watched

RATE, ROWS = 10, 10_000
BUDGET_STREAMS = 42
"""20 features, their quality, the volume, and how the features go together."""

CHANGED_PANES = AFTER_PANES = 480
"""A change lasts for eight hours; after it all is as before for as long."""

BLOCK_PANES = 240


def delay_runs(change, history, batch, seed=2):
    """Of `RUNS` runs of a change (its name) after `history` panes, in panes: by run the `delay`
    (None: missed), the error of the `onset`, what `recovery` took (None: never), how many
    `episodes` came of it, and how many came `early`, before it.
    """
    described = changes()[change]
    rng = np.random.default_rng([seed, batch, history, *change.encode()])
    before, after = described.make(rng, ROWS)
    streams = Streams(before, RATE, ROWS, rng)
    ends = history, history + CHANGED_PANES, history + CHANGED_PANES + AFTER_PANES
    told = _told(streams, ((ends[0], before), (ends[1], after), (ends[2], before)))
    return [_run(told[f"run {i:02}"], *ends[:2]) for i in range(RUNS)]


def below_tolerance(history, batch, shift=0.02, rate=1_000, days=2, seed=3):
    """Episodes of `RUNS` streams whose mean moves by so little, after `history` panes."""
    rng = np.random.default_rng([seed, batch, history])
    before, after = pairs({"law": Mixture()}, {"law": Mixture(means=(shift,))})(rng, ROWS)
    streams = Streams(before, rate, ROWS, rng)
    told = _told(streams, ((history, before), (history + days * DAY_PANES, after)))
    return sum(event.phase is Phase.STARTED for events in told.values() for event in events)


def _told(streams, spans):
    """By run, the events of its episodes over spans of (end, features)."""
    watched, told = Watched(streams.reference, Sharing(BUDGET_STREAMS)), defaultdict(list)
    first = 0
    for end, features in spans:
        streams.become(features)
        while first < end:
            count = min(BLOCK_PANES, end - first)
            drawn = zip(*streams.panes(first, count), strict=True)
            for pane, (rows, counts) in enumerate(drawn, start=first):
                _judge(watched, told, pane, rows, counts)
            first += count
    return told


def _judge(watched, told, pane, rows, counts):
    _, _, found = watched.judge(pane, rows, counts)
    mine = defaultdict(list)
    for stream in found:
        mine[stream.key.name].append(stream)
    for i in range(RUNS):
        name = f"run {i:02}"
        told[name] += watched.tell(pane, rows, mine[name], ModelKey(name, "1"))


def _run(events, onset, end):
    """What the events of one run say of a change in the panes from `onset` to `end`."""
    starts = [e for e in events if e.phase is Phase.STARTED]
    early = [e for e in starts if _pane(e.started_seconds) < onset]
    mine = [e for e in starts if _pane(e.started_seconds) >= onset]
    first = mine[0] if mine and _pane(mine[0].started_seconds) < end else None
    overs = [e for e in events if e.phase is Phase.RECOVERED and first and e.id == first.id]
    return {
        "delay": None if first is None else _pane(first.started_seconds) - onset + 1,
        "onset": None if first is None else _pane(first.onset_seconds) - onset,
        "recovery": None if not overs else _pane(overs[0].ended_seconds) - end,
        "episodes": len(mine),
        "early": len(early),
    }


def _pane(seconds):
    return round((seconds - START_SECONDS) / PANE_SECONDS)
