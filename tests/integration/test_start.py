"""What a start says while nothing is read yet: in the log, to Kubernetes, and on the page."""

import http.client
import json
import time
import uuid

from kafka.admin import KafkaAdminClient

from tests.integration.parts import events
from tests.integration.parts.watched_topic import send

HOURS = 3600.0
MESSAGES = events.synthetic_events(600, 1 * HOURS, seed=12, faults=0.0)


def readiness_until(service, wanted, timeout_seconds=30.0):
    """Each answer of /readyz up to the first with `wanted` in it; an answer is (status, text)."""
    deadline = time.monotonic() + timeout_seconds
    answers = []
    while time.monotonic() < deadline:
        try:
            answer = service.get("/readyz")
        except OSError:
            answer = None
        if answer is not None and answer not in answers:
            answers.append(answer)
        if answers and wanted in answers[-1][1]:
            return answers
        time.sleep(0.05)
    raise AssertionError(f"no {wanted!r} in {answers}\n{service.log}")


def lines(service, event):
    found = [json.loads(line) for line in service.log.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def test_a_topic_that_does_not_exist_is_named_everywhere_until_it_is_there(kafka, service_on):
    name = f"late-{uuid.uuid4().hex[:8]}"
    service = service_on(kafka.bootstrap, name)
    service.start()
    status, text = readiness_until(service, "create it")[-1]
    assert status == http.client.SERVICE_UNAVAILABLE
    assert text.startswith(f"topic {name} does not exist: create it")
    page = service.get("/", "text/html")[1]
    assert f"Starting: topic {name} does not exist" in page
    assert "restart" not in page
    assert service.scrape().get("topic_absent", topic=name) == 1
    (missed,) = lines(service, "topic_absent")
    assert (missed["topic"], missed["level"]) == (name, "error")

    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        new = {"num_partitions": events.PARTITIONS, "replication_factor": 1}
        admin.create_topics({name: new | {"configs": {"retention.ms": "-1"}}})
    service.wait_for(lambda page: page.get("ready") == 1)
    send(kafka.bootstrap, name, MESSAGES)
    service.wait_for_records(len(MESSAGES), name)
    assert service.scrape().get("topic_absent", topic=name) is None
    assert len(lines(service, "topic_found")) == 1


def test_after_a_kill_a_start_says_that_it_waits_for_the_dead_ones_session(
    kafka, topic, service_on
):
    name = topic(events.PARTITIONS)
    send(kafka.bootstrap, name, MESSAGES)
    service = service_on(kafka.bootstrap, name)
    service.start()
    service.wait_for_records(len(MESSAGES), name)
    assert len(lines(service, "partitions_assigned")) == 1
    assert len(lines(service, "model_seen")) == 2  # versions
    service.wait_for(lambda page: page.get("checkpoint_last_success_timestamp_seconds"))
    time.sleep(1.5)
    service.process.kill()
    service.start()
    status, text = readiness_until(service, "ended without goodbye")[-1]
    assert status == http.client.SERVICE_UNAVAILABLE
    assert "up to 6 s, kafka.session_timeout" in text
    assert "Starting: waiting for the consumer group" in service.get("/", "text/html")[1]
    service.wait_for(lambda page: page.get("ready") == 1)
    assert len(lines(service, "waiting")) == 1
    assert len(lines(service, "state_restored")) == 1
    assert len(lines(service, "model_seen")) == 2  # versions


def test_a_static_member_is_ready_again_at_once(kafka, topic, service_on):
    name = topic(events.PARTITIONS)
    service = service_on(
        kafka.bootstrap, name, kafka={"instance_id": "the-one", "session_timeout": "60s"}
    )
    for _ in range(2):
        service.start()
        service.wait_for(lambda page: page.get("ready") == 1, timeout_seconds=20.0)
        service.process.kill()
    assert lines(service, "waiting") == []
