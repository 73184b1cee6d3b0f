"""What is kept of the last hours, and the streams of a reference that are made of it."""

import numpy as np
import pytest
from msgspec.structs import replace

from service.errors import ConfigurationError
from service.monitor.counting.shard import Shard
from service.monitor.judging.judge import newest_by_model
from service.monitor.references.acceptance import Decision, accept, named_streams, with_derived
from service.monitor.references.file import read, write
from service.monitor.references.kept import kept_of, model_versions
from service.monitor.references.reference import with_order_of_time
from service.values.references import Dependence, InTime, Season
from service.values.streams import JOINT, PREDICTION, Kind, StreamKey, above_cutoff
from service.values.watches import WindowLength
from tests.unit.monitor.events import (
    MODEL,
    P0,
    P1,
    PANE,
    STATE,
    T0,
    Event,
    World,
    X,
    reference,
    stream_of,
    watch,
)

ROWS = 20
CUTOFF = above_cutoff(0.5)
WINDOWS = (WindowLength("5m", 300.0), WindowLength("1h", 3600.0), WindowLength("24h", 86_400.0))
DECISION = Decision("1", "ada", "new market", T0 + 1.0)
GIVEN = reference()


def tree_of(world):
    shards = [shard.state() for shard in world.shards.values()]
    return {"judge": world.judge.state(), "shards": shards}


def kept_after(panes, events=None, given=GIVEN, windows=WINDOWS, partitions=(P0,)):
    """x is the pane's number."""
    world = World(given, watch(windows=windows, learn=False), partitions=partitions)
    for pane in range(panes):
        world.now = T0 + pane * PANE
        for partition in partitions:
            if events is not None:
                world.send(partition, events(pane))
            else:
                rows = (pane * PANE + i for i in range(ROWS))
                world.send(partition, [Event(at, float(pane)) for at in rows])
        world.advance()
    return kept_of(tree_of(world), MODEL, PANE)


def seen_since(kept, pane):
    """First pane, rows, and the smallest and largest x."""
    seen = kept.since(T0 + pane * PANE)
    moments = seen.summary.moments
    first = (seen.from_seconds - T0) / PANE
    return first, seen.summary.rows, float(moments.minimum[0]), float(moments.maximum[0])


class TestKept:
    def test_rows_are_counted_once_and_none_is_from_before(self):
        kept = kept_after(200)
        for pane in (0, 3, 59, 60, 119, 120, 121, 140, 141, 150, 194, 195, 196, 199):
            first, rows, smallest, largest = seen_since(kept, pane)
            assert rows == (200 - first) * ROWS, pane
            assert (smallest, largest) == (first, 199.0), pane
            assert first >= pane

    def test_the_last_minutes_are_kept_in_panes_and_an_hour_in_steps_of_five(self):
        kept = kept_after(200)
        assert seen_since(kept, 197)[0] == 197
        assert seen_since(kept, 161)[0] == 165
        assert seen_since(kept, 61)[0] == 120

    def test_panes_that_are_still_open_are_part_of_it_over_all_partitions(self):
        kept = kept_after(10, partitions=(P0, P1))
        assert len(kept.open_panes) == 2
        assert seen_since(kept, 9) == (9.0, 2 * ROWS, 9.0, 9.0)

    def test_steps_that_do_not_fit_into_each_other_lose_rows_but_never_double_them(self):
        windows = (WindowLength("a", 24 * 2 * PANE), WindowLength("b", 12 * 7 * PANE))
        kept = kept_after(100, windows=windows)
        for pane in range(20, 100):
            first, rows, smallest, largest = seen_since(kept, pane)
            assert first >= pane
            assert smallest >= pane
            assert largest == 99.0
            assert (100 - first) * ROWS >= rows >= (100 - first - 7) * ROWS

    def test_what_lies_before_is_told(self):
        kept = kept_after(30)
        assert kept.from_seconds == T0
        assert kept.until_seconds == T0 + 30 * PANE

    def test_nothing_is_kept_of_a_model_that_is_being_learned(self):
        world = World(None)
        world.send(P0, stream_of(0, 5, 10))
        world.advance()
        assert model_versions(tree_of(world)) == [MODEL]
        assert kept_of(tree_of(world), MODEL, PANE) is None


def accepted(kept, *keys, base=None, since=0, categories_max=100):
    seen = kept.since(T0 + since * PANE)
    made = accept(
        base or kept.reference,
        kept,
        seen,
        keys,
        DECISION,
        rows_min=10,
        categories_max=categories_max,
    )
    assert read(write(made.reference), "it").hash == made.reference.hash
    return {stream.key: stream for stream in made.reference.streams}


def categories(names):
    """Events of a pane, one a name."""
    return lambda pane: [
        Event(pane * PANE + i * PANE / len(names), state=name) for i, name in enumerate(names)
    ]


class TestStreams:
    def test_numbers_come_with_cells_of_their_own_and_exact_counts(self):
        def events(pane):
            return stream_of(pane * PANE, 1, 200, shift=50.0, seed=pane)

        stream = accepted(kept_after(20, events), X)[X]
        drawn = np.concatenate([[e.x for e in events(pane)] for pane in range(20)])
        assert stream.counts.tolist() == [
            int(n)
            for n in np.bincount(
                np.searchsorted(stream.edges, drawn, side="right"), minlength=len(stream.counts)
            )
        ]
        assert stream.fenced
        assert stream.counts[1:-1].min() >= 5
        assert len(stream.edges) >= 12
        assert (stream.minimum, stream.maximum) == (drawn.min(), drawn.max())
        assert stream.mean == pytest.approx(drawn.mean())
        assert stream.sd == pytest.approx(drawn.std(ddof=1))
        assert stream.quantiles[0.5] == pytest.approx(np.median(drawn), rel=0.01)
        assert stream.distinct == pytest.approx(4000, rel=0.2)

    def test_categories_that_are_new_get_cells(self):
        kept = kept_after(10, categories(["MA"] * 5 + ["TX"] * 14 + [None]))
        stream = accepted(kept, STATE)[STATE]
        assert dict(zip(stream.categories, stream.counts.tolist(), strict=False)) == {
            "TX": 140,
            "MA": 50,
        }
        assert (stream.missing, stream.open_ended, stream.distinct) == (10, False, 2)

    def test_too_many_new_ones_to_be_counted_exactly_are_rare_ones(self):
        names = [f"new {i}" for i in range(40)]
        kept = kept_after(10, categories(["MA"] * 60 + names))
        stream = accepted(kept, STATE)[STATE]
        assert stream.categories == ("MA",)
        assert stream.counts.tolist() == [600, 400]
        assert stream.open_ended
        assert stream.distinct == pytest.approx(41, abs=6)

    def test_a_stream_without_a_value_is_accepted_as_that(self):
        kept = kept_after(10, lambda pane: [Event(pane * PANE + i, None, None) for i in range(20)])
        streams = accepted(kept, X, STATE)
        assert [streams[key].missing for key in (X, STATE)] == [200, 200]
        assert [streams[key].valid for key in (X, STATE)] == [0, 0]

    def test_booleans_stay_booleans(self):
        flag = StreamKey(Kind.INPUT, "flag")
        given = reference(inputs={"flag": [True, False] * 500})
        kept = kept_after(
            10,
            lambda pane: [
                Event(pane * PANE + i, more={"flag": i % 4 == 0 or "yes"}) for i in range(20)
            ],
            given=given,
        )
        stream = accepted(kept, flag)[flag]
        assert (stream.counts.tolist(), stream.invalid) == ([0, 50, 0], 150)

    def test_all_others_are_those_of_the_base(self):
        kept = kept_after(10)
        base = reference(seed=7)
        streams = accepted(kept, X, base=base)
        for stream in base.streams:
            if stream.key != X:
                assert streams[stream.key] is stream

    def test_too_few_rows_are_refused_with_both_numbers(self):
        kept = kept_after(10)
        with pytest.raises(ConfigurationError, match=r"40 rows of m version 1 .* 50 are needed"):
            accept(
                kept.reference,
                kept,
                kept.since(T0 + 8 * PANE),
                (X,),
                DECISION,
                rows_min=50,
                categories_max=100,
            )

    def test_too_few_rows_of_a_stream_that_was_learned_lately_are_refused_by_its_name(self):
        kept = kept_of(tree_of(_with_derived_streams()), MODEL, PANE)
        seen = kept.since(kept.from_seconds)
        rows = seen.summary.rows
        made = accept(kept.reference, kept, seen, (X,), DECISION, rows_min=rows, categories_max=10)
        assert [change.after.key for change in made.changes] == [X]
        with pytest.raises(ConfigurationError, match="rows of reconstruction error of m version 1"):
            accept(
                kept.reference, kept, seen, (X, JOINT), DECISION, rows_min=rows, categories_max=10
            )


class TestNames:
    def test_a_name_is_first_that_of_a_feature(self):
        known = reference(inputs={"prediction": [1.0, 2.0] * 50, "x": [1.0] * 100})
        assert named_streams(known, ["prediction"]) == (StreamKey(Kind.INPUT, "prediction"),)
        assert named_streams(GIVEN, ["prediction", "x", "x"]) == (X, PREDICTION)

    def test_an_unknown_one_is_told_with_the_nearest(self):
        with pytest.raises(ConfigurationError, match="no feature 'sate'; did you mean 'state'"):
            named_streams(GIVEN, ["sate"])

    def test_what_is_derived_of_a_stream_goes_with_it(self):
        kept = kept_of(tree_of(_with_derived_streams()), MODEL, PANE)
        known = kept.reference
        assert with_derived(known, [X]) == tuple(
            stream.key for stream in known.streams if stream.key in {X, JOINT}
        )
        assert set(with_derived(known, [PREDICTION])) == {PREDICTION, CUTOFF}
        assert with_derived(known, [STATE]) == (STATE,)
        rows = kept.since(kept.from_seconds).summary.rows
        streams = accepted(kept, X, JOINT, CUTOFF)
        assert streams[CUTOFF].valid == rows
        assert 1000 <= streams[JOINT].valid < rows, "it was learned later, and counted since then"
        assert streams[JOINT].mean == pytest.approx(1.0, abs=0.2)


STEADY = Dependence(3.0, 9_000.0, 5_000, 20.0)
BY_HOUR = Season("UTC", "day", 5, (3,), np.array([[0] * (len(GIVEN.streams[0].counts) + 2)]))


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        (InTime(60.0, STEADY, STEADY), InTime(60.0, STEADY, STEADY)),
        (InTime(60.0, replace(STEADY, seasonal=True), STEADY, BY_HOUR), None),
        (InTime(60.0, STEADY, replace(STEADY, seasonal=True), BY_HOUR), InTime(60.0, STEADY)),
    ],
)
def test_dependence_stays_what_it_was_and_a_season_is_learned_anew(known, kept):
    given = with_order_of_time(GIVEN, {X: known, STATE: InTime(60.0, STEADY)})
    made = accepted(kept_after(60, given=given), X, base=given)
    assert made[X].in_time == kept
    assert made[STATE].in_time == InTime(60.0, STEADY)


def _with_derived_streams():
    """A world that has learned how x and y go together, and a cut-off of the prediction."""
    world = World(None, watch(cutoffs=(0.5,)))
    world.now = T0 + 100_000.0
    rng = np.random.default_rng(4)
    for pane in range(90):
        x, own, score, z = rng.normal(size=(4, 100)).tolist()
        more = [{"y": 0.8 * a + 0.6 * b, "z": c} for a, b, c in zip(x, own, z, strict=True)]
        at = [pane * PANE + i * PANE / 100 for i in range(100)]
        drawn = zip(at, x, more, score, strict=True)
        world.send(P0, [Event(t, a, more=m, prediction=p) for t, a, m, p in drawn])
        world.advance()
    return world


def test_a_snapshot_taken_just_before_another_reference_holds_can_be_gone_on_with():
    world, other = World(GIVEN), reference(seed=5)
    world.send(P0, stream_of(0, 5, 10))
    world.advance()
    for pane in range(5, 20):
        world = _restarted(world, other)
        world.now = T0 + pane * PANE
        world.send(P0, stream_of(pane * PANE, 1, 10, seed=pane))
        world.advance()
    assert world.judge.models[MODEL].comparison.reference.hash == other.hash
    assert world.judge.models[MODEL].panes_judged == 18


def _restarted(world, given):
    tree = tree_of(world)
    after = World(given)
    after.judge.restore(tree["judge"], newest_by_model(tree["shards"]))
    for state in tree["shards"]:
        shard = Shard.from_state(state, after.judge.plan, world.now)
        after.shards[shard.partition] = shard
    return after
