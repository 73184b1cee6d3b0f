"""Tasks among processes: what they find comes back in order, and nobody ends in silence."""

import os
import signal

import pytest

from service.backtest.workers import shared_out
from service.errors import FatalError


def square(task, steps):
    steps(task)
    return str(task * task).encode()


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_what_is_found_stands_in_the_order_of_the_tasks(jobs):
    told = []
    assert shared_out(5, jobs, square, told.append) == [b"0", b"1", b"4", b"9", b"16"]
    assert sum(told) == 10


@pytest.mark.parametrize("jobs", [1, 4])
def test_without_a_task_nothing_is_found(jobs):
    assert shared_out(0, jobs, square, lambda _: None) == []


def test_work_is_done_by_other_processes_as_soon_as_there_is_more_than_one():
    processes = set(shared_out(8, 2, lambda _task, _steps: str(os.getpid()).encode(), print))
    assert str(os.getpid()).encode() not in processes


def test_more_than_a_pipe_holds_comes_back_whole():
    large = b"x" * 3_000_000
    assert shared_out(3, 2, lambda _task, _steps: large, lambda _: None) == [large] * 3


def test_a_process_that_is_killed_is_told_with_what_to_do():
    def killed(task, _steps):
        if task == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return b""

    with pytest.raises(FatalError, match="--jobs 1"):
        shared_out(2, 2, killed, lambda _: None)
