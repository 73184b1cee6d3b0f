"""How alarms on a recorded stream are counted, and that rivals see what they should."""

import math

import numpy as np
import pytest

from tests.benchmarks.recorded import anchorwatch, rivals
from tests.benchmarks.recorded.recording import Alarm, Change, Recording, runs, score


def recording(changes=(), **others):
    rows = np.random.default_rng(3)
    values = rows.normal(size=1_000)
    values[700:] += 3.0
    given = {
        "times": np.arange(1_000, dtype=np.float64),
        "columns": {"x": values, "steady": rows.normal(size=1_000)},
        "reference_rows": 500,
        "period_rows": 100,
    }
    return Recording("made", "a step of 3 sd at row 700", changes=changes, **(given | others))


def alarm(start, stream="x", end=math.inf, lasts=1.0):
    return Alarm(stream, start, start + lasts, end)


def test_first_alarm_in_a_change_finds_it_and_those_after_repeat_it():
    scored = score(recording([Change(700)]), [alarm(710), alarm(740), alarm(800)])
    assert (scored.found, scored.repeats, scored.false) == (1, 2, ())
    assert scored.delays == (11,)


def test_alarm_outside_of_every_change_or_of_a_stream_that_did_not_change_is_false():
    changed = [Change(700, 800, frozenset({"x"}))]
    alarms = [alarm(600), alarm(750, "steady"), alarm(900)]
    scored = score(recording(changed), alarms)
    assert scored.found == 0
    assert scored.false == tuple(alarms)


def test_alarm_of_how_features_go_together_belongs_to_every_change():
    changed = [Change(700, streams=frozenset({"x"}))]
    assert score(recording(changed), [alarm(750, "reconstruction error")]).found == 1


def test_way_back_is_no_false_alarm_as_long_as_the_aftermath_lasts():
    changed = [Change(700, 800)]
    given = [alarm(720), alarm(810), alarm(860)]
    assert score(recording(changed, aftermath_seconds=20.0), given).false == (given[2],)


def test_rows_of_the_reference_are_not_judged():
    assert score(recording([Change(700)]), [alarm(100)]) == score(recording([Change(700)]), [])


def test_change_is_told_as_hidden_when_its_stream_alarmed_before_and_still():
    assert score(recording([Change(700)]), [alarm(650)]).hidden == 1
    assert score(recording([Change(700)]), [alarm(650, end=690)]).hidden == 0


def test_period_that_reaches_into_a_change_finds_it_when_it_ends():
    scored = score(recording([Change(750, 760)]), [alarm(700, lasts=99)])
    assert scored.delays == (49,)


def test_periods_in_a_row_that_differ_are_one_alarm():
    spans = [(0.0, 9.0), (10.0, 19.0), (20.0, 29.0), (30.0, 39.0)]
    found = list(runs("x", [False, True, True, False], spans))
    assert found == [Alarm("x", 10.0, 19.0, 30.0)]
    assert list(runs("x", [False, False, False, True], spans)) == [Alarm("x", 30.0, 39.0, math.inf)]


@pytest.mark.parametrize("name", ["river ADWIN", "river Page-Hinkley", "river KSWIN"])
def test_rival_that_sees_every_value_finds_a_step_of_three_sd(name):
    made = recording([Change(700, streams=frozenset({"x"}))])
    found = score(made, dict(rivals.contestants(made))[name]())
    assert found.found == 1
    assert found.delays[0] < 100


def test_periodic_rivals_find_a_step_at_the_end_of_its_period():
    made = recording([Change(700, streams=frozenset({"x"}))])
    for name in rivals.PERIODIC:
        assert score(made, dict(rivals.contestants(made))[name]()).delays == (99,)


def test_periodic_rivals_find_a_mix_of_texts_that_changed_and_a_category_that_is_new():
    texts = np.array(["a", "b"] * 350 + ["c"] * 300)
    made = recording([Change(700)], columns={"kind": texts})
    for name in rivals.PERIODIC:
        scored = score(made, dict(rivals.contestants(made))[name]())
        assert (scored.found, scored.false) == (1, ())


def test_hddm_stands_aside_without_a_column_of_two_values():
    two = recording(columns={"is": np.array(["true", "false"] * 500)})
    assert rivals.HDDM in dict(rivals.contestants(two))
    assert rivals.HDDM not in dict(rivals.contestants(recording()))


def test_of_volume_only_detectors_of_rows_are_asked():
    counts = recording(columns={"value": np.ones(1_000)}, volume=True)
    assert [name for name, _ in anchorwatch.contestants(counts)] == [
        "Anchorwatch",
        "its e-detector alone",
    ]
