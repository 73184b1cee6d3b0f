"""A question ends in time, whatever becomes of the client that asks."""

import threading
import time

import pytest

from service.kafka.asking import Stuck, within


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
