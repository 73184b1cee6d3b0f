"""A reference that changes while a model runs: what it does not touch goes on undisturbed."""

import math

import numpy as np
import pytest

from detectors.dispersion import Status
from service.monitor.references.unchanged import unchanged
from service.values.episodes import Phase
from service.values.streams import LATENCY, PREDICTION, ROWS, Kind, StreamKey
from service.values.watches import PolicyLimits, WindowLength
from tests.unit.monitor.events import MODEL, PANE, STATE, T0, X, assert_same, reference, watch
from tests.unit.monitor.stories import BY_HAND, ROWS_A_PANE, Story, known_of, with_streams_of

GIVEN = reference()
OTHER_FILE = reference(seed=5)
WITHOUT_OUTPUTS = reference(outputs=False)
X_QUALITY, STATE_QUALITY = (StreamKey(Kind.QUALITY, key.name) for key in (X, STATE))
MORE_NEW_YORK = (0.2, 0.2, 0.6)


class TestLearnedOutputs:
    """Outputs and latency are learned beside a reference that lacks them, from 40 panes."""

    def story(self, learn=True):
        watched = watch(detectors=BY_HAND, learn=learn, learn_events=4_000)
        return Story(WITHOUT_OUTPUTS, watched)

    def test_an_open_drift_of_a_feature_stays_one_episode(self):
        story = self.story().feed(36)
        assert story.hash == WITHOUT_OUTPUTS.hash
        story.feed(6, shift=2.0)
        (before,) = story.open
        story.feed(14, shift=2.0)
        assert story.hash != WITHOUT_OUTPUTS.hash
        assert set(story.comparison.plan.streams) == {X, STATE, PREDICTION, LATENCY}
        (now,) = story.open
        assert (now.id, now.started_seconds) == (before.id, before.started_seconds)
        assert now.evidence.rows >= before.evidence.rows + 10 * ROWS_A_PANE
        assert now.evidence.reference_hash == story.hash
        assert Phase.RECOVERED not in {event.phase for event in story.told}
        story.feed(30)
        assert (story.told[-1].phase, story.told[-1].ended_because) == (
            Phase.RECOVERED,
            "recovered",
        )
        assert story.episodes() == {before.id}
        assert story.starts() == 1

    @pytest.mark.parametrize("drift", [range(0), range(36, 60), range(20, 44)])
    def test_the_streams_of_before_go_on_as_if_nothing_had_been_learned(self, drift):
        growing, steady = self.story(), self.story(learn=False)
        for pane in range(90):
            for story in (growing, steady):
                story.feed(1, shift=1.0 * (pane in drift))
        assert growing.hash != steady.hash == WITHOUT_OUTPUTS.hash
        for key in (X, STATE, X_QUALITY, ROWS):
            assert_same(known_of(growing, key), known_of(steady, key), str(key))
        assert [e.phase for e in growing.told] == [e.phase for e in steady.told]

    def test_what_was_learned_starts_afresh_and_is_watched(self):
        story = self.story().feed(60)
        detection = story.comparison.detection
        assert int(story.of(LATENCY, detection.status)) == Status.LEARNING
        assert not story.of(LATENCY, detection.dispersions.estimated)
        assert story.of(X, detection.dispersions.estimated)
        story.feed(60)
        assert story.of(LATENCY, detection.dispersions.estimated)
        story.feed(5, latency_ms=25.0)
        assert story.episodes("latency")

    def test_its_dependence_is_known_after_as_many_panes_as_ever(self):
        story, began = self.story().feed(40), None
        for _ in range(60):
            story.feed(1)
            if story.hash != WITHOUT_OUTPUTS.hash and began is None:
                began = story.pane
            if began and story.of(LATENCY, story.comparison.detection.dispersions.estimated):
                break
        assert 38 <= story.pane - began <= 42

    @pytest.mark.parametrize("cut", [38, 45, 50, 62])
    def test_a_restart_before_or_after_changes_nothing(self, cut):
        whole, broken = self.story(), self.story()
        for pane in range(75):
            for story in (whole, broken):
                story.feed(1, shift=1.0 * (36 <= pane < 60))
            if pane == cut:
                broken.restart(WITHOUT_OUTPUTS)
        assert whole.hash != WITHOUT_OUTPUTS.hash
        assert [(e.id, e.phase) for e in whole.told] == [(e.id, e.phase) for e in broken.told]
        assert_same(whole.world.judge.state(), broken.world.judge.state())

    def test_windows_that_have_panes_of_before_make_no_feature_absent(self):
        story = self.story().feed(55)
        window = story.comparison.windows[1].total
        place = story.comparison.plan.streams.index(LATENCY)
        assert 0 < window.cells[story.comparison.layout.values_of(place)].sum() < window.rows


class TestAcceptance:
    """Of two features that drift one is accepted as it is now."""

    def both_drift(self, panes=30):
        story = Story(GIVEN, watch(detectors=BY_HAND))
        return story.feed(50).feed(panes, shift=1.5, states=MORE_NEW_YORK)

    def test_the_other_keeps_the_episode_open_and_this_one_leaves_with_who_accepted_it(self):
        story = self.both_drift()
        (before,) = story.open
        assert {s.key for s in before.streams if s.drifts} == {X, STATE}
        accepted = story.accepted(X, since=53)
        story.restart(accepted).feed(8, shift=1.5, states=MORE_NEW_YORK)
        assert story.hash == accepted.hash
        (now,) = story.open
        assert (now.id, now.started_seconds) == (before.id, before.started_seconds)
        streams = {s.key: s for s in now.streams}
        assert streams[X].recovered_because == "accepted as normal by ada"
        assert streams[STATE].drifts
        assert story.told[-1].phase is Phase.ONGOING
        story.feed(40, shift=1.5)
        assert story.open == ()
        assert story.told[-1].ended_because == "recovered"
        assert story.starts() == 1

    def test_the_other_goes_on_as_if_nothing_had_been_accepted(self):
        one, other = self.both_drift(), self.both_drift()
        one.restart(one.accepted(X, since=53))
        other.restart(GIVEN)
        for story in (one, other):
            story.feed(10, shift=1.5, states=MORE_NEW_YORK).feed(20, shift=1.5)
        assert one.hash != other.hash
        for key in (STATE, STATE_QUALITY, PREDICTION, ROWS):
            assert_same(known_of(one, key), known_of(other, key), str(key))

    def test_what_was_accepted_starts_afresh_and_is_judged_by_the_new_normal(self):
        story = self.both_drift()
        alarms = int(story.of(X, story.comparison.detection.shapes.alarms))
        assert alarms >= 1
        story.restart(story.accepted(X, since=53)).feed(8, shift=1.5)
        detection = story.comparison.detection
        assert not story.of(X, detection.dispersions.estimated)
        assert story.of(X, detection.shapes.alarms) == alarms, "a counter never goes back"
        place = story.comparison.plan.streams.index(X)
        window = story.comparison.windows[1].total
        assert 0 < window.moments.n[place] <= 8 * ROWS_A_PANE < window.rows
        assert window.moments.mean[place] == pytest.approx(1.5, abs=0.2)
        story.feed(60, shift=1.5).feed(6)
        assert X in {s.key for s in story.open[0].streams}

    def test_an_episode_ends_with_the_acceptance_of_all_that_drifts(self):
        story = Story(GIVEN).feed(50).feed(30, shift=1.5)
        story.restart(story.accepted(X, since=53)).feed(40, shift=1.5)
        assert story.open == ()
        assert story.told[-1].ended_because == "accepted as normal by ada"
        assert story.starts() == 1


class TestExchange:
    """Another file is there after a restart."""

    def drifting(self):
        return Story(GIVEN, watch(detectors=BY_HAND)).feed(50).feed(10, shift=1.5)

    def test_a_file_that_differs_in_another_stream_ends_nothing(self):
        file = with_streams_of(GIVEN, OTHER_FILE, STATE)
        one, other = self.drifting().restart(file), self.drifting().restart(GIVEN)
        for story in (one, other):
            story.feed(15, shift=1.5)
        assert (one.hash, other.hash) == (file.hash, GIVEN.hash)
        for key in (X, X_QUALITY, LATENCY, ROWS):
            assert_same(known_of(one, key), known_of(other, key), str(key))
        assert [(e.id, e.phase) for e in one.told] == [(e.id, e.phase) for e in other.told]
        assert not one.of(STATE, one.comparison.detection.dispersions.estimated)

    def test_a_stream_that_the_file_says_something_else_of_leaves_its_episode(self):
        story = self.drifting().restart(with_streams_of(GIVEN, OTHER_FILE, X)).feed(8, shift=1.5)
        ended = [e.ended_because for e in story.told if e.phase is Phase.RECOVERED]
        assert ended == ["compared with another reference"]

    def test_a_stream_that_the_file_says_nothing_of_leaves_its_episode_too(self):
        story = Story(GIVEN).feed(50).feed(10, shift=1.5, states=MORE_NEW_YORK)
        (before,) = story.open
        nothing = reference(inputs={"x": [1.0]})
        story.restart(with_streams_of(GIVEN, nothing, STATE))
        story.feed(8, shift=1.5, states=MORE_NEW_YORK)
        (now,) = story.open
        assert now.id == before.id
        told = {s.key: s.recovered_because for s in now.streams}
        assert told == {X: "", STATE: "no longer watched"}
        assert STATE not in story.comparison.streams

    def test_outputs_that_were_learned_are_not_learned_anew(self):
        watched = watch(detectors=BY_HAND)
        story = Story(WITHOUT_OUTPUTS, watched).feed(50)
        learned = {s.key: s for s in story.comparison.reference.streams}
        story.feed(10, latency_ms=25.0)
        (before,) = story.open
        file = with_streams_of(WITHOUT_OUTPUTS, OTHER_FILE, X)
        story.restart(file).feed(12, latency_ms=25.0)
        now = {s.key: s for s in story.comparison.reference.streams}
        assert now[X].counts.tolist() == file.streams[0].counts.tolist()
        assert now[LATENCY].counts.tolist() == learned[LATENCY].counts.tolist()
        assert [episode.id for episode in story.open] == [before.id]
        assert story.restart(file).world.judge.schedule(MODEL).settled

    def test_what_is_the_same_is_told_with_its_quality_and_the_volume(self):
        assert unchanged(GIVEN, OTHER_FILE) == {ROWS, PREDICTION, LATENCY}
        assert unchanged(GIVEN, GIVEN) >= {X, STATE, X_QUALITY, STATE_QUALITY, ROWS}


def test_the_window_of_a_policy_goes_on_too():
    month = PolicyLimits("psi", 10, WindowLength("30d", 30 * 86_400.0), 0.10, 0.25)
    story = Story(GIVEN, watch(detectors=BY_HAND, policy=month)).feed(50)
    story.restart(with_streams_of(GIVEN, OTHER_FILE, STATE)).feed(10)
    layout, total = story.comparison.layout, story.comparison.policy.window.total
    rows = np.add.reduceat(total, layout.offsets[:-1])
    assert story.of(X, [*rows, *[0] * 3]) == 58 * ROWS_A_PANE
    assert 0 < story.of(STATE, [*rows, *[0] * 3]) < 10 * ROWS_A_PANE


def test_a_drift_that_is_carried_keeps_when_it_began():
    story = Story(GIVEN).feed(50).feed(10, shift=1.5)
    since = story.of(X, story.comparison.drift.since_seconds)
    assert T0 + 50 * PANE <= since < T0 + 55 * PANE
    story.restart(with_streams_of(GIVEN, OTHER_FILE, STATE)).feed(10, shift=1.5)
    assert story.of(X, story.comparison.drift.since_seconds) == since
    assert math.isnan(story.of(STATE, story.comparison.drift.since_seconds))
