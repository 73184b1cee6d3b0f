"""The benchmark on recorded streams runs the program itself, as its user would."""

import numpy as np

from tests.benchmarks.recorded.anchorwatch import replay
from tests.benchmarks.recorded.recording import Change, Recording, score


def test_benchmark_on_a_recorded_stream_tells_what_the_program_itself_found():
    rng = np.random.default_rng(11)
    values = rng.normal(size=8_000)
    values[7_000:] += 2.0
    begin = 1_767_225_600.0
    made = Recording(
        name="a step",
        truth="made for this test",
        times=begin + np.arange(8_000.0),
        columns={"x": values, "y": rng.normal(size=8_000)},
        changes=[Change(begin + 7_000, streams=frozenset({"x"}))],
        reference_rows=2_000,
        period_rows=500,
    )
    seen = replay(made)
    scored = score(made, seen.alarms)
    assert (scored.found, scored.false) == (1, ())
    assert scored.delays[0] <= 180
    (episode,) = seen.episodes
    assert episode.category == "drift"
    assert episode.words.startswith("x up")
    assert abs(episode.onset - (begin + 7_000)) <= 120
