"""A schedule of mixed faults from a seed: who is killed, frozen or ended when, and how long."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.integration.fleet.dying_worker import MOMENTS, STEPS
from tests.integration.parts.fleet import SESSION_SECONDS, Fleet

WORKERS = 2
FAULTS = 3
SPAN_SECONDS = 8.0
"""In which faults begin; what they take comes on top."""


class Event(NamedTuple):
    """Something that is done, so long after the start. `words` are for who reads a failure."""

    at_seconds: float
    words: str
    do: Callable[[Fleet], None]


def schedule(seed: int) -> list[Event]:
    """Faults and what undoes each, in order of time."""
    rng = random.Random(seed)
    events: list[Event] = []
    for _ in range(FAULTS):
        fault = rng.choice(FAULT_KINDS)
        events += fault(rng, rng.uniform(0.0, SPAN_SECONDS))
    return sorted(events, key=lambda event: event.at_seconds)


def play(fleet: Fleet, events: list[Event]) -> None:
    """Do it, and leave a fleet behind in which everybody runs."""
    begun = time.monotonic()
    for event in events:
        time.sleep(max(0.0, begun + event.at_seconds - time.monotonic()))
        event.do(fleet)
    for member in fleet.members:
        if member.is_running:
            member.process.signal(signal.SIGCONT)
    for number in range(WORKERS):
        if number in fleet.doomed:
            _kill_worker(fleet, number)
        _start_worker(number)(fleet)
    _start_judge(fleet)
    fleet.wait_until_serving()


def words(events: list[Event]) -> str:
    """What the schedule is, for who reads a failure."""
    return "; ".join(f"{event.at_seconds:.1f} s {event.words}" for event in events)


def _killed(rng: random.Random, at: float) -> Iterator[Event]:
    number = rng.randrange(WORKERS)
    yield Event(at, f"kill worker {number}", lambda fleet: _kill_worker(fleet, number))
    yield Event(at + rng.uniform(0, 8), f"start worker {number}", _start_worker(number))


def _killed_in_a_flush(rng: random.Random, at: float) -> Iterator[Event]:
    """It is started anew as one that will die by itself; it may need long to come to that."""
    number = rng.randrange(WORKERS)
    step = f"{rng.choice(STEPS)}:{rng.choice(MOMENTS)}:{rng.randrange(1, 5)}"
    yield Event(at, f"kill worker {number}", lambda fleet: _kill_worker(fleet, number))
    yield Event(at, f"start worker {number}, it dies at {step}", _start_worker(number, step))


def _frozen(rng: random.Random, at: float) -> Iterator[Event]:
    """A zombie, mostly: longer than its session."""
    number = rng.randrange(WORKERS)
    seconds = rng.uniform(0.5 * SESSION_SECONDS, 1.7 * SESSION_SECONDS)
    yield Event(at, f"freeze worker {number}", _signal(number, signal.SIGSTOP))
    yield Event(at + seconds, f"thaw worker {number}", _signal(number, signal.SIGCONT))


def _ended(rng: random.Random, at: float) -> Iterator[Event]:
    number = rng.randrange(WORKERS)
    yield Event(at, f"end worker {number}", _signal(number, signal.SIGTERM))
    yield Event(at + rng.uniform(0, 8), f"start worker {number}", _start_worker(number))


def _judge_killed(rng: random.Random, at: float) -> Iterator[Event]:
    yield Event(at, "kill the judge", _kill_judge)
    yield Event(at + rng.uniform(0, 5), "start the judge", _start_judge)


def _judge_frozen(rng: random.Random, at: float) -> Iterator[Event]:
    yield Event(at, "freeze the judge", lambda fleet: _signal_judge(fleet, signal.SIGSTOP))
    thawed = at + rng.uniform(1, 8)
    yield Event(thawed, "thaw the judge", lambda fleet: _signal_judge(fleet, signal.SIGCONT))


def _joined(rng: random.Random, at: float) -> Iterator[Event]:
    """One more for a while: everything is given out anew, twice."""
    yield Event(at, "one more joins", lambda fleet: fleet.add_worker())
    yield Event(at + rng.uniform(2, 9), "one that joined leaves", _leave)


FAULT_KINDS = (
    _killed,
    _killed_in_a_flush,
    _killed_in_a_flush,
    _frozen,
    _ended,
    _judge_killed,
    _judge_frozen,
    _joined,
)


def _kill_worker(fleet: Fleet, number: int) -> None:
    if fleet.workers[number].is_running:
        fleet.workers[number].process.kill()


def _start_worker(number: int, dies_at: str = "") -> Callable[[Fleet], None]:
    def start(fleet: Fleet) -> None:
        if not fleet.workers[number].is_running:
            fleet.start_worker(number, dies_at=dies_at)

    return start


def _signal(number: int, what: signal.Signals) -> Callable[[Fleet], None]:
    def send(fleet: Fleet) -> None:
        if fleet.workers[number].is_running:
            fleet.workers[number].process.signal(what)

    return send


def _kill_judge(fleet: Fleet) -> None:
    if fleet.judge.is_running:
        fleet.judge.process.kill()


def _start_judge(fleet: Fleet) -> None:
    if not fleet.judge.is_running:
        fleet.judge.start()


def _signal_judge(fleet: Fleet, what: signal.Signals) -> None:
    if fleet.judge.is_running:
        fleet.judge.process.signal(what)


def _leave(fleet: Fleet) -> None:
    """Of those that joined the one that did first."""
    joined = range(WORKERS, len(fleet.workers))
    serving = [number for number in joined if fleet.workers[number].is_running]
    if serving:
        _signal(serving[0], signal.SIGTERM)(fleet)
