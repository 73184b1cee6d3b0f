"""Members of a fleet that are killed: what they had counted is counted, once."""

import random
import signal
import time

import pytest

from tests.integration.fleet.dying_worker import MOMENTS, STEPS
from tests.integration.fleet.stage import scenario
from tests.integration.parts.fleet import RECOVERY_SECONDS
from tests.integration.parts.sent_panes import wait_until_all_go_on

DEATHS = [f"{step}:{moment}" for step in STEPS[:-1] for moment in MOMENTS]
DEATHS += ["commit:before", "commit:after"]


@pytest.mark.parametrize("death", DEATHS)
@scenario
def test_a_worker_killed_at_any_step_of_a_flush_loses_and_repeats_nothing(stage, death):
    with stage.under_load(workers=2) as fleet:
        nth = random.Random(death).randrange(2, 5)
        third = fleet.add_worker(dies_at=f"{death}:{nth}")
        assert third.process.wait(60) == -signal.SIGKILL, third.log
        assert wait_until_all_go_on(fleet) < RECOVERY_SECONDS
        fleet.start_worker(2)
        time.sleep(3)


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
