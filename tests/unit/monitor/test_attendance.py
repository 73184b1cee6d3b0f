"""Who is silent although records are due: a producer, and not the one who watches."""

import math

import pytest

from service.monitor.counting.reading_through import read_through_seconds
from service.monitor.judging.attendance import Attendance
from service.monitor.judging.reporting import model_reports
from service.values.streams import ModelKey
from service.values.watches import DetectorChoice
from tests.unit.monitor.events import LATENESS, MODEL, P0, P1, T0, Event, World, reference, watch

DAY, STEP = 86_400.0, 300.0
NEXT = ModelKey("m", "2")
GIVEN = {MODEL: reference(500), NEXT: reference(500, version="2")}


class Watched:
    """A world with a model that has two events every five minutes, day and night."""

    def __init__(self):
        self.world = World(
            GIVEN, watch(detectors=(DetectorChoice("e_detector"),)), partitions=(P0, P1)
        )
        self.attendance = Attendance()

    def events(self, first_hours, hours, model=MODEL):
        start, steps = first_hours * 3600, round(hours * 3600 / STEP)
        times = [start + i * STEP + off for i in range(steps) for off in (10.0, 160.0)]
        self.now(start + hours * 3600)
        self.world.send(P0, [Event(at, model=model) for at in times])
        return self

    def now(self, seconds):
        self.world.now = T0 + seconds
        return self

    def at_the_end(self, *partitions):
        self.world.at_the_end(*partitions)
        self.world.advance()
        return self

    @property
    def is_due(self):
        world = self.world
        shards = list(world.shards.values())
        models = model_reports(world.judge, shards, LATENESS, world.now)
        through = read_through_seconds(shards, T0)
        wholes = self.attendance.look(world.judge, models, through, world.now)
        assert [whole.model for whole in wholes] == ["m"]
        return wholes[0].record_is_due


@pytest.fixture
def day():
    """A day and two hours of the model, read to the end."""
    return Watched().events(0, 26).at_the_end()


def test_a_model_that_goes_on_is_not_due(day):
    assert day.is_due is False


def test_a_producer_that_falls_silent_is_due_within_a_quarter_of_an_hour(day):
    day.now(26 * 3600 + 240).at_the_end()
    assert day.is_due is False
    day.now(26 * 3600 + 900).at_the_end()
    assert day.is_due is True


def test_who_cannot_see_the_end_of_a_log_calls_nobody_silent(day):
    day.now(27 * 3600)
    assert day.is_due is False
    day.at_the_end(P0)
    assert day.is_due is False
    day.at_the_end(P0, P1)
    assert day.is_due is True


def test_silence_is_judged_per_model_never_per_version(day):
    day.events(26, 2, NEXT).at_the_end()
    assert day.is_due is False
    day.now(28 * 3600 + 900).at_the_end()
    assert day.is_due is True


def test_what_is_not_known_yet_is_said_to_be_unknown():
    watched = Watched().events(0, 20).at_the_end()
    watched.now(24 * 3600).at_the_end()
    assert watched.is_due is None


def test_a_rhythm_is_learned_again_every_hour_and_forgotten_with_its_model(day):
    assert day.is_due is False
    day.events(26, 20).at_the_end()
    day.attendance.look(day.world.judge, (), T0, day.world.now)
    day.now(46 * 3600 + 900).at_the_end()
    assert day.is_due is True


def test_logs_are_read_through_when_the_last_of_them_was():
    world = World(GIVEN, partitions=(P0, P1))
    shards = world.shards.values()
    assert math.isnan(read_through_seconds([], T0))
    assert read_through_seconds(shards, T0 - 5) == T0 - 5
    world.now = T0 + 7
    world.at_the_end(P0)
    assert read_through_seconds(shards, T0 - 5) == T0 - 5
    world.now = T0 + 9
    world.at_the_end(P1)
    assert read_through_seconds(shards, T0 - 5) == T0 + 7
    world.shards[P0].caught_up_seconds = math.inf
    assert read_through_seconds(shards, T0 - 5) == T0 + 9
