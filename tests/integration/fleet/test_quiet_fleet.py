"""A fleet that nothing happens to."""

import time

from tests.integration.fleet.stage import scenario


@scenario
def test_a_fleet_counts_every_event_once(stage):
    with stage.under_load(workers=3):
        time.sleep(8)
