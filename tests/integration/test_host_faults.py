"""What goes wrong on our own host: its clock, its disk."""

import json
import resource
import threading
import time
from contextlib import contextmanager

import pytest
import yaml
from kafka.admin import KafkaAdminClient
from msgspec.structs import replace

from config.loader import load
from service.clock import SystemClock
from service.composition.alone import Service, kafka_service
from service.composition.wiring import kafka_parameters
from service.ingest.kafka.source import KafkaSource
from tests.integration.parts import events
from tests.integration.parts.agreement import assert_agrees_to_the_last_event
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.service_process import Page, scrape
from tests.integration.parts.topics import send as send_values
from tests.integration.parts.watched_topic import configuration, recount_of, send, sending

HOUR_SECONDS = 3600.0
MINE = {"model": "m", "model_version": "1"}


class WrongClock(SystemClock):
    """The host's clock, which somebody set wrong; what it counts of durations stays right."""

    def __init__(self, ahead_seconds):
        self.ahead_seconds = ahead_seconds

    def now(self):
        return super().now() + self.ahead_seconds


@contextmanager
def running(kafka, name, directory, clock):
    """A service whose clock is `clock`; gives its port."""
    tree = configuration(kafka.bootstrap, name, directory) | {
        "state": {"path": str(directory / "state"), "every": "1s"},
        "web": {"flush": "200ms"},
        "detection": {"pane": "1m", "windows": ["10m"]},
        "reference": {},
    }
    file = directory / "anchorwatch.yaml"
    file.write_text(yaml.safe_dump(tree), "utf-8")
    settings = load(file, {}).settings
    parts = kafka_service(settings, "hash").parts
    source = KafkaSource(kafka_parameters(settings.kafka, parts.sources), clock)
    service = Service(settings, "hash", replace(parts, source=source, clock=clock))
    server, stop = service.server("127.0.0.1", 0), threading.Event()
    server.start()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        yield server.port
    finally:
        stop.set()
        thread.join(30)
        server.stop()
    assert not thread.is_alive()


def recent(count, until_seconds):
    """Events a second apart, the last of them now."""
    return [
        json.dumps(
            {
                "model": "m",
                "version": "1",
                "timestamp": until_seconds - count + i,
                "features": {"x": i % 7},
                "prediction": 0.5,
            }
        ).encode()
        for i in range(count)
    ]


def page_of(port, topic, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            page = scrape(port)
        except ConnectionError:
            page = Page({})
        judged = page.total("panes_judged_total") if page.get("ready") else 0
        if page.get("records_consumed_total", topic=topic) == count and judged:
            return page
        time.sleep(0.1)
    raise TimeoutError(page.values)


@pytest.mark.parametrize("ahead_seconds", [0.0, HOUR_SECONDS])
def test_a_clock_that_is_ahead_changes_no_figure(kafka, topic, tmp_path, ahead_seconds):
    name = topic()
    send_values(kafka.bootstrap, name, recent(900, time.time()))
    with running(kafka, name, tmp_path, WrongClock(ahead_seconds)) as port:
        page = page_of(port, name, 900)
    assert page.get("predictions_total", **MINE) == 900
    assert page.get("rows_late_total", **MINE) == 0
    assert page.by("rows_rejected_total", "reason", **MINE) == {}


def test_a_clock_that_is_behind_refuses_what_comes_from_its_future_and_says_so(
    kafka, topic, tmp_path
):
    name = topic()
    now = time.time()
    send_values(kafka.bootstrap, name, recent(900, now - HOUR_SECONDS) + recent(900, now))
    with running(kafka, name, tmp_path, WrongClock(-HOUR_SECONDS)) as port:
        page = page_of(port, name, 1800)
    assert page.get("predictions_total", **MINE) == 900
    assert page.by("rows_rejected_total", "reason", **MINE) == {"future": 900}
    assert page.get("rows_late_total", **MINE) == 0


def test_a_full_disk_stops_no_counting_and_is_made_up_for_once_there_is_room(
    kafka, topic, references, service_on
):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(20_000, 6 * HOUR_SECONDS, seed=21)
    service = service_on(kafka.bootstrap, name)
    service.start()
    with scraping(service) as scrapes:
        with sending(kafka.bootstrap, name, messages, per_second=2000):
            service.wait_for(lambda page: page.total("records_consumed_total") > 1000)
            saved = "checkpoint_last_success_timestamp_seconds"
            service.wait_for(lambda page: page.get(saved))
            fill_disk(service, free_bytes=len(service.log) + 20_000)
            service.wait_for(lambda page: page.get("checkpoint_failures_total") >= 2)
            before = service.scrape()
            assert service.get("/livez")[0] == 200
            service.wait_for(
                lambda page: (
                    page.total("records_consumed_total")
                    > before.total("records_consumed_total") + 1000
                )
            )
            assert service.scrape().get(saved) == before.get(saved)
            fill_disk(service, free_bytes=resource.RLIM_INFINITY)
            service.wait_for(lambda page: page.get(saved) > before.get(saved))
        recount = recount_of(kafka.bootstrap, name, references)
        service.wait_for_records(recount.consumed, name)
    assert scrapes.problems == []
    assert "make room" in service.log
    assert_agrees_to_the_last_event(service, name, recount)


def fill_disk(service, free_bytes):
    """No file of the service may be larger from now on: to it that is a disk without room."""
    _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (free_bytes, hard))


@pytest.mark.parametrize("policy", ["stop", "earliest"])
def test_a_position_beyond_the_end_of_a_topic_made_anew_is_told_or_read_by_policy(
    kafka, topic, references, service_on, policy
):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(3000, 3 * HOUR_SECONDS, seed=22, faults=0.0)
    send(kafka.bootstrap, name, messages[:2000])
    service = service_on(kafka.bootstrap, name, kafka={"out_of_range": policy})
    service.start()
    service.wait_for_records(2000, name)
    assert service.process.terminate() == 0, service.log
    made_anew(kafka.bootstrap, name)
    send(kafka.bootstrap, name, messages[2000:])
    service.start()
    if policy == "stop":
        code, log = service.ended()
        assert code == 70
        assert "Cannot go on at offset" in log
        assert name in log
        assert "kafka.out_of_range" in log
    else:
        page = service.wait_for_records(3000, name)
        assert page.get("offsets_out_of_range_total") == events.PARTITIONS
        assert page.total("predictions_total") + page.total("rows_late_total") == 3000


def made_anew(bootstrap, name):
    """The topic is deleted, and one of its name is there instead."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.delete_topics([name])
        deadline = time.monotonic() + 30
        while name in admin.list_topics() and time.monotonic() < deadline:
            time.sleep(0.1)
        new = {"num_partitions": events.PARTITIONS, "replication_factor": 1}
        admin.create_topics({name: new | {"configs": {"retention.ms": "-1"}}})
