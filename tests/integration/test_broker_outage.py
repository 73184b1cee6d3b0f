"""The broker goes away and comes back: the service stays, and not an event is lost or repeated."""

import time

from tests.integration.parts import events
from tests.integration.parts.agreement import assert_agrees_to_the_last_event
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.topics import create_topic
from tests.integration.parts.watched_topic import recount_of, send, sending

HOURS = 3600.0
OUTAGE_SECONDS = 20.0


def test_a_broker_that_is_away_for_20_seconds_costs_nothing(references, service_on):
    # Small answers, so that the service is still far behind when the broker goes.
    with KafkaBroker(fetch_max_bytes="32768") as broker:
        topic = create_topic(broker.bootstrap, events.PARTITIONS)
        messages = events.synthetic_events(18_000, 6 * HOURS, seed=8, faults=0.0)
        send(broker.bootstrap, topic, messages[:15_000])
        service = service_on(
            broker.bootstrap, topic, watchdog={"after": "8s"}, kafka={"max_poll_records": 50}
        )
        service.start()
        with scraping(service) as scrapes:
            service.wait_for(lambda page: page.total("records_consumed_total"))
            broker.kill()
            behind = service.scrape().total("consumer_lag_records")
            assert_it_lives(service, OUTAGE_SECONDS)
            broker.start()
            send(broker.bootstrap, topic, messages[15_000:])
            recount = recount_of(broker.bootstrap, topic, references)
            service.wait_for_records(recount.consumed, topic)
        assert behind > 0
        assert scrapes.problems == []
        assert scrapes.count > 5 * OUTAGE_SECONDS
        assert service.scrape().total("features_drifted") == 0
        assert "episode_started" not in service.log
        assert_agrees_to_the_last_event(service, topic, recount)


def test_an_outage_longer_than_what_counts_as_idle_closes_no_pane(own_kafka, service_on):
    topic = create_topic(own_kafka.bootstrap, events.PARTITIONS)
    messages = events.synthetic_events(10_000, 2 * HOURS, seed=9, faults=0.0)
    service = service_on(own_kafka.bootstrap, topic, detection={"idle_after": "8s"})
    service.start()
    with sending(own_kafka.bootstrap, topic, messages, per_second=1000):
        service.wait_for(lambda page: page.total("records_consumed_total") > 3000)
        service.wait_for(lambda page: page.total("panes_judged_total"))
    own_kafka.stop()
    before = once_all_is_told(service).total("panes_judged_total")
    assert_it_lives(service, 10.0)
    assert before > 0
    assert service.scrape().total("panes_judged_total") == before


def once_all_is_told(service):
    """The page once it shows what had been fetched: the same in two of its reports."""
    page = service.scrape()
    while True:
        time.sleep(1.5)
        before, page = page, service.scrape()
        if page.total("records_consumed_total") == before.total("records_consumed_total"):
            return page


def assert_it_lives(service, seconds):
    """For so long, as Kubernetes sees it; the page stays, too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert service.get("/livez")[0] == 200, service.log
        assert service.scrape().total("records_consumed_total") > 0
        time.sleep(0.2)
