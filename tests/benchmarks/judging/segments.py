"""A change in one segment of the predictions alone: how soon it is noticed there, and in all.

Twenty runs side by side, each a model's prediction and one of its segments. The prediction is the
mixture of that segment and of the others; the budget is shared with 41 more streams and 23 more
segments, as those of a usual model would.
"""

import numpy as np

from service.values.streams import Kind, Segment, in_segment
from service.values.watches import Sharing
from tests.benchmarks.judging.changes import RUNS
from tests.benchmarks.judging.delays import CHANGED_PANES, RATE, ROWS
from tests.benchmarks.judging.laws import Mixture
from tests.benchmarks.judging.streams import Feature, Streams
from tests.benchmarks.judging.watching import Watched

SHARING = Sharing(42, 24)
SHARES, SHIFTS = (0.05, 0.2, 0.5), (0.25, 0.5, 1.0)


def segment_runs(share, shift, history, batch, seed=4):
    """Of `RUNS` models, a segment of which has this share and moves by `shift` sd after `history`
    panes: how many panes that took to be noticed in the `segment` and in `all` predictions (None:
    not in eight hours), and how many alarms came `early`, before it.
    """
    rng = np.random.default_rng([seed, batch, history, int(share * 1000), int(shift * 1000)])
    streams = Streams(_features(share, 0.0), RATE, ROWS, rng)
    watched = Watched(streams.reference, sharing=SHARING)
    names = [key.name for key in watched.detection.streams]
    first, early = {}, dict.fromkeys(names, 0)
    for start, panes, moved in ((0, history, 0.0), (history, CHANGED_PANES, shift)):
        streams.become(_features(share, moved))
        drawn = zip(*streams.panes(start, panes), strict=True)
        for pane, (rows, counts) in enumerate(drawn, start=start):
            started, _, _ = watched.judge(pane, rows, counts)
            for i in np.flatnonzero(started).tolist():
                if pane < history:
                    early[names[i]] += 1
                else:
                    first.setdefault(names[i], pane - history + 1)
    return [_told(run, first, early) for run in range(RUNS)]


def _told(run, first, early):
    whole, segment = _names(run)
    return {
        "segment": first.get(segment),
        "all": first.get(whole),
        "early": early[segment] + early[whole],
    }


def _names(run):
    return f"run {run:02}", in_segment(Segment(f"run {run:02}", "a")).name


def _features(share, shift):
    """What is missing in a segment's stream are the predictions of the others."""
    whole = Mixture((1 - share, share), (0.0, shift), (1.0, 1.0))
    inside = Mixture(means=(shift,))
    return tuple(
        feature
        for name, segment in map(_names, range(RUNS))
        for feature in (
            Feature(name, whole, kind=Kind.OUTPUT),
            Feature(segment, inside, missing=1 - share, kind=Kind.OUTPUT),
        )
    )
