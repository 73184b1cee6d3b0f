"""A fleet on three brokers, of which one or all are away for a while."""

import time

import pytest

from tests.integration.fleet.stage import PARTITIONS, Stage, build_traffic_references
from tests.integration.parts.sent_panes import wait_until_all_go_on

OUTAGE_SECONDS = 30.0
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def traffic_references(tmp_path_factory):
    return build_traffic_references(tmp_path_factory.mktemp("references"))


@pytest.fixture
def fleet_of(kafka_cluster, traffic_references, tmp_path):
    """A stage on the cluster, and a fleet on it whose topics have three copies each."""
    stage = Stage(kafka_cluster.servers, traffic_references, tmp_path)
    topic = kafka_cluster.create_topic(PARTITIONS, min_insync_replicas="2")
    yield stage, stage.fleet(topic)
    stage.close()


def test_a_fleet_goes_on_without_one_of_three_brokers_and_when_it_is_back(kafka_cluster, fleet_of):
    stage, fleet = fleet_of
    # Some events wait in producers while leaders move, and their panes may be judged without them.
    with stage.under_load(fleet, workers=2, unjudged_max=10_000):
        time.sleep(6)
        kafka_cluster.stop(2)
        wait_until_all_go_on(fleet)
        kafka_cluster.start(2)
        kafka_cluster.wait_in_sync()
        kafka_cluster.kill(1)
        wait_until_all_go_on(fleet)
        kafka_cluster.start(1)
        kafka_cluster.wait_in_sync()
        wait_until_all_go_on(fleet)


def test_a_fleet_waits_for_brokers_that_are_all_away_and_goes_on_where_it_was(
    kafka_cluster, fleet_of
):
    stage, fleet = fleet_of
    with stage.under_load(fleet, workers=2, unjudged_max=10_000):
        time.sleep(6)
        for node in kafka_cluster.brokers:
            kafka_cluster.kill(node)
        time.sleep(OUTAGE_SECONDS)
        assert all(member.is_running for member in fleet.members)
        kafka_cluster.start()
        wait_until_all_go_on(fleet)


def test_leaders_that_move_do_not_disturb_a_fleet(kafka_cluster, fleet_of):
    stage, fleet = fleet_of
    with stage.under_load(fleet, workers=2, unjudged_max=10_000):
        time.sleep(6)
        for name in (fleet.topic, fleet.topics["state"], fleet.topics["panes"]):
            for node in (1, 2, 3):
                kafka_cluster.move_leader(name, 0, node)
        wait_until_all_go_on(fleet)
