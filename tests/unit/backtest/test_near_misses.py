"""The nearest misses: high scores that fell again, and none that led to an alarm."""

import numpy as np

from service.backtest.near_misses import Excursions, Nearest
from service.values.streams import Kind, StreamKey
from tests.unit.monitor.events import MODEL
from tests.unit.publish.backtests import NUMERIC

X, Y = StreamKey(Kind.INPUT, "x"), StreamKey(Kind.INPUT, "y")


def misses_of(scores, drifted=None, most=5):
    """`scores` by pane and stream; returns (stream, score, pane) of the misses."""
    nearest = Nearest(most)
    excursions = Excursions(MODEL, (X, Y), nearest)
    for pane, row in enumerate(scores):
        flags = np.zeros(2, dtype=bool) if drifted is None else np.array(drifted[pane])
        excursions.add(float(pane), np.array(row), flags, lambda _: "adwin", lambda _: NUMERIC)
    excursions.finish()
    return [(miss.stream.name, miss.score, miss.at_seconds) for miss in nearest.misses]


def test_the_peak_of_an_excursion_is_one_miss():
    assert misses_of([(0.1, 0), (0.7, 0), (0.9, 0), (0.6, 0), (0.1, 0)]) == [("x", 0.9, 2.0)]


def test_a_score_that_led_to_an_alarm_is_no_miss():
    scores = [(0.5, 0.4), (0.9, 0.3), (1.2, 0.2), (0.0, 0.0)]
    drifted = [(False, False), (False, False), (True, False), (False, False)]
    assert misses_of(scores, drifted) == [("y", 0.4, 0.0)]


def test_after_an_alarm_the_next_excursion_counts_again():
    scores = [(0.9, 0), (1.5, 0), (0.0, 0), (0.8, 0), (0.1, 0)]
    drifted = [(False, False), (True, False), (False, False), (False, False), (False, False)]
    assert misses_of(scores, drifted) == [("x", 0.8, 3.0)]


def test_only_the_highest_are_kept_the_highest_first():
    scores = [row for peak in (0.5, 0.9, 0.7, 0.6) for row in ((peak, 0), (0, 0))]
    assert [score for _, score, _ in misses_of(scores, most=2)] == [0.9, 0.7]


def test_one_stream_leaves_room_for_others():
    scores = [row for peak in (0.9, 0.8, 0.7) for row in ((peak, 0.0), (0.0, 0.0))]
    found = misses_of([*scores, (0.0, 0.2), (0.0, 0.0)])
    assert [(name, score) for name, score, _ in found] == [("x", 0.9), ("x", 0.8), ("y", 0.2)]


def test_what_is_up_at_the_end_did_not_alarm():
    assert misses_of([(0.2, 0), (0.8, 0)]) == [("x", 0.8, 1.0)]


def test_next_to_nothing_is_no_miss():
    assert misses_of([(0.04, 0.0), (0.0, 0.0)]) == []
