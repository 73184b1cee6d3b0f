"""Judgement by evidence: what alarms through the e-detector, what is over, what a restart keeps."""

import math

import numpy as np
import pytest

from detectors.dispersion import Status
from service.monitor.counting.panes import Pane
from service.monitor.judging.comparison import Comparison
from service.monitor.references.planning import plan_for
from service.state.snapshot import decode, encode, encode_part
from service.values.streams import LATENCY, ROWS, Kind, StreamKey
from service.values.watches import Budget, DetectorChoice, FeatureWatch, Mute, SeasonWatch, Sharing
from tests.unit.monitor.events import MODEL, PANE, STATE, STATES, T0, X, assert_same, watch
from tests.unit.monitor.events import reference as a_reference

ALL = tuple(DetectorChoice(name) for name in ("e_detector", "adwin", "page_hinkley"))
SHAPES = ALL[:1]
NORMAL = a_reference(10_000)
ROWS_A_PANE = 600
X_QUALITY, STATE_QUALITY = (StreamKey(Kind.QUALITY, key.name) for key in (X, STATE))


class Watched:
    """Panes of x, normal unless said, and of state, one after the other."""

    def __init__(self, detectors=ALL, pane_seconds=PANE, seed=0, **changes):
        self.watch = watch(detectors=detectors, windows=(), **changes)
        self.pane_seconds = pane_seconds
        self.plan = plan_for(MODEL, self.watch, NORMAL, learns=False)
        self.comparison = self.new()
        self.random = np.random.default_rng(seed)
        self.at = T0
        self.panes = 0
        self.told = []

    def new(self, watched=None):
        return Comparison(
            MODEL, NORMAL, self.plan, watched or self.watch, self.pane_seconds, Sharing()
        )

    def pane(
        self,
        shift=0.0,
        spread=1.0,
        rows=ROWS_A_PANE,
        absent=0.0,
        unseen=0.0,
        invalid=0.0,
        sentinel=0.0,
    ):
        random, pane = self.random, Pane(self.at, self.plan)
        numeric = np.full((rows, len(self.plan.numeric)), 0.5)
        numeric[:, self.plan.numeric.index(LATENCY)] = 0.01
        x = random.normal(shift, spread, rows)
        x[random.random(rows) < absent] = np.nan
        x[random.random(rows) < invalid] = np.inf
        if sentinel:
            x[random.random(rows) < sentinel] = -999.0
        numeric[:, self.plan.numeric.index(X)] = x
        chosen = random.choice(3, rows, p=(0.5, 0.3, 0.2)).astype(np.int32)
        names = self.plan.layout.categories[0]
        codes = np.array([names.index(STATES[i]) for i in chosen], dtype=np.int32)
        strange = np.flatnonzero(random.random(rows) < unseen)
        codes[strange] = -3
        novel = {0: (strange, ["XX"] * len(strange))} if len(strange) else {}
        pane.summary.update(numeric, codes[:, None], novel, float(rows))
        return pane

    def feed(self, panes, **how):
        for _ in range(panes):
            self.told += self.comparison.judge(self.pane(**how))
            self.at += self.pane_seconds
            self.panes += 1
        return self

    def restart(self, watched=None):
        state = decode(encode(self.comparison.state(encode_part)))
        self.comparison = self.new(watched)
        self.comparison.restore(state)
        return self

    def changes(self, kind=None):
        return [
            (t.stream.kind.value, t.stream.name, t.drifted)
            for t in self.told
            if kind in (None, t.stream.kind)
        ]

    def of(self, key, values):
        return values[self.comparison.streams.index(key)]


def test_values_quality_and_volume_are_all_judged_and_share_the_budget():
    streams = Watched().comparison.streams
    assert streams[: len(NORMAL.streams)] == tuple(s.key for s in NORMAL.streams)
    assert streams[len(NORMAL.streams) :] == (X_QUALITY, STATE_QUALITY, ROWS)


def test_without_the_e_detector_only_values_are():
    assert Watched(ALL[1:]).comparison.streams == tuple(s.key for s in NORMAL.streams)


def test_nothing_alarms_while_all_is_as_in_the_reference():
    watched = Watched().feed(400)
    assert watched.told == []
    assert watched.comparison.score.max() < 1


@pytest.mark.parametrize(
    ("change", "key", "within"),
    [
        ({"shift": 1.0}, X, 1),
        ({"shift": 0.35}, X, 8),
        ({"spread": 1.3}, X, 5),
        ({"absent": 0.05}, X_QUALITY, 4),
        ({"invalid": 0.05}, X_QUALITY, 4),
        ({"unseen": 0.05}, STATE_QUALITY, 4),
    ],
)
def test_a_change_is_noticed_by_its_evidence_alone(change, key, within):
    watched = Watched(SHAPES).feed(60).feed(within, **change)
    assert (key.kind.value, key.name, True) in watched.changes()
    (started,) = [t for t in watched.told if t.stream == key]
    assert started.detectors == ("e_detector",)
    assert started.score >= 1
    first = T0 + 60 * PANE
    assert abs(started.onset_seconds - first) <= 2 * PANE
    assert started.onset_seconds <= started.pane_start_seconds


def test_a_large_change_is_noticed_in_the_first_minutes_when_hardly_anything_is_known():
    watched = Watched().feed(3).feed(4, shift=1.0)
    assert ("input", "x", True) in watched.changes()


def test_missing_values_are_a_matter_of_quality_and_not_of_the_values():
    watched = Watched(SHAPES).feed(60).feed(10, absent=0.3)
    assert watched.changes() == [("quality", "x", True)]
    assert watched.told[0].summary.startswith("missing from 0.0 % to 3")


def test_an_unknown_category_is_a_matter_of_quality_and_not_of_the_values():
    watched = Watched(SHAPES).feed(60).feed(5, unseen=0.2)
    assert watched.changes() == [("quality", "state", True)]
    assert watched.told[0].summary.startswith("of unknown categories from 0.0 % to ")


@pytest.mark.parametrize("key", ["x", "state"])
def test_a_mute_silences_the_quality_of_its_feature_too(key):
    mute = FeatureWatch(mute=Mute(T0 + 1e9, "ada", "new feed"))
    watched = Watched(SHAPES, features={key: mute})
    watched.feed(60).feed(5, absent=0.3, unseen=0.3)
    assert not [change for change in watched.changes() if change[1] == key]


@pytest.mark.parametrize("recover", [1, 3, 10])
def test_a_drift_is_over_when_so_many_panes_are_as_before_again(recover):
    watched = Watched(SHAPES, recover_panes=recover).feed(60).feed(100, shift=0.5).feed(40)
    started, ended = (t for t in watched.told if t.stream == X)
    assert (started.drifted, ended.drifted) == (True, False)
    after = round((ended.pane_start_seconds - T0) / PANE) - 160
    assert recover - 1 <= after <= recover + 6
    assert watched.comparison.score.max() < 1
    watched.feed(5, shift=-0.5)
    assert watched.changes()[-1] == ("input", "x", True)


def test_a_change_that_stays_is_one_drift_however_long_it_lasts():
    watched = Watched(SHAPES).feed(60).feed(400, shift=0.5)
    assert watched.changes() == [("input", "x", True)]
    assert watched.of(X, watched.comparison.score) >= 1


def test_what_the_tolerance_allows_never_alarms_however_certain_it_is():
    watched = Watched(tolerance_sd=0.5).feed(60).feed(300, shift=0.3)
    assert watched.changes() == []


def test_a_rate_within_its_tolerance_never_alarms():
    generous = Watched(SHAPES, tolerance_sd=1.0, tolerance_points=0.2).feed(60)
    assert generous.feed(200, absent=0.05).changes() == []
    strict = Watched(SHAPES, tolerance_points=0.001).feed(60)
    assert strict.feed(30, absent=0.02).changes() == [("quality", "x", True)]


def test_events_that_come_in_clusters_are_worth_less_and_do_not_alarm():
    watched = Watched(seed=3)
    for _ in range(300):
        pane = watched.pane(rows=60)
        cells = pane.summary.cells
        cells *= 10
        watched.told += watched.comparison.judge(pane)
        watched.at += PANE
    assert watched.told == []
    assert 5 < watched.of(X, watched.comparison.detection.dispersions.phi) < 30


def test_a_change_is_not_taken_for_dependence_before_it_is_noticed():
    watched = Watched(SHAPES).feed(100).feed(20, shift=0.4)
    assert ("input", "x", True) in watched.changes()
    assert watched.of(X, watched.comparison.detection.dispersions.phi) < 2


def test_a_stream_that_never_keeps_its_shape_is_blind_and_says_so():
    watched = Watched(seed=5)
    for _ in range(800):
        pane = watched.pane(shift=watched.random.normal(0, 1.5))
        watched.told += watched.comparison.judge(pane)
        watched.at += PANE
    detection = watched.comparison.detection
    assert watched.of(X, detection.dispersions.phi) > 50
    late = [t for t in watched.told if t.drifted and t.pane_start_seconds > T0 + 400 * PANE]
    assert not [t for t in late if t.stream == X]


def test_what_is_learned_of_a_stream_is_told():
    watched = Watched(pane_seconds=3600.0, season=SeasonWatch()).feed(10)
    assert set(watched.comparison.detection.status.tolist()) == {Status.LEARNING}
    watched.feed(140)
    known = watched.comparison.detection.status
    assert watched.of(X, known) == Status.READY
    assert watched.of(ROWS, known) == Status.LEARNING


@pytest.mark.parametrize("when", [5, 31, 62, 75, 101])
def test_a_restart_at_any_pane_gives_the_same_verdicts(when):
    whole, stopped = Watched(), Watched()
    for watched in (whole, stopped):
        for pane in range(130):
            drifts = 60 <= pane < 75
            watched.feed(1, shift=0.6 * drifts, absent=0.2 * drifts)
            if watched is stopped and pane == when:
                watched.restart()
    assert repr(whole.told) == repr(stopped.told)
    assert len(whole.changes()) == 4
    one, other = (w.comparison.state(lambda part: part) for w in (whole, stopped))
    assert_same(one, other)


def test_a_restart_under_another_budget_keeps_what_was_seen_and_judges_by_the_new_one():
    watched = Watched(SHAPES).feed(100)
    stricter = watch(detectors=SHAPES, windows=(), budget="model")
    fields = {name: getattr(stricter, name) for name in stricter.__struct_fields__}
    stricter = type(stricter)(**(fields | {"budget": Budget(0.001, 30 * 86_400.0, "model")}))
    before = watched.comparison.banks[0]
    evidence, level = before.evidence.copy(), before.level[0]
    phi = watched.comparison.detection.dispersions.phi.copy()
    watched.restart(stricter)
    (bank,) = watched.comparison.banks
    assert bank.level[0] == pytest.approx(level + math.log(1000))
    assert bank.evidence.tolist() == evidence.tolist()
    assert watched.comparison.detection.dispersions.phi.tolist() == phi.tolist()
    watched.feed(5, shift=1.0)
    assert watched.changes() == [("input", "x", True)]


def test_a_drift_that_the_e_detector_no_longer_watches_can_still_end():
    watched = Watched().feed(60).feed(5, shift=1.0)
    assert ("input", "x", True) in watched.changes()
    watched.restart(watch(detectors=ALL[1:], windows=())).feed(20)
    assert watched.changes()[-1] == ("input", "x", False)


def test_a_restart_with_the_e_detector_added_judges_quality_from_then_on():
    watched = Watched(ALL[1:]).feed(60)
    watched.restart(watch(detectors=ALL, windows=())).feed(40).feed(5, absent=0.3)
    assert ("quality", "x", True) in watched.changes()


def test_a_pane_without_any_value_of_a_stream_changes_nothing_for_it():
    watched = Watched(SHAPES).feed(60).feed(5, shift=1.0)
    watched.feed(10, absent=1.0)
    assert watched.of(X, watched.comparison.score) > 1
    assert [change for change in watched.changes() if change[0] == "input"] == [
        ("input", "x", True)
    ]


def test_parameters_set_by_hand_hold_instead_of_the_budget():
    watched = Watched((DetectorChoice("e_detector", {"level": 3.0}),))
    assert set(watched.comparison.banks[0].level[:-1].tolist()) == {3.0}


def test_the_budget_is_shared_by_weight_among_the_detectors_that_are_on():
    alone, all_three = (Watched(d).comparison.banks[0].level[0] for d in (SHAPES, ALL))
    assert all_three == pytest.approx(alone + math.log(1 / 0.8))
    few, many = (Watched(d).comparison.detection for d in (ALL[1:], ALL))
    assert few.means[1].parameters["threshold"] < many.means[1].parameters["threshold"]


def test_holidays_and_seasons_are_those_of_the_watch():
    assert Watched(season=SeasonWatch("day")).comparison.detection.seasons.active.tolist() == (
        [False] * 6
    )


@pytest.mark.parametrize(("leak", "within"), [(0.03, 2), (0.06, 1)])
def test_a_number_that_stands_for_missing_and_leaks_in_is_a_matter_of_quality(leak, within):
    watched = Watched(SHAPES).feed(100).feed(within, sentinel=leak)
    assert watched.changes() == [("quality", "x", True)]
    (told,) = [t for t in watched.told if t.stream == X_QUALITY]
    assert told.summary.startswith("far outside the reference's range from 0.0 % to ")


def test_a_mean_that_moves_far_is_no_matter_of_quality():
    watched = Watched(SHAPES).feed(60).feed(30, shift=2.0)
    assert watched.changes(Kind.QUALITY) == []
    assert ("input", "x", True) in watched.changes()


@pytest.mark.parametrize("shift", [0.18, 0.2, 0.25])
def test_a_mean_hardly_beyond_the_tolerance_is_one_drift_and_not_several(shift):
    watched = Watched(ALL, seed=1).feed(300).feed(700, shift=shift)
    assert watched.changes(Kind.INPUT).count(("input", "x", True)) <= 1


def test_a_mean_that_returns_has_recovered():
    watched = Watched(ALL[1:], seed=1).feed(100).feed(40, shift=0.4).feed(10)
    assert watched.changes() == [("input", "x", True), ("input", "x", False)]


def test_a_stream_that_never_keeps_its_shape_has_no_score():
    watched = Watched(SHAPES, seed=1)
    for pane in range(300):
        watched.feed(1, shift=float(np.sin(pane / 7)) * 0.35)
    assert watched.of(X, watched.comparison.detection.status) == Status.UNSTABLE
    assert watched.of(X, watched.comparison.score) in (0.0, 1.0)


def test_texts_that_are_mostly_seen_once_do_not_drift():
    def names(seed):
        random = np.random.default_rng(seed)
        often = random.choice(["a", "b", "c"], 400).tolist()
        return [*often, *(f"{seed}-{i}" for i in range(600))]

    normal = a_reference(inputs={"job": names(0)}, outputs=False)
    plan = plan_for(MODEL, watch(detectors=ALL), normal, learns=False)
    comparison = Comparison(MODEL, normal, plan, watch(detectors=ALL, windows=()), PANE, Sharing())
    told, known = [], plan.layout.categories[0]
    for number in range(1, 120):
        texts = names(number)[::3]
        codes = [known.index(text) if text in known else -3 for text in texts]
        strange = np.flatnonzero(np.array(codes) == -3)
        pane = Pane(T0 + number * PANE, plan)
        novel = {0: (strange, [texts[i] for i in strange])}
        numeric, column = np.empty((len(texts), 0)), np.array(codes, dtype=np.int32)[:, None]
        pane.summary.update(numeric, column, novel, float(len(texts)))
        told += comparison.judge(pane)
    assert told == []
