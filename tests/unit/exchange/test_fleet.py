"""Whatever happens to workers and the judge, in the end every event was judged once; and that the
rules of images which see to it are needed.

FLEET_SCHEDULES=10000 tries so many schedules.
"""

import os

import pytest

from service.monitor.counting.image import Image
from tests.unit.exchange.fleet import CHANGE, GIVEN, MODEL, Fleet, Rules

SCHEDULES = int(os.environ.get("FLEET_SCHEDULES", "60"))


def settled(seed, rules=None, steps=36):
    fleet = Fleet(seed, rules)
    fleet.run(steps)
    fleet.settle()
    return fleet


def assert_every_row_is_accounted_for(fleet):
    """Also where something could not be judged: nothing is lost, nothing is there twice."""
    counted, late = fleet.recount()
    judge, images = fleet.judge.judge, fleet.judge.images
    assert fleet.judge.repeated == []
    assert images.tally.rows_lost == 0
    totals = [judge.totals(key, images) for key in GIVEN]
    assert sum(t.late for t in totals) == late
    assert sum(t.predictions for t in totals) == sum(rows for rows, _ in counted.values())
    books = {image.partition: image.book.consumed for image in images}
    assert books == {partition: len(log) for partition, log in fleet.log.items()}
    for place, (rows, _) in fleet.judge.judged.items():
        assert rows <= counted[place][0]
    assert sum(image.open_panes for image in images) == 0


def assert_everything_is_judged_once(fleet):
    assert_every_row_is_accounted_for(fleet)
    assert fleet.judge.judged == fleet.recount()[0]
    assert unjudged(fleet) == 0
    assert fleet.judge.images.tally.conflicts == 0


def assert_it_goes_wrong():
    for seed in range(60):
        try:
            assert_everything_is_judged_once(settled(seed))
        except AssertionError:
            return
    pytest.fail("all was judged once: is the rule not needed, or the simulation too tame?")


def unjudged(fleet):
    return sum(model.rows_unjudged for model in fleet.judge.judge.models.values())


@pytest.mark.parametrize("first", range(0, SCHEDULES, 10))
def test_every_event_is_judged_once_whatever_dies_stalls_or_moves(first):
    for seed in range(first, first + 10):
        assert_everything_is_judged_once(settled(seed))


@pytest.mark.parametrize("first", range(1000, 1030, 10))
def test_after_a_partition_was_left_alone_every_row_is_judged_or_told_to_be_unjudged(first):
    given_up = 0
    for seed in range(first, first + 10):
        fleet = settled(seed, Rules(outages=True), steps=80)
        assert_every_row_is_accounted_for(fleet)
        assert fleet.judge.images.tally.conflicts == 0
        given_up += unjudged(fleet)
    assert given_up > 0


@pytest.mark.parametrize("first", range(2000, 2030, 10))
def test_rows_that_were_binned_by_an_outdated_reference_are_unjudged_and_no_others(first):
    given_up = 0
    for seed in range(first, first + 10):
        fleet = settled(seed, Rules(late_schedules=True))
        assert_every_row_is_accounted_for(fleet)
        given_up += unjudged(fleet)
        recount, _ = fleet.recount()
        touched = {place for place in recount if place[0] == MODEL and place[1] >= CHANGE}
        for place in recount.keys() - touched:
            assert fleet.judge.judged[place] == recount[place]
    assert given_up > 0


def test_it_goes_wrong_when_progress_counts_that_falls_behind_what_was_accepted(monkeypatch):
    take_progress = Image.take_progress

    def whatever_comes(self, stamp, progress, body):
        self.stamp = None
        return take_progress(self, stamp, progress, body)

    monkeypatch.setattr(Image, "take_progress", whatever_comes)
    assert_it_goes_wrong()


def test_it_goes_wrong_when_panes_count_before_the_progress_behind_them(monkeypatch):
    take_pane = Image.take_pane

    def at_once(self, sent):
        (take_pane if sent.early else Image._accept)(self, sent)

    monkeypatch.setattr(Image, "take_pane", at_once)
    assert_it_goes_wrong()


def test_it_goes_wrong_when_progress_lets_panes_of_another_writer_count(monkeypatch):
    take_progress = Image.take_progress

    def with_all_that_waits(self, stamp, progress, body):
        if self.stamp is None or stamp.reached >= self.stamp.reached:
            for sent in [s for s in self.staged if not s.early and s.stamp != stamp]:
                self._accept(sent)
        return take_progress(self, stamp, progress, body)

    monkeypatch.setattr(Image, "take_progress", with_all_that_waits)
    assert_it_goes_wrong()
