"""From real panes to what an episode says: cells by name, counts, distances, offsets."""

from math import nextafter

import pytest

from detectors.summary.layout import Layout
from service.monitor.judging.cell_names import cell_names, intervals
from service.values.episodes import Category, Phase
from service.values.watches import FeatureWatch, Mute
from tests.unit.monitor.events import (
    MODEL,
    OTHER,
    P0,
    P1,
    T0,
    World,
    reference,
    stream_of,
    watch,
)

NORMAL = reference()


def drifted(**changes):
    """A world in which x of MODEL moves after ten minutes."""
    world = World(NORMAL, watch(**changes), partitions=(P0, P1))
    world.now = T0 + 1200.0
    for partition, seed in ((P0, 1), (P1, 2)):
        steady = stream_of(0.0, 10, 200, seed=seed)
        world.send(partition, steady + stream_of(600.0, 10, 200, shift=2.0, seed=seed + 10))
    world.advance(to_the_end=True)
    return world


def test_a_drift_of_real_panes_is_an_episode_with_all_that_it_rests_on():
    world = drifted()
    started = world.judge.episodes.outbox[0]
    assert (started.phase, started.category, started.kind) == (Phase.STARTED, "drift", "input")
    assert started.onset_seconds == started.started_seconds == T0 + 600.0
    assert started.words == "x up 1.97 sd, PSI 3.87; share of [2.25, 3.01) from 0.9 % to 29 %"
    (x,) = started.streams
    assert {seen.name for seen in x.detectors} <= {"adwin", "page_hinkley"}
    assert all(seen.evidence >= seen.level for seen in x.detectors)
    told = started.evidence
    assert told.reference_hash == NORMAL.hash
    assert (told.from_seconds, told.to_seconds, told.rows) == (T0 + 600.0, T0 + 660.0, 400)
    assert [(o.topic, o.partition, o.first, o.last) for o in told.offsets] == [
        ("events", 0, 2000, 2199),
        ("events", 1, 2000, 2199),
    ]
    assert [d.window for d in told.distances] == ["5m", "1h"]
    (counts,) = told.counts
    assert len(counts.before) == len(counts.after) == len(counts.edges) + 3
    assert sum(counts.before) == 5000
    assert sum(counts.after) == 400


def test_the_cells_that_changed_most_are_named_with_their_shares():
    (x,) = drifted().judge.episodes.outbox[0].streams
    assert len(x.cells) == 3
    moved = [abs(cell.after - cell.before) for cell in x.cells]
    assert moved == sorted(moved, reverse=True)
    assert all(cell.name.startswith(("[", "below ")) or "or more" in cell.name for cell in x.cells)


def test_an_episode_ends_and_the_next_one_has_another_name():
    world = World(NORMAL, partitions=(P0,))
    world.now = T0 + 3600.0
    events = []
    for begin, shift in ((0, 0.0), (600, 1.0), (1200, 0.0), (2400, 1.0)):
        events += stream_of(float(begin), 10 if begin < 1200 else 20, 200, shift=shift, seed=begin)
    world.send(P0, events)
    world.advance(to_the_end=True)
    told = [e for e in world.judge.episodes.outbox if e.category is Category.DRIFT]
    assert [e.phase for e in told if e.phase in {Phase.STARTED, Phase.RECOVERED}] == [
        Phase.STARTED, Phase.RECOVERED, Phase.STARTED,
    ]  # fmt: skip
    assert len({e.id for e in told}) == 2


def test_the_source_of_a_feature_and_a_mute_are_known():
    sourced = watch({"x": FeatureWatch(source="bureau")})
    world = World(NORMAL, sourced)
    world.send(P0, stream_of(0.0, 3, 200, shift=2.0))
    world.advance(to_the_end=True)
    assert world.judge.episodes.open[0].source == "bureau"
    muted = World(NORMAL, watch({"x": FeatureWatch(mute=Mute(T0 + 1e9, "ada", "new feed"))}))
    muted.send(P0, stream_of(0.0, 3, 200, shift=2.0))
    muted.advance(to_the_end=True)
    assert muted.judge.episodes.open == ()


def test_models_are_judged_in_order_of_time_so_that_a_shared_source_is_seen_in_a_backlog():
    """One model is well again long before the other, in one and the same advance."""
    both = {MODEL: NORMAL, OTHER: reference(model="other")}
    world = World(both, watch({"x": FeatureWatch(source="bureau")}))
    first = stream_of(0.0, 4, 200, shift=2.0) + stream_of(240.0, 30, 200, seed=3)
    second = stream_of(0.0, 30, 200, shift=2.0, seed=4, model=OTHER)
    world.now = T0 + 3600.0
    world.send(P0, sorted(first + second, key=lambda event: event.at))
    world.advance(to_the_end=True)
    assert Category.UPSTREAM in {e.category for e in world.judge.episodes.outbox}


def test_a_version_that_is_in_use_is_known_to_the_likely_cause():
    canary = MODEL._replace(version="2")
    world = World({MODEL: NORMAL, canary: reference(version="2")})
    steady, moved = stream_of(0.0, 5, 200), stream_of(0.0, 5, 200, shift=2.0, model=canary)
    world.send(P0, sorted(steady + moved, key=lambda event: event.at))
    world.advance(to_the_end=True)
    (episode,) = world.judge.episodes.open
    assert (episode.version, episode.cause) == ("2", "new_version")


def test_a_restart_in_the_middle_keeps_the_episode():
    world = drifted()
    state = world.judge.state()
    again = World(NORMAL)
    again.judge.restore(state, {})
    assert again.judge.episodes.open == world.judge.episodes.open != ()
    assert again.judge.episodes.outbox == world.judge.episodes.outbox


def test_a_snapshot_from_before_there_were_episodes_is_taken_up():
    state = drifted().judge.state()
    del state["episodes"]
    again = World(NORMAL)
    again.judge.restore(state, {})
    assert again.judge.episodes.open == ()


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([], ["any value"]),
        ([0.0], ["below 0", "0 or more"]),
        ([52_000.0, 61_000.0], ["below 52k", "[52k, 61k)", "61k or more"]),
        ([1.25, 1.3], ["below 1.25", "[1.25, 1.3)", "1.3 or more"]),
        ([1.0001, 1.0002], ["below 1.0001", "[1.0001, 1.0002)", "1.0002 or more"]),
        ([999.9, 9996.0], ["below 1000", "[1000, 10000)", "10000 or more"]),
        ([-2.5e6, 3.0e9], ["below -2.5M", "[-2.5M, 3G)", "3G or more"]),
        ([1e-7, 2e-7], ["below 1e-07", "[1e-07, 2e-07)", "2e-07 or more"]),
        ([0.25, nextafter(0.25, 1.0)], ["below 0.25", "0.25", "above 0.25"]),
        (
            [0.0, nextafter(0.0, 1.0), 7.0, 9.0],
            ["below 0", "0", "(0, 7)", "[7, 9)", "9 or more"],
        ),
    ],
)
def test_intervals_are_named_in_as_few_digits_as_tell_them_apart(edges, names):
    assert intervals(edges) == names


def test_every_cell_of_a_layout_has_a_name_of_its_own():
    layout = Layout((NORMAL.streams[0].edges,), (("CA", "missing"),))
    for stream in range(2):
        names = cell_names(layout, stream)
        assert len(names) == layout.value_cells[stream] + 2
    assert cell_names(layout, 1)[2:] == ("rare categories", "unseen categories", "missing",
                                         "invalid")  # fmt: skip
