"""A fleet of processes: several workers and one judge, against a recount of the log."""

import signal
import time
import uuid
from typing import Any, NamedTuple

import pytest

from tests.integration.parts import events
from tests.integration.parts.agreement import assert_figures_agree
from tests.integration.parts.service_process import ServiceProcess
from tests.integration.parts.watched_topic import recount_of, send, sending

HOURS = 3600.0
CONFIGURATION = 78


class Fleet(NamedTuple):
    """Started processes, and the sections that their configurations share."""

    workers: list[ServiceProcess]
    judge: ServiceProcess
    sections: dict[str, Any]

    def consumed(self, topic, more_than):
        """Wait until the judge knows of so many records."""
        self.judge.wait_for(
            lambda page: (page.get("records_consumed_total", topic=topic) or 0) > more_than
        )


@pytest.fixture
def fleet(kafka, service_on):
    """`fleet(topic, workers=3)` starts so many workers and a judge."""

    def make(topic, workers=3):
        run = uuid.uuid4().hex[:8]
        names = {key: f"{key}-{run}" for key in ("state", "panes", "schedules")}
        shared = {
            "kafka": {"group": f"g-{run}"},
            "state": {
                "store": "topic",
                "topics": {**names, "partitions": 4},
                "episodes": {"topic": f"episodes-{run}"},
            },
        }
        members = [
            service_on(kafka.bootstrap, topic, f"worker-{number}", **shared)
            for number in range(workers)
        ]
        for worker in members:
            worker.start("--role", "worker")
        judge = service_on(kafka.bootstrap, topic, "judge", **shared)
        judge.start("--role", "judge")
        return Fleet(members, judge, shared)

    return make


def test_three_workers_and_a_judge_tell_what_a_recount_of_the_log_tells(
    kafka, topic, references, fleet
):
    name = topic(events.PARTITIONS)
    send(kafka.bootstrap, name, events.synthetic_events(6000, 3 * HOURS, seed=21))
    workers, judge, _ = fleet(name)
    recount = recount_of(kafka.bootstrap, name, references)
    page = judge.wait_for_records(recount.consumed, name)
    assert_figures_agree(page, name, recount)
    assert_all_is_judged(judge, recount)
    assert page.get("partitions_missing", topic=name) == 0
    assert page.get("pane_conflicts_total") == 0
    owned = [len(list(w.scrape().each("partition_owned", topic=name))) for w in workers]
    assert sum(owned) == events.PARTITIONS
    assert [w.scrape().get("predictions_total") for w in workers] == [None] * 3
    for process in (*workers, judge):
        assert process.process.terminate() == 0, process.log


def assert_all_is_judged(judge, recount):
    """Every pane that all partitions have passed, once, and no row was given up."""
    for (model, version), counted in recount.models.items():
        closed = counted.closed_through(recount.rules.lateness_seconds)
        pane = recount.rules.pane_seconds
        expected = sum(start + pane <= closed for start in counted.panes)
        labels = {"model": model, "model_version": version}
        page = judge.wait_for(
            lambda page, of=labels, count=expected: page.get("panes_judged_total", **of) == count
        )
        assert page.get("rows_unjudged_total", **labels) == 0


@pytest.mark.timeout(240)
def test_workers_that_are_killed_or_told_to_end_under_load_lose_and_repeat_nothing(
    kafka, topic, references, fleet
):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(24_000, 12 * HOURS, seed=22)
    with sending(kafka.bootstrap, name, messages, per_second=600):
        running = fleet(name)
        workers, judge, _ = running
        running.consumed(name, more_than=2000)
        workers[0].process.kill()
        time.sleep(3.0)
        workers[0].start("--role", "worker")
        running.consumed(name, more_than=6000)
        begun = time.monotonic()
        assert workers[1].process.terminate() == 0, workers[1].log
        assert time.monotonic() - begun < 25
        judge.process.kill()
        time.sleep(1.0)
        judge.start("--role", "judge")
        judge.wait_for(lambda page: page.get("ready") == 1)
        workers[1].start("--role", "worker")
    recount = recount_of(kafka.bootstrap, name, references)
    page = judge.wait_for_records(recount.consumed, name, timeout_seconds=90)
    assert_figures_agree(page, name, recount)
    assert_all_is_judged(judge, recount)
    assert page.get("pane_conflicts_total") == 0


def test_of_two_judges_the_newer_one_goes_on(kafka, topic, fleet, service_on):
    name = topic(1)
    _, judge, sections = fleet(name, workers=1)
    judge.wait_for(lambda page: page.get("ready") == 1)
    second = service_on(kafka.bootstrap, name, "second", **sections)
    second.start("--role", "judge")
    code, log = judge.ended()
    assert (code, "another judge has taken over" in log) == (CONFIGURATION, True)
    second.wait_for(lambda page: page.get("ready") == 1)
    assert second.process.running


def test_a_worker_that_stood_still_does_no_harm(kafka, topic, references, fleet):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(12_000, 6 * HOURS, seed=23)
    with sending(kafka.bootstrap, name, messages, per_second=400):
        running = fleet(name, workers=2)
        workers, judge, _ = running
        running.consumed(name, more_than=1000)
        workers[0].process.signal(signal.SIGSTOP)
        time.sleep(15.0)
        workers[0].process.signal(signal.SIGCONT)
    recount = recount_of(kafka.bootstrap, name, references)
    page = judge.wait_for_records(recount.consumed, name, timeout_seconds=90)
    assert_figures_agree(page, name, recount)
    assert_all_is_judged(judge, recount)
    assert page.get("pane_conflicts_total") == 0
