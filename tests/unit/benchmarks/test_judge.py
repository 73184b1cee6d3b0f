"""The benchmark of judging a fleet judges what it says."""

import pytest

from tests.benchmarks import judge
from tests.benchmarks.judge import FEATURES, PARTITIONS, Fleet, World

WARM, ROWS = 42, 100


@pytest.fixture(scope="module")
def world():
    return World(ROWS, drawn=20_000)


@pytest.fixture
def fleet(world, monkeypatch):
    monkeypatch.setattr(judge, "WARM_MINUTES", WARM)
    return Fleet(world, models=3)


def go_on(fleet, minutes):
    for minute in range(WARM, WARM + minutes):
        for some in fleet.sent(minute):
            fleet.images.take(some, 0.0)
        fleet.advance(minute)


def test_every_model_is_judged_once_a_minute_on_the_rows_of_all_partitions(fleet):
    before = [model.rows_judged for model in fleet.judge.models.values()]
    go_on(fleet, 2)
    models = list(fleet.judge.models.values())
    assert [model.panes_judged for model in models] == [WARM + 2] * 3
    gained = [model.rows_judged - known for model, known in zip(models, before, strict=True)]
    assert gained == [2 * PARTITIONS * ROWS] * 3
    assert not fleet.images.refused()
    assert all(fleet.images.open_rows(key) == 0 for key in fleet.keys)


def test_models_begin_as_after_the_warm_up_with_all_of_their_features(fleet):
    for model in fleet.judge.models.values():
        assert len([key for key in model.comparison.streams if key.kind == "input"]) == FEATURES
        assert (model.comparison.detection.dispersions.live.panes == 30).all()
        assert model.comparison.windows[-1].total.rows == WARM * PARTITIONS * ROWS


def test_parts_are_told_of_which_the_whole_is_made(monkeypatch):
    monkeypatch.setattr(judge, "WARM_MINUTES", 3)
    monkeypatch.setattr(judge, "ROWS_DRAWN", 2_000)
    told = judge.measure(minutes=2, models=2, rows=20)
    whole, *parts = judge.figures(2, told, told)[:7]
    assert sum(part.value for part in parts) == pytest.approx(whole.value)
    assert all(part.value > 0 for part in parts)
    assert min(told["progress_seconds"], told["report_seconds"], told["idle_seconds"]) > 0


def test_what_is_drawn_is_as_the_reference_is(fleet):
    go_on(fleet, 20)
    assert not fleet.judge.episodes.open
