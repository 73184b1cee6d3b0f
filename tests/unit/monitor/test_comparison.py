"""Panes against a reference: when a drift starts, lasts and ends, and what a restart keeps."""

import math
import re

import numpy as np
import pytest

from service.monitor.counting.panes import Pane
from service.monitor.detecting.drift import DriftStates, PaneFlags
from service.monitor.judging.comparison import Comparison
from service.monitor.references.planning import plan_for
from service.values.streams import LATENCY, PREDICTION, Kind
from service.values.watches import Budget, DetectorChoice, FeatureWatch, Mute, Sharing, WindowLength
from tests.unit.monitor.events import (
    MODEL,
    PANE,
    STATES,
    T0,
    X,
    assert_same,
    reference,
    watch,
)

NORMAL = reference()
ROWS = 300
MUTE = Mute(T0 + 1e9, "ada", "new feed", "OPS-7")


def _kept(part):
    return part


class Compared:
    """A comparison that is given one pane after the other; x shifts, the states' shares move."""

    def __init__(self, watched=None, **changes):
        self.watched = watched or watch(**changes)
        self.plan = plan_for(MODEL, self.watched, NORMAL, learns=True)
        self.comparison = self.new()
        self.panes = 0
        self.transitions = []

    def new(self, watched=None):
        return Comparison(MODEL, NORMAL, self.plan, watched or self.watched, PANE, Sharing())

    def pane(self, shift=0.0, shares=(0.5, 0.3, 0.2), rows=ROWS, seen=True):
        random = np.random.default_rng(self.panes)
        numeric = np.full((rows, len(self.plan.numeric)), 0.5)
        numeric[:, self.plan.numeric.index(LATENCY)] = 0.01
        numeric[:, self.plan.numeric.index(X)] = random.normal(shift, 1, rows) if seen else np.nan
        names = self.plan.layout.categories[0]
        chosen = random.choice(STATES, rows, p=shares)
        codes = np.array([[names.index(name)] for name in chosen], dtype=np.int32)
        pane = Pane(T0 + self.panes * PANE, self.plan)
        pane.summary.update(numeric, codes, {}, float(rows))
        self.panes += 1
        return pane

    def feed(self, panes, **how):
        for _ in range(panes):
            self.transitions += self.comparison.judge(self.pane(**how))
        return self

    def restart(self, watched=None):
        state = self.comparison.state(_kept)
        self.comparison = self.new(watched)
        self.comparison.restore(state)
        return self

    def at(self, key, values):
        return values[self.plan.streams.index(key)]

    def score(self, key=X):
        return float(self.at(key, self.comparison.score))

    def told(self):
        return [
            (t.stream.name, t.drifted, round((t.pane_start_seconds - T0) / PANE))
            for t in self.transitions
        ]


def test_nothing_drifts_while_all_is_as_in_the_reference():
    compared = Compared().feed(300)
    assert compared.told() == []
    assert max(compared.score(key) for key in compared.plan.streams) < 1


def test_a_shift_starts_a_drift_in_its_first_panes_and_names_who_noticed():
    compared = Compared().feed(20).feed(4, shift=0.8)
    ((name, drifted, pane),) = compared.told()
    assert (name, drifted, pane in range(20, 24)) == ("x", True, True)
    (started,) = compared.transitions
    assert started.score >= 1
    assert set(started.detectors) <= {"adwin", "page_hinkley"} != set()
    assert started.summary.startswith(("up 0.6", "up 0.7", "up 0.8", "up 0.9"))
    assert "PSI" in started.summary


def test_a_change_of_mix_starts_a_drift_and_names_the_category():
    compared = Compared().feed(20).feed(4, shares=(0.2, 0.2, 0.6))
    assert compared.told()[0][:2] == ("state", True)
    assert re.match(r"share of NY from 20 % to [56]\d %, PSI ", compared.transitions[0].summary)


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "river.KSWIN"])
def test_each_detector_alone_notices(name):
    compared = Compared(detectors=(DetectorChoice(name),)).feed(100).feed(30, shift=3.0)
    assert ("x", True) in [told[:2] for told in compared.told()]


def test_the_score_is_at_least_one_while_a_drift_lasts():
    compared = Compared().feed(20).feed(3, shift=0.8)
    for _ in range(40):
        compared.feed(1, shift=0.8)
        assert compared.score() >= 1
    assert len(compared.told()) == 1


@pytest.mark.parametrize("recover", [1, 3, 10])
def test_a_long_drift_is_over_so_many_quiet_panes_after_its_end(recover):
    compared = Compared(recover_panes=recover).feed(20).feed(200, shift=0.8).feed(30)
    (_, started), (_, ended) = [told[1:] for told in compared.told()]
    assert started in range(20, 24)
    assert 220 + recover - 1 <= ended <= 220 + recover + 5
    assert compared.score() < 1


def test_after_a_drift_the_detectors_start_afresh_and_notice_the_next_one():
    compared = Compared().feed(20).feed(10, shift=0.8).feed(20)
    assert [drifted for _, drifted, _ in compared.told()] == [True, False]
    compared.feed(3, shift=-0.8)
    assert compared.told()[-1][:2] == ("x", True)
    assert compared.transitions[-1].summary.startswith("down ")
    alarms = {b.name: int(compared.at(X, b.alarms)) for b in compared.comparison.banks}
    assert sum(alarms.values()) >= 2


def test_a_pane_in_which_a_stream_was_not_seen_changes_nothing_for_it():
    compared = Compared().feed(20).feed(5, shift=0.8)
    before = compared.score(), compared.at(X, compared.comparison.drift.since_seconds)
    quiet = int(compared.at(X, compared.comparison.drift.quiet_panes))
    compared.feed(20, seen=False)
    assert (compared.score(), compared.at(X, compared.comparison.drift.since_seconds)) == before
    assert int(compared.at(X, compared.comparison.drift.quiet_panes)) == quiet
    assert len(compared.told()) == 1


def test_an_alarm_that_goes_on_is_counted_once():
    compared = Compared(detectors=(DetectorChoice("page_hinkley"),))
    compared.feed(20).feed(30, shift=0.8)
    (bank,) = compared.comparison.banks
    assert compared.at(X, bank.alarms) == 1


def test_a_muted_feature_makes_no_transition_but_goes_on_being_judged():
    compared = Compared(watch({"x": FeatureWatch(mute=MUTE)})).feed(20).feed(20, shift=0.8)
    assert compared.told() == []
    assert compared.score() >= 1


def test_a_mute_ends_with_its_last_day():
    muted = FeatureWatch(mute=Mute(T0 + 60 * PANE, "ada", "new feed"))
    compared = Compared(watch({"x": muted})).feed(20).feed(10, shift=0.8).feed(35)
    assert compared.told() == []
    compared.feed(3, shift=0.8)
    assert [told[:2] for told in compared.told()] == [("x", True)]


def test_only_features_can_be_muted():
    muting = watch({"prediction": FeatureWatch(mute=MUTE)})
    assert muting.mute_of(PREDICTION, T0) is None
    assert muting.mute_of(PREDICTION._replace(kind=Kind.INPUT), T0) == MUTE


@pytest.mark.parametrize("when", [5, 21, 23, 40])
def test_a_comparison_goes_on_from_its_state_as_if_nothing_had_happened(when):
    whole, stopped = Compared(), Compared()
    for compared in (whole, stopped):
        for pane in range(60):
            compared.feed(1, shift=0.8 if 20 <= pane < 30 else 0.0)
            if compared is stopped and pane == when:
                compared.restart()
    assert whole.told() == stopped.told() != []
    assert_same(whole.comparison.state(_kept), stopped.comparison.state(_kept))


def test_a_restart_keeps_the_windows_that_are_still_configured_and_starts_new_ones_empty():
    compared = Compared().feed(10)
    lengths = (WindowLength("5m", 300.0), WindowLength("2h", 7200.0))
    compared.restart(watch(windows=lengths))
    short, long = compared.comparison.windows
    assert (short.total.rows, long.total.rows) == (5 * ROWS, 0)
    compared.feed(1)
    assert (short.total.rows, long.total.rows) == (5 * ROWS, ROWS)


def test_a_restart_with_another_budget_or_parameter_judges_by_it():
    compared = Compared().feed(10)
    levels = [bank.level.tolist() for bank in compared.comparison.banks]
    compared.restart().feed(1)
    assert [bank.level.tolist() for bank in compared.comparison.banks] == levels
    compared.restart(watch(budget="model", recover_panes=5)).feed(1)
    assert [bank.level.tolist() for bank in compared.comparison.banks] == levels
    by_hand = DetectorChoice("page_hinkley", {"threshold": 3.0})
    compared.restart(watch(detectors=(DetectorChoice("adwin"), by_hand))).feed(1)
    assert set(compared.comparison.banks[1].level.tolist()) == {3.0}
    strict = Compared(_with_budget(0.001)).feed(1)
    compared.restart(_with_budget(0.001)).feed(1)
    for one, other in zip(strict.comparison.banks, compared.comparison.banks, strict=True):
        assert one.level.tolist() == other.level.tolist()


def _with_budget(alarms):
    standard = watch()
    fields = {name: getattr(standard, name) for name in standard.__struct_fields__}
    return type(standard)(**(fields | {"budget": Budget(alarms, 30 * 86_400.0, "model")}))


def test_a_drift_outlives_a_restart_with_other_detectors_and_can_still_end():
    compared = Compared().feed(20).feed(5, shift=0.8)
    only = watch(detectors=(DetectorChoice("page_hinkley"),))
    compared.restart(only)
    assert compared.score() >= 1
    compared.feed(10)
    assert [drifted for _, drifted, _ in compared.told()] == [True, False]


def test_without_detectors_nothing_ever_drifts():
    assert Compared(detectors=()).feed(5).feed(20, shift=5.0).told() == []


def test_a_stricter_budget_needs_more_evidence():
    few, many = Compared(_with_budget(0.01)), Compared(_with_budget(10.0))
    for compared in (few, many):
        compared.feed(1)
    assert few.comparison.banks[1].level[0] > many.comparison.banks[1].level[0] + 5


def _flags(pane):
    alarmed, seen, quiet, awaited, over = (
        np.array([flag])
        for flag in (pane in "aw", pane != "-", pane in "qc", pane in "wo", pane in "oq")
    )
    return PaneFlags(alarmed, seen, quiet, awaited, over)


class TestDriftStates:
    """One stream, pane by pane: a = alarmed, q = quiet, c = calm but not over, . = neither, - = not
    seen.
    """

    @pytest.mark.parametrize(
        ("panes", "expected"),
        [
            ("qqqq", []),
            ("a", [(0, "started")]),
            ("aqq", [(0, "started")]),
            ("aqqq", [(0, "started"), (3, "recovered")]),
            ("aqq.qq", [(0, "started")]),
            ("aqq.qqq", [(0, "started"), (6, "recovered")]),
            ("aqq-q", [(0, "started"), (4, "recovered")]),
            ("a---", [(0, "started")]),
            ("aqqqa", [(0, "started"), (3, "recovered"), (4, "started")]),
            ("aqqaqqq", [(0, "started"), (6, "recovered")]),
            ("acccccc", [(0, "started")]),
            ("accq", [(0, "started"), (3, "recovered")]),
        ],
    )
    def test_a_drift_ends_after_three_quiet_panes_in_a_row(self, panes, expected):
        states, told = DriftStates(1), []
        for number, pane in enumerate(panes):
            started, recovered = states.update(float(number), _flags(pane), recover_panes=3)
            if started[0]:
                told.append((number, "started"))
                assert states.since_seconds[0] == number
            if recovered[0]:
                told.append((number, "recovered"))
                assert math.isnan(states.since_seconds[0])
            kept, states = states.state(), DriftStates(1)
            states.restore(kept)
        assert told == expected

    def test_recovery_after_one_pane_is_not_in_the_pane_of_the_alarm(self):
        states = DriftStates(1)
        alarm = PaneFlags(*[np.array([True])] * 3, *[np.array([False])] * 2)
        started, recovered = states.update(0.0, alarm, recover_panes=1)
        assert (started[0], recovered[0]) == (True, False)
