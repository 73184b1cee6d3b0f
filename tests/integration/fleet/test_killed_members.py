"""Members of a fleet that are killed: what they had counted is counted, once."""

import random
import signal
import time

import pytest

from tests.integration.fleet.dying_worker import STEPS
from tests.integration.fleet.stage import scenario
from tests.integration.parts.fleet import PATIENCE_SECONDS
from tests.integration.parts.sent_panes import wait_until_all_go_on


@pytest.mark.parametrize("step", STEPS)
@scenario
def test_a_worker_killed_before_amid_or_after_any_step_of_a_flush_loses_and_repeats_nothing(
    stage, step
):
    with stage.under_load(workers=2) as fleet:
        rng, third = random.Random(step), fleet.add_worker(dies_at=f"{step}:after:3")
        for moment in ("before", "amid", None):
            assert third.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL, third.log
            wait_until_all_go_on(fleet)
            if moment is not None:
                fleet.start_worker(2, dies_at=f"{step}:{moment}:{rng.randrange(2, 5)}")


@scenario
def test_a_judge_killed_again_and_again_judges_everything_once(stage):
    with stage.under_load(workers=1) as fleet:
        rng = random.Random(3)
        for _ in range(4):
            time.sleep(rng.uniform(0.5, 3.0))
            assert fleet.judge.process.kill() == -signal.SIGKILL
            time.sleep(rng.uniform(0.0, 2.0))
            fleet.judge.start()
            fleet.judge.wait_for(lambda page: page.total("predictions_total"))
