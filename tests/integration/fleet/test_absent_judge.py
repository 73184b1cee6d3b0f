"""A judge that was away while workers went on."""

import json
import random
import time

from tests.integration.fleet.stage import PARTITIONS, scenario
from tests.integration.parts import traffic
from tests.integration.parts.events import Message
from tests.integration.parts.fleet import PATIENCE_SECONDS
from tests.integration.parts.watched_topic import send

PAST_SECONDS = 3 * 3600.0
PANES = 240
ROWS = 25


def drifting_past(seed):
    """Panes of three hours ago; from the middle on amounts are ten times as high."""
    rng, begun = random.Random(seed), float(int(time.time() - PAST_SECONDS))
    for number in range(PANES * ROWS):
        at = begun + number / ROWS
        features = traffic.features(rng)
        if number > PANES * ROWS / 2:
            features["amount"] *= 10
        event = {"model": "credit", "version": "1", "timestamp": at, "features": features}
        event["prediction"] = rng.random()
        yield Message(number % PARTITIONS, round(at * 1000), json.dumps(event).encode())


@scenario
def test_a_judge_that_was_away_catches_up_and_pages_nobody_for_the_past(stage):
    fleet = stage.fleet()
    for _ in range(2):
        fleet.add_worker()
    fleet.wait_until_owned(PARTITIONS)
    send(stage.bootstrap, fleet.topic, list(drifting_past(1)))
    time.sleep(3)
    fleet.judge.start()
    fleet.judge.wait_for(lambda page: page.total("panes_judged_total") >= PANES, PATIENCE_SECONDS)
    fleet.wait_until(lambda: "episode_started" in fleet.judge.log, "an episode is told")
    page = fleet.judge.scrape()
    assert list(page.each("episode_active")) == []
    assert page.total("episodes_total", severity="log") >= 1
    assert page.total("episodes_total") == page.total("episodes_total", severity="log")
    stage.assert_counted_once(fleet)
