"""Members that come and go in order: partitions pass from one to the next without a repetition."""

import time

from tests.integration.fleet.stage import scenario
from tests.integration.parts.fleet import STATE_PARTITIONS
from tests.integration.parts.sent_panes import SentPanes, wait_until_all_go_on

EXIT_SECONDS = 25.0


def nobody_fell_behind(fleet):
    """Whether every owner of a partition went on just where the one before had ended."""
    with SentPanes(fleet.bootstrap, fleet.topics["panes"], STATE_PARTITIONS) as sent:
        sent.poll_to_the_end()
        return all(part.behind == 0 for part in sent.inputs.values())


@scenario
def test_a_worker_that_is_asked_to_end_under_load_hands_over_at_once(stage):
    with stage.under_load(workers=3) as fleet:
        time.sleep(6)
        for number in (0, 2):
            assert fleet.workers[number].process.terminate(EXIT_SECONDS) == 0
            wait_until_all_go_on(fleet)
        assert nobody_fell_behind(fleet)


@scenario
def test_members_that_join_and_leave_all_the_time_lose_and_repeat_nothing(stage):
    with stage.under_load(workers=1) as fleet:
        for _ in range(5):
            newcomer = fleet.add_worker()
            newcomer.wait_for(lambda _: True)
            time.sleep(2)
            assert newcomer.process.terminate(EXIT_SECONDS) == 0
        wait_until_all_go_on(fleet)


@scenario
def test_a_second_judge_takes_over_and_the_first_one_says_so(stage):
    with stage.under_load(workers=1) as fleet:
        time.sleep(5)  # it is the first one that is scraped
        first = fleet.judge
        fleet.replace_judge()
        code, said = first.ended()
        assert code == 78
        assert "another judge has taken over" in said
        fleet.judge.wait_for(lambda page: page.total("predictions_total"))
        time.sleep(3)


@scenario
def test_two_members_with_one_name_throw_one_out_and_count_once(stage):
    with stage.under_load(workers=1, kafka={"instance_id": "worker-a"}) as fleet:
        twin = fleet.add_worker()
        fleet.wait_until(
            lambda: not all(worker.is_running for worker in fleet.workers), "one is thrown out"
        )
        (gone,) = [worker for worker in fleet.workers if not worker.is_running]
        code, said = gone.ended()
        assert code == 78, (gone is twin, said)
        assert "kafka.instance_id" in said
        wait_until_all_go_on(fleet)
