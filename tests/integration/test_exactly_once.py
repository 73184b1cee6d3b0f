"""Every event counts exactly once: against a recount of the log, undisturbed and after kills."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka.admin import KafkaAdminClient

from service.state.directory import NEW, PREVIOUS_NEW
from tests.integration.parts import events
from tests.integration.parts.agreement import assert_agrees_to_the_last_event, kept_state
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.watched_topic import recount_of, send, sending

HOURS = 3600.0


@pytest.mark.parametrize("models", ["synthetic", "synthetic and market"])
def test_what_is_told_equals_a_recount_of_the_log(models, kafka, topic, references, service_on):
    name = topic(events.PARTITIONS)
    streams = [events.synthetic_events(12_000, 12.5 * HOURS, seed=2)]
    if "market" in models:
        streams.append(events.market_events(seed=3))
    service = service_on(kafka.bootstrap, name)
    service.start()
    with scraping(service) as scrapes:
        send(kafka.bootstrap, name, events.in_order(*streams))
        recount = recount_of(kafka.bootstrap, name, references)
        service.wait_for_records(recount.consumed, name)
    assert recount.rejected.keys() == {"malformed", "no_model", "oversized"}
    assert recount.ignored
    assert all(model.late or key[0] == events.MARKET for key, model in recount.models.items())
    assert scrapes.problems == []
    assert scrapes.with_books > 3
    assert_agrees_to_the_last_event(service, name, recount)


def test_records_of_several_rows_are_counted_by_row(kafka, topic, references, service_on):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(3000, 3 * HOURS, seed=4, several_rows=True)
    send(kafka.bootstrap, name, messages)
    batches = {"layout": "auto"}
    source = {
        "name": "batches",
        "topics": [name],
        "features": {"rows": "value.features", **batches},
        "prediction": {"rows": "value.prediction", **batches},
    }
    service = service_on(kafka.bootstrap, name, sources=[source])
    service.start()
    recount = recount_of(kafka.bootstrap, name, references)
    rows = sum(m.predictions + m.late + m.rejected.total() for m in recount.models.values())
    assert rows > recount.applied + 50
    assert_agrees_to_the_last_event(service, name, recount)


KILLS = (
    ("in a checkpoint", "while it counts", "in a checkpoint", "while it starts"),
    ("while it counts", "in a checkpoint", "while it starts", "while it counts"),
    ("while it starts", "in a checkpoint", "while it counts", "in a checkpoint"),
)
"""What each of three services is doing when it is killed; the exact moments are seeded."""


@pytest.mark.timeout(300)
def test_kills_at_any_moment_neither_lose_nor_repeat_an_event(kafka, topic, references, service_on):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(80_000, 24 * HOURS, seed=6)
    services = [service_on(kafka.bootstrap, name, f"service-{i}") for i in range(len(KILLS))]
    with sending(kafka.bootstrap, name, messages, per_second=600), ThreadPoolExecutor(3) as pool:
        done = list(pool.map(killed_again_and_again, services, KILLS, range(len(KILLS))))
    recount = recount_of(kafka.bootstrap, name, references)
    assert sum(len(kills) for kills in KILLS) >= 10
    assert sum(in_checkpoint for _, in_checkpoint in done) >= 3
    for service, (scrapes, _) in zip(services, done, strict=True):
        assert scrapes.problems == []
        assert scrapes.with_books > 10
        assert_agrees_to_the_last_event(service, name, recount)


def killed_again_and_again(service, kills, seed):
    """Start and kill it, and leave it running; returns (scrapes, kills in checkpoints)."""
    rng = random.Random(seed)
    in_checkpoint = 0
    with scraping(service) as scrapes:
        for moment in kills:
            service.start()
            if moment == "while it starts":
                time.sleep(rng.uniform(0.5, 4.0))
            else:
                service.wait_for(lambda page: page.total("records_consumed_total"))
                time.sleep(rng.uniform(0.2, 1.5))
            if moment == "in a checkpoint":
                in_checkpoint += stopped_in_checkpoint(service)
            assert service.process.kill() == -signal.SIGKILL
        service.start()
        service.wait_for(lambda page: page.total("records_consumed_total"))
        time.sleep(2)
    return scrapes, in_checkpoint


def stopped_in_checkpoint(service, deadline_seconds=30.0):
    """Stop the process while it writes a checkpoint; False when the moment could not be met."""
    deadline = time.monotonic() + deadline_seconds
    unfinished = [service.state / NEW, service.state / PREVIOUS_NEW]
    while time.monotonic() < deadline:
        if any(path.exists() for path in unfinished):
            service.process.signal(signal.SIGSTOP)
            time.sleep(0.01)
            if any(path.exists() for path in unfinished):
                return True
            service.process.signal(signal.SIGCONT)
    return False


def test_after_sigterm_under_load_the_next_start_repeats_nothing(
    kafka, topic, references, service_on
):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(60_000, 24 * HOURS, seed=7)
    service = service_on(kafka.bootstrap, name)
    with scraping(service) as scrapes:
        with sending(kafka.bootstrap, name, messages, per_second=2500):
            service.start()
            service.wait_for(lambda page: page.total("records_consumed_total") > 5000)
            begun = time.monotonic()
            assert service.process.terminate(deadline_seconds=25) == 0, service.log
            assert time.monotonic() - begun < 25
            positions = {s["partition"]: s["next_offset"] for s in kept_state(service)["shards"]}
            assert committed(kafka, service.group, name) == positions
            service.start()
            page = service.wait_for(lambda page: page.total("records_consumed_total"))
            assert page.total("records_consumed_total") > sum(positions.values()) > 5000
        recount = recount_of(kafka.bootstrap, name, references)
        assert_agrees_to_the_last_event(service, name, recount)
    assert scrapes.problems == []
    assert "position_out_of_range" not in service.log


def committed(kafka, group, topic):
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        offsets = admin.list_group_offsets(group)[group]
    return {where.partition: at.offset for where, at in offsets.items() if where.topic == topic}
