"""Members of a fleet that stand still for a while and then go on as if nothing had been."""

import signal
import time
from contextlib import contextmanager

from tests.integration.fleet.stage import scenario
from tests.integration.parts.fleet import IDLE_AFTER_SECONDS, SESSION_SECONDS
from tests.integration.parts.sent_panes import wait_until_all_go_on


@contextmanager
def frozen(member):
    member.process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        member.process.signal(signal.SIGCONT)


@scenario
def test_a_worker_that_was_given_up_and_goes_on_all_the_same_harms_nothing(stage):
    with stage.under_load(workers=3) as fleet:
        zombie = fleet.workers[1]
        for _ in range(2):
            with frozen(zombie):
                time.sleep(SESSION_SECONDS)
                wait_until_all_go_on(fleet)
            time.sleep(4)
        assert zombie.is_running
        wait_until_all_go_on(fleet)


@scenario
def test_a_worker_that_stood_still_does_not_take_its_partitions_for_idle(stage):
    with stage.under_load(workers=2) as fleet:
        time.sleep(5)
        for _ in range(3):
            with frozen(fleet.workers[0]):
                time.sleep(IDLE_AFTER_SECONDS + 1.5)
            time.sleep(2)


@scenario
def test_a_judge_that_stood_still_does_not_take_old_news_for_new(stage):
    with stage.under_load(workers=2) as fleet:
        time.sleep(5)
        for seconds in (2, 5, 8):
            with frozen(fleet.judge):
                time.sleep(seconds)
            time.sleep(2)
