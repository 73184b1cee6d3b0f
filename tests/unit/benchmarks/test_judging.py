"""What the benchmark of judgement is fed, keeps and says."""

from argparse import Namespace

import numpy as np
import pytest
from msgspec.structs import replace

from service.values.references import StreamReference
from service.values.streams import Kind, StreamKey, ValueType
from tests.benchmarks.detection import month_runs
from tests.benchmarks.judging.autocorrelation import STEP, Exact, Stretches, cells_of
from tests.benchmarks.judging.changes import changes
from tests.benchmarks.judging.delays import delay_runs
from tests.benchmarks.judging.false_episodes import features_of, group_months
from tests.benchmarks.judging.laws import (
    Categories,
    Constant,
    Counts,
    Empirical,
    Lognormal,
    Mixture,
    ZeroInflated,
    cell_shares,
)
from tests.benchmarks.judging.rivals import RIVERS, false_episodes, periodic
from tests.benchmarks.judging.runs import Results, Run, run_all
from tests.benchmarks.judging.segments import segment_runs
from tests.benchmarks.judging.streams import SEASONAL, STATIONARY, Feature, Streams
from tests.benchmarks.judging.tables import (
    LEARNED,
    delay_lines,
    false_episode_lines,
    segment_lines,
)
from tests.benchmarks.judging.watching import Watched

EDGES = np.array([-1.0, 0.0, 0.5, 2.0, 7.0])
SAMPLE = 200_000
NUMERIC = (
    Mixture((0.95, 0.05), (0.0, 4.0), (1.0, 0.01)),
    Lognormal(1.5),
    ZeroInflated(0.6),
    Counts(5.0),
    Constant(7.0),
    Empirical(np.array([-2.0, 0.0, 0.0, 1.0]), np.zeros(0)),
)


def stream(type_, edges=(), categories=(), rare=()):
    key = StreamKey(Kind.INPUT, "x")
    none = np.zeros(0, dtype=np.int64)
    return StreamReference(
        key, type_, none, 0, 0, np.array(edges), categories=categories, rare=rare
    )


@pytest.mark.parametrize("law", NUMERIC, ids=lambda law: type(law).__name__)
def test_shares_of_cells_are_those_of_drawn_values(law):
    values = law.draw(np.random.default_rng(1), SAMPLE)
    found = np.bincount(np.searchsorted(EDGES, values, side="right"), minlength=6) / SAMPLE
    told = cell_shares(law, stream(ValueType.NUMERIC, EDGES))
    assert told == pytest.approx([*found, 0, 0], abs=0.005)


def test_categories_that_the_reference_lacks_are_unseen_and_its_rare_ones_other():
    law = Categories((0.4, 0.3, 0.2, 0.1))
    known = stream(ValueType.CATEGORICAL, categories=("c01", "c00"), rare=("c03",))
    assert cell_shares(law, known) == pytest.approx([0.3, 0.4, 0.1, 0.2, 0, 0])


@pytest.mark.parametrize("kind", [Exact, Stretches])
def test_counts_of_a_dependent_stream_vary_as_much_as_its_sums_do(kind):
    panes, events, rho = 2_000, 3_000, 0.9
    counts = kind(np.random.default_rng(2), rho, np.zeros(1)).counts(np.full(panes, events))
    assert abs(counts.sum(axis=1) - events).max() <= STEP
    # Of signs of an AR(1): 1 + 2 sum of (2 / pi) arcsin(rho^k), over those of independent ones.
    expected = 1 + 2 * (2 / np.pi) * np.arcsin(rho ** np.arange(1, 500)).sum()
    assert counts[:, 1].var() / (events / 4) == pytest.approx(expected, rel=0.12)


def test_cells_are_those_of_a_search_at_the_edges_and_beyond_them_too():
    values = np.array([*EDGES, -3.0, 9.0, *np.random.default_rng(3).normal(size=20_000)])
    assert (cells_of(EDGES, values) == np.searchsorted(EDGES, values, side="right")).all()
    assert (cells_of(np.zeros(0), values) == 0).all()


def test_every_feature_of_a_model_has_a_count_for_every_row():
    streams = Streams(STATIONARY, 10, 2_000, np.random.default_rng(3), varies=True)
    rows, counts = streams.panes(0, 1_440)
    totals = np.add.reduceat(counts, streams.layout.offsets[:-1], axis=1)
    assert (totals == rows[:, None]).all()
    assert rows[:720].sum() > 2 * rows[720:].sum()


def test_the_seasonal_feature_moves_over_the_day_and_the_others_do_not():
    streams = Streams(STATIONARY, 100, 10_000, np.random.default_rng(4))
    _, counts = streams.panes(0, 1_440)
    moved = {}
    for i, one in enumerate(streams.reference.streams):
        cells = counts[:, slice(*streams.layout.offsets[i : i + 2])].reshape(24, 60, -1).sum(axis=1)
        shares = cells / cells.sum(axis=1, keepdims=True)
        moved[one.key.name] = np.abs(shares - shares.mean(axis=0)).sum(axis=1).max()
    assert moved.pop(SEASONAL) > 0.5
    assert max(moved.values()) < 0.15


def test_a_wandering_mean_keeps_its_spread_and_forgets_itself_in_six_hours():
    wandering = Feature("wander", Mixture(), wander_sd=0.05)
    streams = Streams([wandering], 1, 1_000, np.random.default_rng(5))
    means = streams._wandered(wandering, 400_000)
    assert means.std() == pytest.approx(0.05, rel=0.1)
    later = np.corrcoef(means[:-360], means[360:])[0, 1]
    assert later == pytest.approx(np.exp(-1), abs=0.07)


def test_a_change_is_noticed_with_its_onset_and_is_over_after_it_and_no_change_is_none(monkeypatch):
    monkeypatch.setattr("tests.benchmarks.judging.delays.CHANGED_PANES", 10)
    monkeypatch.setattr("tests.benchmarks.judging.delays.AFTER_PANES", 20)
    runs = delay_runs("mean +1 sd", 40, 0)
    assert len(runs) == 20
    assert {run["delay"] for run in runs} == {1}
    assert {run["onset"] for run in runs} == {0}
    assert {(run["episodes"], run["early"]) for run in runs} == {(1, 0)}
    assert all(0 < run["recovery"] < 15 for run in runs)


def test_runs_that_are_in_the_file_are_known_and_a_line_cut_short_is_not(tmp_path):
    file = tmp_path / "results.jsonl"
    runs = [Run("month", None, {"rate": rate}) for rate in (1, 10)]
    first = Results(file)
    for run in runs:
        first.add(run, {"episodes": []})
    text = file.read_text("utf-8")
    file.write_text(text[:-20], "utf-8")
    again = Results(file)
    assert [again.has(run) for run in runs] == [True, False]
    assert [arguments for arguments, _ in again.of("month")] == [{"rate": 1}]
    again.add(runs[1], {"episodes": []})
    assert Results(file).has(runs[1])
    assert again.of_other_code == 0


def test_models_are_asked_for_in_whole_groups_and_one_of_every_kind_comes_first():
    asked = Namespace(models=11, group=10, days=30, rates=(1, 10), references=(1_000,))
    runs = [run.arguments for run in month_runs(asked)]
    assert [(run["group"], run["rate"]) for run in runs] == [(0, 1), (0, 10), (1, 1), (1, 10)]
    assert {run["models"] for run in runs} == {10}


def test_models_with_more_episodes_than_the_budget_are_said_not_to_meet_it():
    assert "NOT MET" not in " ".join(false_episode_lines(months(20, episodes=1)))
    assert "NOT MET" in " ".join(false_episode_lines(months(20, episodes=2)))


def test_fewer_models_than_asked_or_shorter_ones_are_no_verdict():
    for results in (months(19, episodes=0), months(20, episodes=0, days=29)):
        assert "too few to tell" in " ".join(false_episode_lines(results))


def months(models, episodes, days=30):
    results = Results()
    result = {
        "episodes": [{"day": 1.0}] * episodes,
        "alarms": [],
        "panes_within": 0,
        "near": {},
        "season_day": 2.0,
        "status": {"ready": 41},
        "varies": False,
        "streams": 41,
        "days": days,
        "cpu_seconds": 1.0,
        "judging_seconds": 1.0,
    }
    for group, size in enumerate((10, models - 10)):
        arguments = {"rate": 1, "rows": 1_000, "group": group, "models": size, "days": days}
        results.add(Run("months", None, arguments), [result] * size)
    return results


@pytest.mark.parametrize(
    ("delay", "early", "told"),
    [(1, 0, " met"), (2, 0, "NOT MET"), (1, 1, "NOT MET"), (None, 0, "NOT MET")],
)
def test_a_change_that_is_noticed_late_by_chance_or_never_is_said_not_to_be(delay, early, told):
    results, name = Results(), next(iter(changes()))
    run = {"delay": delay, "onset": 0, "recovery": 3, "episodes": 1, "early": early}
    run = run if delay else dict.fromkeys(run) | {"episodes": 0, "early": early}
    arguments = {"change": name, "history": LEARNED, "batch": 0}
    results.add(Run("delay", None, arguments), [run])
    line = next(line for line in delay_lines(results) if name in line)
    assert told in line


def test_what_fires_once_a_month_notices_hardly_any_change_within_eight_hours():
    delays = periodic()
    assert sum(delay is not None for delay in delays) < 0.03 * len(delays)


def test_a_run_that_fails_is_told_and_holds_up_no_other(capsys):
    runs = [Run("round", round, {"number": value}) for value in ("a", 1.4)]
    results = Results()
    assert run_all(runs, results, jobs=1) == 1
    assert [results.has(run) for run in runs] == [False, True]
    assert "TypeError" in capsys.readouterr().err


def test_an_episode_that_never_ends_is_seen_by_the_time_within_it(monkeypatch):
    monkeypatch.setitem(RIVERS, "river.PageHinkley", 1_200 * 60)
    found = false_episodes("river.PageHinkley", 1)
    assert found["panes"] == 60
    assert found["alarms"] > 100 * found["episodes"] > 0
    assert 0.5 < found["within"] <= 1


def test_a_model_of_a_group_is_judged_at_the_level_of_one_alone():
    levels = {}
    for models in (1, 10):
        streams = Streams(features_of(models), 10, 1_000, np.random.default_rng(6))
        shapes = Watched(streams.reference, models=models).detection.shapes
        assert len(shapes.level) == 40 * models + 1
        levels[models] = shapes.level[0], shapes.level[-1]
    assert levels[10] == pytest.approx(levels[1], abs=0.03)
    assert max(levels[10]) <= max(levels[1])


def test_streams_of_a_group_have_the_evidence_that_they_would_have_alone():
    streams = Streams(features_of(2), 10, 1_000, np.random.default_rng(8))
    reference, offsets = streams.reference, streams.layout.offsets
    mine = [i for i, s in enumerate(reference.streams) if s.key.name.startswith("m01 ")]
    cells = np.concatenate([np.arange(*offsets[i : i + 2]) for i in mine])
    own = replace(reference, streams=tuple(reference.streams[i] for i in mine))
    together = Watched(reference, models=2)
    alone = Watched(own, models=round(2 * 41 / 81, 5))  # so that the level is that of the group
    places = [together.detection.streams.index(key) for key in alone.detection.streams]
    for pane, (rows, counts) in enumerate(zip(*streams.panes(360, 120), strict=True)):
        started, recovered, _ = together.judge(pane, rows, counts)
        told = alone.judge(pane, rows, counts[cells])
        assert (started[places] == told[0]).all()
        assert (recovered[places] == told[1]).all()
        for bank, one in zip(together.detection.banks, alone.detection.banks, strict=True):
            assert bank.evidence[places] == pytest.approx(one.evidence, abs=0.001)
    assert alone.detection.drift.drifted.any()


def test_models_of_a_group_have_references_of_their_own():
    streams = Streams(features_of(2), 10, 1_000, np.random.default_rng(7)).reference.streams
    means = {stream.key.name: stream.mean for stream in streams}
    for name in ("normal 0", "AR 0.9 1", SEASONAL):
        assert means[f"m00 {name}"] != means[f"m01 {name}"]


def test_stationary_models_are_watched_and_what_comes_of_each_is_counted(monkeypatch):
    monkeypatch.setattr("tests.benchmarks.judging.false_episodes.DAY_PANES", 180)
    group = group_months(rate=10, rows=1_000, group=1, models=2, days=1)
    assert len(group) == 2
    for found in group:
        assert (found["days"], found["streams"], found["varies"]) == (1, 41, True)
        assert len(found["episodes"]) <= len(found["alarms"])
        assert (found["panes_within"] > 0) == (len(found["episodes"]) > 0)
        assert all("season" not in alarm["stream"] for alarm in found["alarms"])
        assert sum(found["status"].values()) == 41


def test_what_drifts_in_one_model_of_a_group_is_an_episode_of_that_model_alone(monkeypatch):
    shifted = Feature("m01 normal 0", Mixture(means=(3.0,)))

    class Shifted(Streams):
        def become(self, features):
            super().become([*features, shifted])

    monkeypatch.setattr("tests.benchmarks.judging.false_episodes.DAY_PANES", 10)
    monkeypatch.setattr("tests.benchmarks.judging.false_episodes.Streams", Shifted)
    well, drifted = group_months(rate=10, rows=1_000, group=0, models=2, days=1)
    assert not well["episodes"]
    assert not well["panes_within"]
    assert [episode["streams"] for episode in drifted["episodes"]] == [["input normal 0"]]
    assert {alarm["stream"] for alarm in drifted["alarms"]} == {"input normal 0"}
    assert drifted["panes_within"] > 5


def test_a_segment_that_changes_alone_is_noticed_there():
    runs = segment_runs(0.2, 1.0, 60, 0)
    assert len(runs) == 20
    assert all(run["segment"] is not None and run["segment"] <= 10 for run in runs)
    results = Results()
    asked = {"share": 0.2, "shift": 1.0, "history": 60, "batch": 0}
    results.add(Run("segment", segment_runs, asked), runs)
    told = " ".join(segment_lines(results))
    assert "20%" in told
    assert "(0/20)" in told
