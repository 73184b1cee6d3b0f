"""A fleet that nothing happens to."""

import time

from tests.integration.parts.fleet_verdict import assert_counted_once
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.traffic import traffic

PARTITIONS = 6


def test_a_fleet_counts_every_event_once(kafka, topic, fleet_on, fleet_references):
    fleet = fleet_on(kafka.bootstrap, topic(PARTITIONS))
    fleet.start(workers=3)
    with scraping(fleet.judge) as scrapes:
        with traffic(kafka.bootstrap, fleet.topic, PARTITIONS, seed=1):
            fleet.wait_until(lambda: len(fleet.owned()) == PARTITIONS, "all are owned")
            time.sleep(8)
        assert_counted_once(kafka.bootstrap, fleet, fleet_references.contents, PARTITIONS)
    assert scrapes.problems == []
    assert scrapes.with_books > 10
