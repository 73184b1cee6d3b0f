"""What is asked of topics of ours, and what of a topic that is there does harm."""

import pytest

from config.loader import load
from service.composition.topics_used import topics_used
from service.kafka.cluster import TopicFacts
from service.kafka.own_topics import deviations
from service.kafka.topic_spec import episodes_topic, panes_topic, references_topic, state_topic

STATE = state_topic("aw.state", 4)
PANES = panes_topic("aw.panes", 4)


def facts(partitions=4, replication=3):
    return TopicFacts("id", frozenset(range(partitions)), replication)


def said(spec, found=None, brokers=3, **settings):
    there = spec.settings(brokers) | {k.replace("_", "."): v for k, v in settings.items()}
    return [*deviations(spec, found or facts(), there, brokers)]


def test_state_is_compacted_and_panes_are_deleted_after_two_days():
    assert STATE.settings() == {
        "cleanup.policy": "compact",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2",
        "max.message.bytes": "1048588",
        "segment.bytes": "67108864",
        "min.cleanable.dirty.ratio": "0.1",
    }
    assert PANES.settings() == {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2",
        "max.message.bytes": "1048588",
        "retention.ms": "172800000",
        "retention.bytes": "-1",
    }
    assert episodes_topic("e", 86_400.0).settings()["retention.ms"] == "86400000"
    assert references_topic("r").settings()["cleanup.policy"] == "compact"


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync"), [(1, 1, "1"), (2, 2, "2"), (3, 3, "2"), (9, 3, "2")]
)
def test_replicas_are_three_or_as_many_as_there_are_brokers(brokers, replicas, in_sync):
    assert STATE.replicas(brokers) == replicas
    assert STATE.settings(brokers)["min.insync.replicas"] == in_sync
    assert state_topic("s", 1, replication=5).replicas(brokers) == 5


def test_a_topic_that_is_as_it_was_asked_for_is_fine():
    for spec in (STATE, PANES):
        for brokers in (1, 3):
            assert said(spec, facts(replication=spec.replicas(brokers)), brokers) == []


def test_more_than_was_asked_for_is_fine():
    assert said(PANES, facts(replication=5), retention_ms="-1", max_message_bytes="9000000") == []
    assert said(PANES, retention_ms="999999999") == []
    assert said(STATE, segment_bytes="1000000000", min_insync_replicas="3") == []


@pytest.mark.parametrize(
    ("spec", "settings", "wanted"),
    [
        (STATE, {"cleanup_policy": "delete"}, "cleanup.policy=delete, and has to have compact"),
        (STATE, {"cleanup_policy": "compact,delete"}, "has to have compact"),
        (PANES, {"cleanup_policy": "compact"}, "has to have delete"),
        (PANES, {"retention_ms": "3600000"}, "retention.ms=3600000, and has to have 172800000"),
        (PANES, {"retention_bytes": "1000"}, "retention.bytes=1000, and has to have -1"),
        (STATE, {"message_timestamp_type": "CreateTime"}, "has to have LogAppendTime"),
        (STATE, {"min_insync_replicas": "1"}, "min.insync.replicas=1, and has to have 2"),
        (STATE, {"max_message_bytes": "100000"}, "has to have 1048588"),
    ],
)
def test_what_does_harm_is_told_with_what_it_has_to_be(spec, settings, wanted):
    (problem,) = said(spec, **settings)
    assert problem.startswith(f"{spec.name} has ")
    assert wanted in problem


def test_other_partitions_are_refused_where_keys_lie_by_them():
    assert "set state.topics.partitions to 6" in said(STATE, facts(partitions=6))[0]
    assert said(references_topic("r"), facts(partitions=6)) == []


def test_too_few_replicas_are_told_with_both_ways_out():
    (problem,) = said(STATE, facts(replication=2), min_insync_replicas="2")
    assert "has 2 replicas, and has to have 3" in problem
    assert "set state.topics.replication to 2" in problem


def test_what_was_not_seen_is_not_judged():
    assert [*deviations(STATE, facts(), None, 3)] == []


def test_a_fleet_uses_four_topics_and_one_process_with_directories_none(tmp_path):
    def used(text):
        file = tmp_path / "aw.yaml"
        file.write_text(text, "utf-8")
        return [spec.name for spec in topics_used(load(file, {}).settings)]

    source = "sources: [{name: a, topics: [ml]}]\n"
    assert used(source) == []
    of_both = ["anchorwatch.state", "anchorwatch.panes", "anchorwatch.references"]
    assert used(f"{source}role: worker\nstate: {{store: topic}}\n") == of_both
    assert used(f"{source}role: judge\nstate: {{store: topic}}\n") == [
        *of_both,
        "anchorwatch.episodes",
    ]
    assert used(
        f"{source}reference: {{from: 'topic:refs'}}\nstate: {{episodes: {{topic: eps}}}}\n"
    ) == ["refs", "eps"]
