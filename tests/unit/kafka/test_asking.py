"""A question ends in time, whatever becomes of the client that asks."""

import threading
import time

import pytest

from service.clock import SystemClock
from service.errors import RecoverableError
from service.kafka import reading
from service.kafka.asking import Stuck, within
from service.kafka.connection import KafkaConnection
from service.kafka.presence import Presence


def test_the_answer_is_handed_on_and_so_is_no_answer_at_all():
    assert within(5.0, lambda: "yes") == "yes"
    assert within(5.0, lambda: None) is None


def test_the_error_is_the_one_that_the_question_ended_with():
    def refuse():
        raise LookupError("nobody")

    with pytest.raises(LookupError, match="nobody"):
        within(5.0, refuse)


def test_a_client_that_does_not_come_back_is_left_behind():
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(Stuck, match=r"did not come back within 0\.05 s"):
        within(0.05, never.wait)
    assert time.monotonic() - began < 2.0
    never.set()


def test_an_answer_that_comes_too_late_is_let_go_of():
    goes_on, gone = threading.Event(), threading.Event()
    let_go_of = []

    def question():
        goes_on.wait(5.0)
        return "late"

    def let_go(answer):
        let_go_of.append(answer)
        gone.set()

    with pytest.raises(Stuck):
        within(0.05, question, let_go)
    goes_on.set()
    assert gone.wait(5.0)
    assert let_go_of == ["late"]


class StandingConsumer:
    """A client of which no call comes back until it is closed."""

    def __init__(self):
        self.closed = threading.Event()

    def poll(self, **_):
        self.closed.wait(5.0)

    def assign(self, _):
        pass

    def seek(self, *_):
        pass

    def close(self, **_):
        self.closed.set()


def test_a_client_that_got_stuck_is_closed_each_time(monkeypatch):
    opened = []

    def open_client(*_):
        opened.append(StandingConsumer())
        return opened[-1]

    monkeypatch.setattr(reading, "open_client", open_client)
    monkeypatch.setattr(reading, "install", lambda _: None)
    monkeypatch.setattr(reading, "_ALLOWANCE_SECONDS", 0.05)
    presence = Presence(KafkaConnection(("nowhere:9092",)), "panes", "id", 1)
    read = reading.Reading(presence, SystemClock())
    read.place({0: 0})
    for _ in range(2):
        with pytest.raises(RecoverableError):
            read.poll(0.0)
    assert len(opened) == 2
    assert all(consumer.closed.wait(5.0) for consumer in opened)
