"""What was counted since the beginning is kept, and read as it was kept before."""

import numpy as np
import pytest

from service.monitor.counting.totals import ModelTotals
from service.state.snapshot import decode, encode
from service.values.streams import PREDICTION, Kind, StreamKey

X = StreamKey(Kind.INPUT, "x")


def totals():
    known = ModelTotals()
    known.predictions = 7
    known.add_quality({X: np.array([1, 2, 3]), PREDICTION: np.array([0, 2**40, 0])})
    return known


def quality_of(known):
    return {key: counts.tolist() for key, counts in known.quality.items()}


def test_totals_come_back_as_they_were_and_go_on_by_themselves():
    before = totals()
    again = ModelTotals.from_state(decode(encode(before.state())))
    assert quality_of(again) == {X: [1, 2, 3], PREDICTION: [0, 2**40, 0]}
    assert again.state()["predictions"] == 7
    again.add_quality({X: np.array([1, 0, 0])})
    assert quality_of(again)[X] == [2, 2, 3]
    assert quality_of(before)[X] == [1, 2, 3]


def test_totals_without_any_stream_come_back_empty():
    assert ModelTotals.from_state(decode(encode(ModelTotals().state()))).quality == {}


def test_quality_that_was_kept_as_an_array_a_stream_is_read():
    state = totals().state()
    state["quality"] = [[k.kind.value, k.name, counts] for k, counts in totals().quality.items()]
    assert quality_of(ModelTotals.from_state(decode(encode(state)))) == quality_of(totals())


@pytest.mark.parametrize("spoilt", [["input", "x", 1, 2], ["input"], ["colour", "x", 1, 2, 3]])
def test_quality_that_makes_no_sense_is_refused(spoilt):
    state = totals().state()
    state["quality"].append(spoilt)
    with pytest.raises((LookupError, ValueError)):
        ModelTotals.from_state(state)
