"""`anchorwatch demo events`: what it sends when, until it is told to end."""

import json

import pytest
from click.testing import CliRunner

from service.clock import ManualClock
from service.commands.demo import command
from service.commands.demo_events import send
from service.errors import RecoverableError
from service.ingest.demo_events import STEADY, STORIES, DemoEvents, Schedule

SCHEDULE = Schedule(quiet_seconds=10.0, every_seconds=8.0, lasts_seconds=4.0)


class Taken:
    """A sender that keeps what it is given, moves the clock, and stops at the end of a time."""

    def __init__(self, seconds, *, away=False):
        self.clock = ManualClock(1_800_000_000.0)
        self.stop = self
        self.records = []
        self._seconds = seconds
        self._away = away

    def send(self, record):
        if self._away:
            raise RecoverableError("no broker")
        self.records.append(json.loads(record))

    def is_set(self):
        return self.clock.now() >= 1_800_000_000.0 + self._seconds

    def wait(self, seconds):
        self.clock.sleep(seconds)


@pytest.mark.parametrize(
    ("elapsed", "story"),
    [
        (0.0, STEADY),
        (9.9, STEADY),
        (10.0, STORIES[0]),
        (13.9, STORIES[0]),
        (14.0, STEADY),
        (18.0, STORIES[1]),
        (26.0, STORIES[2]),
        (30.0, STEADY),
        (34.0, STORIES[0]),
    ],
)
def test_stories_are_told_in_turn_with_quiet_between_them(elapsed, story):
    assert SCHEDULE.story(elapsed) == story


@pytest.mark.parametrize("lasts", [0.0, 8.0, 9.0])
def test_a_drift_that_would_not_end_before_the_next_is_refused(lasts):
    with pytest.raises(ValueError, match="has to end before the next"):
        Schedule(every_seconds=8.0, lasts_seconds=lasts)


def test_events_of_both_models_come_at_their_pace_and_each_story_shows(capsys):
    taken = Taken(32.0)
    send(taken, taken.clock, SCHEDULE, 50.0, taken.stop)
    of = {model: [e for e in taken.records if e["model"] == model] for model in MODELS}
    assert len(of["credit-risk"]) == pytest.approx(32 * 50, abs=50)
    times = [event["timestamp"] - 1_800_000_000.0 for event in of["credit-risk"]]
    assert times == sorted(times)
    income = [e["features"]["income"] for e in of["credit-risk"]]
    assert mean(income, times, 10, 14) > 1.2 * mean(income, times, 0, 10)
    missing = [e["features"]["bureau_score"] is None for e in of["credit-risk"]]
    assert mean(missing, times, 18, 22) > 0.1 > mean(missing, times, 0, 18)
    paid = {round(e["timestamp"] - 1_800_000_000.0) for e in of["card-fraud"]}
    assert not paid & set(range(27, 30))
    assert paid >= {*range(1, 26), 31}
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "10s: incomes of credit-risk arrive gross instead of net"
    assert [line.split(": ")[1] for line in told[1::2]] == [STEADY.words] * 3


MODELS = ("credit-risk", "card-fraud")


def mean(values, times, begin, end):
    chosen = [value for value, time in zip(values, times, strict=True) if begin < time <= end]
    return sum(chosen) / len(chosen)


def test_less_than_one_event_is_not_due():
    demo = DemoEvents(100.0, 2.0)
    assert demo.due(100.4, STEADY) == []
    assert len(demo.due(100.6, STEADY)) == 2
    assert demo.due(100.6, STEADY) == []


def test_a_broker_that_is_away_costs_events_and_not_the_program(capsys):
    taken = Taken(2.0, away=True)
    send(taken, taken.clock, SCHEDULE, 10.0, taken.stop)
    assert "events are lost: no broker" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--drift-for", "5"), "must be a duration with its unit"),
        (("--drift-for", "15m"), "has to end before the next one"),
        (("--per-second", "0"), "Invalid value for '--per-second'"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong, words):
    result = CliRunner().invoke(command, ("events", *wrong))
    assert result.exit_code == 2
    assert words in result.output
