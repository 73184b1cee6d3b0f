"""Records of the state topic that are broken, cut short or gone when a worker takes over."""

import time
from contextlib import closing

import msgspec

from service.kafka.connection import KafkaConnection
from service.kafka.topic_log import TopicLog
from service.state.shards.layout import HEAD, Key, decode_head, decode_key, encode_head, encode_key
from service.values.keyed_log import Draft
from tests.integration.fleet.stage import PARTITIONS, scenario
from tests.integration.parts.fleet import STATE_PARTITIONS


def counted_and_stopped(stage, *, judge=False):
    """A fleet whose worker has ended in order; a judge goes on if there is one."""
    fleet = stage.fleet()
    with stage.traffic(fleet):
        fleet.add_worker()
        if judge:
            fleet.judge.start()
        fleet.wait_until_owned(PARTITIONS)
        time.sleep(7)
        assert fleet.workers[0].process.terminate(25) == 0
    return fleet


def state_log(stage, fleet):
    return closing(TopicLog(KafkaConnection((stage.bootstrap,)), fleet.topics["state"]))


def live(log, shard):
    """The keys of a shard that hold something, and what they hold, by partition."""
    found = {}
    for partition in range(STATE_PARTITIONS):
        for entry in log.read(partition):
            key = decode_key(entry.key)
            if key is not None and key.shard == shard:
                found[entry.key] = (partition, key, entry.value)
    return {key: held for key, held in found.items() if held[2] is not None}


def damaged(stage, fleet, part_of, value_of):
    """Overwrite the records of the first shard that `part_of` names."""
    with state_log(stage, fleet) as log:
        drafts = [
            Draft(partition, key, value_of(value))
            for key, (partition, of, value) in live(log, f"{fleet.topic}/0").items()
            if part_of(of.part)
        ]
        assert drafts
        log.append(drafts)


def refusal(fleet):
    """How a worker ends that finds this."""
    fleet.start_worker(0)
    code, said = fleet.workers[0].ended()
    assert code == 70, said
    return said


@scenario
def test_a_state_that_is_cut_short_is_named_and_given_up_only_on_request(stage):
    fleet = counted_and_stopped(stage)
    damaged(stage, fleet, lambda part: part != HEAD, lambda value: value[: len(value) // 2])
    said = refusal(fleet)
    assert f"shard {fleet.topic}/0" in said
    assert "broken" in said
    assert "--accept-lost-state" in said
    fleet.workers[0].start("--accept-lost-state")
    with stage.traffic(fleet):
        fleet.wait_until_owned(PARTITIONS)


@scenario
def test_a_head_that_nobody_can_read_is_named(stage):
    fleet = counted_and_stopped(stage)
    damaged(stage, fleet, lambda part: part == HEAD, lambda _: b"\x01 no head")
    assert "the head does not read back" in refusal(fleet)


@scenario
def test_a_state_that_is_gone_is_named(stage):
    fleet = counted_and_stopped(stage)
    damaged(stage, fleet, lambda _: True, lambda _: None)
    said = refusal(fleet)
    assert f"{fleet.topic}/0" in said
    assert "the state topic has nothing" in said


@scenario
def test_a_head_whose_parts_are_not_there_is_passed_over_for_the_one_before(stage):
    fleet = counted_and_stopped(stage, judge=True)
    with state_log(stage, fleet) as log:
        heads = [
            (partition, decode_head(value))
            for partition, key, value in live(log, f"{fleet.topic}/0").values()
            if key.part == HEAD
        ]
        ((partition, head),) = heads
        ahead = msgspec.structs.replace(head, applied_through=head.applied_through + 1000)
        key = encode_key(Key(f"{fleet.topic}/0", b"w" * 16, HEAD))
        log.append([Draft(partition, key, encode_head(ahead))])
    with stage.traffic(fleet):
        fleet.start_worker(0)
        fleet.wait_until_owned(PARTITIONS)
        time.sleep(3)
    assert "shard_passed_over" in fleet.workers[0].log
    stage.assert_counted_once(fleet, unjudged_max=10_000)
