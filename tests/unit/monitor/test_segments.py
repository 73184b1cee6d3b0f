"""Which segments there are, how they are learned, and what is noticed in one alone."""

import math
from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from service.monitor.detecting.watched_cells import WatchedCells
from service.monitor.judging.reporting import model_reports
from service.monitor.references.acceptance import with_derived
from service.monitor.references.planning import lacks_derived, watched_part
from service.monitor.references.segments import segments_of
from service.monitor.references.unwatched import unwatched
from service.values.streams import (
    OTHER_SEGMENT,
    PREDICTION,
    ROWS,
    Segment,
    class_probability,
    in_segment,
    segment_of,
)
from service.values.watches import FeatureWatch, Segmentation, Sharing
from tests.unit.monitor.events import (
    LATENESS,
    MODEL,
    P0,
    P1,
    STATE,
    T0,
    Event,
    World,
    assert_same,
    reference,
    watch,
)
from tests.unit.monitor.stories import ALL

BY_STATE, BY_X = Segmentation("state"), Segmentation("x", (-1.0, 1.0))
SEGMENTED = watch(detectors=ALL, segmentations=(BY_STATE,))
MA, CA, NY = (in_segment(Segment("state", name)) for name in ("MA", "CA", "NY"))
PART = 100


def names_of(given, **changes):
    return [one.names for one in segments_of(given, watch(**changes))]


def by_counts(counts):
    column = [name for name, count in counts.items() for _ in range(count)]
    return reference(len(column), inputs={"region": column})


class TestWhich:
    def test_categories_by_their_size_and_ranges_between_cuts(self):
        found = names_of(reference(), segmentations=(BY_STATE, BY_X))
        assert found == [("CA", "MA", "NY"), ("<-1", "[-1, 1)", ">=1")]

    def test_a_numeric_feature_without_cuts_is_cut_into_quarters_of_its_reference(self):
        given = reference()
        (segments,) = segments_of(given, watch(segmentations=(Segmentation("x"),)))
        (x,) = [s for s in given.streams if s.key.name == "x"]
        assert segments.cuts == tuple(x.quantiles[q] for q in (0.25, 0.5, 0.75))

    def test_the_largest_have_one_each_and_the_rest_one_together(self):
        given = by_counts({"a": 500, "b": 300, "c": 150, "d": 46, "tiny": 4})
        of = {"segmentations": (Segmentation("region"),)}
        assert names_of(given, **of) == [("a", "b", "c", "d")]
        assert names_of(given, **of, segments_max=2) == [("a", "b", OTHER_SEGMENT)]

    @pytest.mark.parametrize(
        "feature", [FeatureWatch(hidden=True), FeatureWatch(ignore=True)], ids=["hidden", "ignored"]
    )
    def test_none_by_a_feature_that_is_withheld(self, feature):
        assert names_of(reference(), features={"state": feature}, segmentations=(BY_STATE,)) == []

    def test_none_where_all_values_are_hidden_or_the_feature_is_unknown_or_constant(self):
        assert names_of(reference(), hidden=True, segmentations=(BY_STATE,)) == []
        assert names_of(reference(), segmentations=(Segmentation("unknown"),)) == []
        assert names_of(None, segmentations=(BY_STATE,)) == []
        assert names_of(by_counts({"a": 900}), segmentations=(Segmentation("region"),)) == []

    def test_none_of_predictions_that_are_probabilities_of_classes(self):
        given = reference(outputs=False)
        assert names_of(given, segmentations=(BY_STATE,)) == [("CA", "MA", "NY")]
        (x,) = [stream for stream in given.streams if stream.key.name == "x"]
        likely = replace(x, key=class_probability("good"))
        with_classes = replace(given, streams=(likely, *given.streams))
        assert names_of(with_classes, segmentations=(BY_STATE,)) == []

    def test_a_name_that_no_file_could_hold_is_among_the_others(self):
        given = by_counts({"a": 500, "b" * 120: 400})
        assert names_of(given, segmentations=(Segmentation("region"),)) == [("a", OTHER_SEGMENT)]


def log(panes, *, seed=1, start=0, moved=(), at=10**9):
    """So many panes; from the pane `at` on the predictions of the states `moved` are 2 sd up."""
    rng = np.random.default_rng(seed)
    events = []
    for i in range(panes * PART):
        state = str(rng.choice(("CA", "MA", "NY"), p=(0.5, 0.3, 0.2)))
        score = float(rng.normal()) + 2.0 * (i >= at * PART and state in moved)
        events.append(
            Event((start + i / PART) * 60.0, float(rng.normal()), state, prediction=score)
        )
    return events


def run(world, events, partitions=(P0,)):
    for first in range(0, len(events), PART):
        part = events[first : first + PART]
        for i, partition in enumerate(partitions):
            world.send(partition, part[i :: len(partitions)])
        world.advance()
    return world


def fresh(watched=SEGMENTED, partitions=(P0,)):
    world = World(None, watched, partitions=partitions)
    world.now = T0 + 1e6
    return world


@cache
def learned():
    """A world that has just learned its segments; to be looked at only."""
    return run(fresh(), log(40))


def newest(world):
    return world.judge.models[MODEL].references.newest


def segments_known(world):
    keys = {stream.key for stream in newest(world).reference.streams}
    return {key for key in keys if segment_of(key) is not None}


class TestLearning:
    def test_they_are_learned_once_it_is_known_what_they_are(self):
        world = learned()
        assert segments_known(world) == {MA, CA, NY}
        assert not newest(world).plan.learns
        counted = {s.key: s.valid for s in newest(world).reference.streams}
        assert counted[CA] + counted[MA] + counted[NY] == pytest.approx(1000, abs=200)

    def test_a_segmentation_that_is_added_is_learned_after_a_restart_and_goes_when_taken_away(self):
        world = run(fresh(watch(detectors=ALL)), log(40))
        assert not segments_known(world)
        after = world.restarted(watched=SEGMENTED)
        assert set(newest(after).plan.derived) == {MA, CA, NY}
        run(after, log(40, seed=2, start=40))
        assert segments_known(after) == {MA, CA, NY}
        without = after.restarted(watched=watch(detectors=ALL))
        assert not segments_known(without)
        assert PREDICTION in {stream.key for stream in newest(without).reference.streams}

    def test_a_restart_changes_nothing(self):
        events = log(50)
        whole, broken = run(fresh(), events), run(fresh(), events[: 18 * PART])
        after = run(broken.restarted(watched=SEGMENTED), events[18 * PART :])
        assert newest(after).reference.hash == newest(whole).reference.hash
        assert_same(whole.judge.state(), after.judge.state())

    def test_partitions_add_up_to_the_same_segments(self):
        one = learned()
        two = run(fresh(partitions=(P0, P1)), log(40), (P0, P1))
        assert newest(one).reference.hash == newest(two).reference.hash


class TestPlanning:
    def test_they_go_with_the_prediction_when_it_is_accepted(self):
        known = newest(learned()).reference
        assert {MA, CA, NY} <= set(with_derived(known, [PREDICTION]))
        assert MA not in with_derived(known, [STATE])

    def test_a_reference_keeps_those_that_are_asked_for(self):
        known = newest(learned()).reference
        assert watched_part(known, SEGMENTED) is known
        assert not lacks_derived(known, SEGMENTED)
        fewer = watched_part(known, replace(SEGMENTED, segments_max=2))
        assert {s.key for s in fewer.streams} == {s.key for s in known.streams} - {NY}
        assert lacks_derived(fewer, replace(SEGMENTED, segments_max=2))  # NY is among the others

    def test_segments_that_nobody_asks_for_any_more_are_no_features_that_are_not_watched(self):
        known = newest(learned()).reference
        without = watched_part(known, watch(detectors=ALL))
        assert without.hash != known.hash
        assert unwatched(known, without) is None


class TestDrift:
    def test_what_changes_in_one_segment_alone_is_noticed_there(self):
        world = run(fresh(), log(130, moved=("NY",), at=100))
        drifted = {t.stream: t for t in world.transitions if t.drifted}
        assert NY in drifted
        assert CA not in drifted
        assert MA not in drifted
        assert 0 <= (drifted[NY].pane_start_seconds - T0) / 60 - 100 <= 4
        (episode,) = world.judge.episodes.open
        assert episode.words.startswith("prediction where state is NY up")

    def test_it_says_so_when_segments_alone_drift(self):
        watched = replace(SEGMENTED, tolerance_sd=0.6)
        world = run(fresh(watched), log(90, moved=("NY",), at=60))
        (episode,) = world.judge.episodes.open
        assert episode.cause == "segment"
        assert [stream.key for stream in episode.streams] == [NY]

    def test_a_change_of_the_mix_is_none_within_the_segments(self):
        events = log(60) + [
            replace(event, state="NY" if event.state == "CA" else event.state)
            for event in log(30, seed=5, start=60)
        ]
        drifted = {t.stream for t in run(fresh(), events).transitions if t.drifted}
        assert STATE in drifted
        assert not drifted & {MA, CA, NY}

    def test_a_report_tells_them_apart_from_the_streams_and_counts_their_predictions(self):
        world = run(fresh(), log(60))
        (report,) = model_reports(world.judge, world.shards.values(), LATENESS, world.now)
        assert {stream.key for stream in report.segments} == {MA, CA, NY}
        assert not {stream.key for stream in report.streams} & {MA, CA, NY}
        learned_from = 13  # panes: by then the reference is learned and in force
        told = sum(stream.predictions_total for stream in report.segments)
        assert (60 - learned_from - 2) * PART <= told <= (60 - learned_from + 2) * PART
        assert all(stream.missing_total == 0 for stream in report.segments)


class TestBudget:
    def levels(self, watched):
        world = learned() if watched is SEGMENTED else run(fresh(watched), log(40))
        comparison = world.judge.models[MODEL].comparison
        shapes = comparison.detection.shapes
        return dict(zip(comparison.streams, shapes.level.tolist(), strict=True))

    def test_half_of_it_is_for_segments_and_the_other_half_stays_as_it_is(self):
        alone = self.levels(watch(detectors=ALL))
        three = self.levels(SEGMENTED)
        six = self.levels(watch(detectors=ALL, segmentations=(BY_STATE, BY_X)))
        assert three[PREDICTION] == pytest.approx(alone[PREDICTION] + math.log(2))
        assert six[PREDICTION] == pytest.approx(three[PREDICTION])
        assert six[MA] == pytest.approx(three[MA] + math.log(2))

    def test_all_streams_together_keep_the_budget(self):
        levels = self.levels(SEGMENTED)
        del levels[ROWS]  # which is judged in longer steps
        panes = 30 * 86_400 / 60
        expected = {key: panes * math.exp(-level) for key, level in levels.items()}
        of_segments = [alarms for key, alarms in expected.items() if segment_of(key) is not None]
        # Of one alarm 0.8 are the e-detector's.
        assert sum(of_segments) == pytest.approx(0.4)
        whole = len(levels) - len(of_segments)
        assert sum(expected.values()) - 0.4 == pytest.approx(0.4 * whole / (whole + 1))

    def test_they_are_counted_apart(self):
        world = learned()
        model = world.judge.models[MODEL]
        whole = len(WatchedCells(model.comparison.plan).streams) - 3 + 1
        assert model.watched_streams == Sharing(whole, 3)
