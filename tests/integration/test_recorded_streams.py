"""The benchmark on recorded streams runs the program itself, as its user would."""

import numpy as np

from tests.benchmarks.public_streams import table
from tests.benchmarks.recorded.recording import Change, Recording


def test_benchmark_on_a_recorded_stream_tells_what_the_program_found_beside_the_others():
    rng = np.random.default_rng(11)
    values = rng.normal(size=4_000)
    values[3_000:] += 2.0
    begin = 1_767_225_600.0
    made = Recording(
        name="a step",
        truth="made for this test",
        times=begin + np.arange(4_000.0),
        columns={"x": values, "y": rng.normal(size=4_000)},
        changes=[Change(begin + 3_000, streams=frozenset({"x"}))],
        reference_rows=2_000,
        period_rows=500,
    )
    lines = list(table(made))
    ours = next(line for line in lines if line.startswith("  Anchorwatch")).split()
    assert ours[1] == "1/1"
    assert float(ours[2]) <= 180
    assert ours[3] == "0"
    assert any("drift: x up" in line for line in lines)
    named = [line[2:44].strip() for line in lines]
    assert {"its ADWIN alone", "river ADWIN", "river Page-Hinkley", "river KSWIN"} <= set(named)
