"""Mixed faults from seeds. `make soak` plays ten times as many."""

import pytest

from tests.integration.fleet.random_faults import play, schedule, words
from tests.integration.fleet.stage import scenario

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
@scenario
def test_whatever_happens_in_whatever_order_every_event_counts_once(stage, seed):
    events = schedule(seed)
    try:
        with stage.under_load(workers=2) as fleet:
            play(fleet, events)
    except Exception as error:
        error.add_note(words(events))
        raise
