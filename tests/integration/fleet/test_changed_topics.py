"""What is done to the topics while a fleet reads and writes them."""

import time

from kafka.admin import KafkaAdminClient

from tests.integration.fleet.stage import PARTITIONS, SCRAPE_SECONDS, assert_never_back, scenario
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.sent_panes import wait_until_all_go_on
from tests.integration.parts.topics import create_topic


@scenario
def test_partitions_that_are_added_are_read_from_their_beginning(stage):
    few = PARTITIONS - 2
    topic = create_topic(stage.bootstrap, few)
    fleet = stage.fleet(topic)
    fleet.start(workers=2)
    with scraping(fleet.judge, every_seconds=SCRAPE_SECONDS) as scrapes:
        with stage.traffic(fleet, end=few):
            fleet.wait_until_owned(few)
            with KafkaAdminClient(bootstrap_servers=stage.bootstrap) as admin:
                admin.create_partitions({topic: PARTITIONS})
            with stage.traffic(fleet, first=few):
                fleet.wait_until_owned(PARTITIONS)
                wait_until_all_go_on(fleet)
        stage.assert_counted_once(fleet, unjudged_max=10_000)
    assert_never_back(scrapes)


@scenario
def test_without_its_state_topic_a_fleet_stops_and_does_not_begin_anew(stage):
    fleet = stage.fleet()
    with stage.traffic(fleet):
        fleet.start(workers=1)
        fleet.wait_until_owned(PARTITIONS)
        time.sleep(7)
        with KafkaAdminClient(bootstrap_servers=stage.bootstrap) as admin:
            admin.delete_topics([fleet.topics["state"]])
        for member in fleet.members:
            code, said = member.ended()
            assert code == 70, said
            assert fleet.topics["state"] in said
        fleet.start_worker(0)
        code, said = fleet.workers[0].ended()
    assert code == 70, said
    assert "--accept-lost-state" in said
