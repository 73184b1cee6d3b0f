"""`anchorwatch run` where the operator has to act: named errors, exit codes, and what goes on."""

import shutil
from functools import cache

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from service.state.directory import BROKEN, CURRENT, PREVIOUS
from tests.integration.parts import events
from tests.integration.parts.agreement import assert_agrees_to_the_last_event, assert_figures_agree
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.watched_topic import read_log, recount_of, send

HOURS = 3600.0
CONFIGURATION, SOFTWARE = 78, 70
FIRST, SECOND = slice(4000), slice(4000, None)


@cache
def messages():
    return events.synthetic_events(6000, 3 * HOURS, seed=10)


@pytest.fixture
def filled(kafka, topic):
    """The name of a topic that holds the first messages."""
    name = topic(events.PARTITIONS)
    send(kafka.bootstrap, name, messages()[FIRST])
    return name


def counted_and_stopped(service, recount, topic):
    service.start()
    service.wait_for_records(recount.consumed, topic)
    assert service.process.terminate() == 0, service.log


def test_an_empty_directory_of_a_group_that_has_read_is_an_error(
    kafka, filled, references, service_on
):
    recount = recount_of(kafka.bootstrap, filled, references)
    service = service_on(kafka.bootstrap, filled)
    counted_and_stopped(service, recount, filled)
    shutil.rmtree(service.state)
    for _ in range(2):  # the second start finds what the first one left
        service.start()
        code, log = service.ended()
        assert code == SOFTWARE
        assert "the state directory is empty" in log
        assert "--accept-lost-state" in log
    service.start("--accept-lost-state")
    assert_agrees_to_the_last_event(service, filled, recount)


def test_a_position_that_the_log_has_lost_is_an_error_or_a_counted_gap(
    kafka, filled, references, service_on
):
    service = service_on(kafka.bootstrap, filled)
    recount = recount_of(kafka.bootstrap, filled, references)
    counted_and_stopped(service, recount, filled)
    send(kafka.bootstrap, filled, messages()[SECOND])
    gone = delete_all_but_the_end(kafka.bootstrap, filled, leave=5)
    service.start()
    code, log = service.ended()
    assert code == SOFTWARE
    assert "Cannot go on at offset" in log
    assert "kafka.out_of_range" in log

    service.reconfigure(kafka={"out_of_range": "earliest"})
    service.start()
    recount.add(read_log(kafka.bootstrap, filled))  # what is left
    page = service.wait_for_records(recount.consumed, filled)
    assert page.get("offsets_out_of_range_total") == events.PARTITIONS
    assert gone > recount.consumed
    assert_agrees_to_the_last_event(service, filled, recount)


def test_a_second_process_in_the_group_leaves_and_the_first_goes_on(
    kafka, filled, references, service_on
):
    first = service_on(kafka.bootstrap, filled, "first")
    first.start()
    with scraping(first) as scrapes:
        recount = recount_of(kafka.bootstrap, filled, references)
        first.wait_for_records(recount.consumed, filled)
        second = service_on(kafka.bootstrap, filled, "second", kafka={"group": first.group})
        second.start()
        code, log = second.ended()
        assert code == CONFIGURATION
        assert "another member of the consumer group" in log
        send(kafka.bootstrap, filled, messages()[SECOND])
        whole = recount_of(kafka.bootstrap, filled, references)
        first.wait_for_records(whole.consumed, filled)
    assert scrapes.problems == []
    assert_agrees_to_the_last_event(first, filled, whole)


def test_a_second_process_on_the_directory_is_refused(kafka, filled, references, service_on):
    first = service_on(kafka.bootstrap, filled, "first")
    first.start()
    first.wait_for(lambda page: page.get("records_consumed_total"))
    second = service_on(kafka.bootstrap, filled, "second", state={"path": str(first.state)})
    second.start()
    code, log = second.ended()
    assert code == CONFIGURATION
    assert f"in use by pid {first.process.pid}" in log
    assert first.get("/livez")[0] == 200


def test_a_damaged_checkpoint_falls_back_to_the_one_before(kafka, filled, references, service_on):
    service = service_on(kafka.bootstrap, filled)
    recount = recount_of(kafka.bootstrap, filled, references)
    counted_and_stopped(service, recount, filled)
    send(kafka.bootstrap, filled, messages()[SECOND])
    recount = recount_of(kafka.bootstrap, filled, references)
    counted_and_stopped(service, recount, filled)
    assert (service.state / PREVIOUS).exists()
    current = service.state / CURRENT
    damaged = bytearray(current.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    current.write_bytes(damaged)
    service.start()
    page = service.wait_for_records(recount.consumed, filled)
    assert page.get("checkpoint_fallbacks_total") == 1
    assert_figures_agree(page, filled, recount)
    assert (service.state / BROKEN).exists()
    assert_agrees_to_the_last_event(service, filled, recount)


def delete_all_but_the_end(bootstrap, topic, leave):
    """Let the log begin so many records before its end; returns how many are gone."""
    wheres = [TopicPartition(topic, number) for number in range(events.PARTITIONS)]
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        ends = admin.list_partition_offsets(dict.fromkeys(wheres, -1))
        firsts = {where: ends[where].offset - leave for where in wheres}
        admin.delete_records(firsts)
    return sum(firsts.values())
