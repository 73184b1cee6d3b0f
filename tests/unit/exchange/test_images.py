"""What the judge believes of what workers send: J1, J2 and J4, rule by rule."""

import math
from collections import Counter

import pytest

from service.monitor.counting.image_blobs import image_blobs, restore_images
from service.monitor.counting.images import Images
from service.monitor.counting.panes import Pane
from service.monitor.counting.progress import ModelProgress, Progress
from service.monitor.counting.shard import TimeRules
from service.monitor.counting.totals import ModelTotals, RecordBook
from service.monitor.references.planning import plan_for
from service.state.snapshot import decode, encode
from service.values.exchange import SentPane, SentProgress, Stamp, Unreadable
from service.values.records import Partition
from tests.unit.monitor.events import IDLE, LATENESS, MODEL, OTHER, P0, P1, P2, PANE, T0, watch

ME, OTHERS = b"w" * 16, b"z" * 16
PLAN = plan_for(MODEL, watch(), None, learns=False)
HASH = PLAN.reference_hash
PARTITIONS = frozenset({P0, P1, P2})


class Ledger:
    """A judge as images see it: which models it admits, and what was given up."""

    def __init__(self):
        self.refused = set()
        self.given_up = Counter()

    def admits(self, key):
        return key not in self.refused

    def give_up(self, key, rows):
        self.given_up[key] += rows


class Desk:
    """Images, and workers that tell of them in a few words. Times are seconds after T0."""

    def __init__(self):
        self.ledger = Ledger()
        self.images = Images(self.ledger, decode, TimeRules(), IDLE)
        self.now = T0

    def pane(self, start, rows, through, *, writer=ME, early=False, era=0, on=P0, of=None, **more):
        pane = Pane(T0 + start, PLAN)
        pane.summary.rows = rows
        self.images.take(
            [
                SentPane(
                    partition=on,
                    model=of or MODEL,
                    start_seconds=T0 + start,
                    pane_seconds=PANE,
                    reference_hash=more.get("reference", HASH),
                    early=early,
                    stamp=Stamp(writer, era, through),
                    rows=rows,
                    counts_hash=more.get("counts", b"%d" % rows),
                    body=more.get("body", encode(pane.state())),
                )
            ],
            self.now,
        )

    def progress(self, through, w, predictions=0, open_rows=0, *, writer=ME, era=0, on=P0, **more):
        models = {}
        for key in more.get("models", (MODEL,)):
            totals = ModelTotals()
            totals.predictions = predictions
            models[key] = ModelProgress(
                watermark_seconds=T0 + w,
                passed_seconds=T0 + more.get("passed", w),
                newest_event_seconds=T0 + w + LATENESS,
                last_arrival_seconds=T0 + w + LATENESS,
                last_seen_seconds=T0 + w,
                open_rows=open_rows,
                totals=totals,
            )
        told = Progress(
            RecordBook(),
            T0 + w + LATENESS,
            T0 + more.get("caught_up", -math.inf),
            T0 + more.get("passed_others", w),
            models,
            more.get("since", 0),
        )
        body = more.get("body", encode(told.state()))
        self.images.take([SentProgress(on, Stamp(writer, era, through), body)], self.now)

    def model(self, key=MODEL, on=P0):
        return self.images.by_partition[on].models[key]

    def predictions(self):
        totals = ModelTotals()
        self.model().add_totals_to(totals)
        return totals.predictions

    def held(self, on=P0):
        return {at - T0: sent.rows for (at, _), sent in self.model(on=on).held.items()}

    def early(self):
        return {at - T0: sent.rows for (at, _), sent in self.model().early.items()}

    def judge(self, end):
        """Rows of the panes that are handed over, by start."""
        closed = self.model().take_closed(T0 + end, PANE, lambda _: PLAN)
        self.ledger.given_up[MODEL] += closed.rows_unjudged
        return {pane.start_seconds - T0: pane.rows for pane in closed.panes}

    def missing(self, after, *, at_the_end=True, expected=PARTITIONS):
        self.now = T0 + after
        return self.images.missing(self.now, expected, at_the_end=at_the_end)

    def restarted(self):
        blobs, _ = image_blobs(self.images, {}, encode)
        after = Desk()
        after.ledger = self.ledger
        after.images = Images(self.ledger, decode, TimeRules(), IDLE)
        restore_images(after.images, blobs, decode)
        return after


def test_a_pane_counts_once_its_writers_progress_has_come():
    desk = Desk()
    desk.pane(0, 5, through=9)
    assert desk.images.open_rows(MODEL) == 0
    desk.progress(9, w=60, predictions=7, open_rows=2)
    assert desk.held() == {0: 5}
    assert desk.images.open_rows(MODEL) == 7


def test_a_pane_of_another_writer_under_the_same_offset_does_not_count_beside_it():
    desk = Desk()
    desk.pane(0, 5, through=9, writer=OTHERS, reference="late")
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=5)
    assert [known.reference_hash for known in desk.model().held] == [HASH]
    desk.progress(9, w=60, predictions=5, writer=OTHERS)
    assert [known.reference_hash for known in desk.model().held] == [HASH]
    assert desk.images.tally.conflicts == 0


def test_panes_that_an_overtaken_writer_left_behind_never_count():
    desk = Desk()
    desk.pane(0, 5, through=5, writer=OTHERS, reference="late")
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=5)
    assert [known.reference_hash for known in desk.model().held] == [HASH]
    assert desk.images.by_partition[P0].staged == []


def test_a_progress_that_falls_behind_is_refused_with_its_panes():
    desk = Desk()
    desk.progress(9, w=60, predictions=5, open_rows=5)
    desk.pane(60, 3, through=8, writer=OTHERS)
    desk.progress(8, w=120, predictions=4, open_rows=1, writer=OTHERS)
    assert (desk.held(), desk.model().watermark(LATENESS)) == ({}, T0 + 60)
    assert desk.images.tally.late == 1
    assert desk.images.by_partition[P0].staged == []


def test_a_progress_of_the_same_offset_is_taken_since_time_goes_on():
    desk = Desk()
    desk.progress(9, w=60, caught_up=100)
    desk.progress(9, w=60, caught_up=110)
    assert desk.images.by_partition[P0].caught_up_seconds == T0 + 110


def test_a_pane_that_comes_again_is_dropped_and_other_counts_are_a_conflict():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=5)
    desk.pane(0, 5, through=12, writer=OTHERS)
    desk.progress(12, w=60, predictions=5, writer=OTHERS)
    assert desk.held() == {0: 5}
    assert (desk.images.tally.repeats, desk.images.tally.conflicts) == (2, 0)
    desk.pane(0, 4, through=13)
    desk.progress(13, w=60, predictions=5)
    assert desk.held() == {0: 5}
    assert desk.images.tally.conflicts == 1


def test_a_pane_that_ends_by_the_accepted_watermark_is_dropped_whatever_its_reference():
    desk = Desk()
    desk.progress(9, w=60)
    desk.pane(0, 5, through=12, reference="late")
    desk.pane(60, 2, through=12)
    desk.progress(12, w=120, predictions=2)
    assert desk.held() == {60: 2}


def test_the_same_pane_many_times_in_one_flush_counts_once_in_a_backlog_too():
    desk = Desk()
    for _ in range(2):
        for number in range(50):
            desk.pane(number * PANE, 1, through=99)
    desk.progress(99, w=3000, predictions=50)
    assert (len(desk.held()), desk.images.tally.conflicts) == (50, 0)
    assert len(desk.model().counts) == 30


def test_of_copies_of_an_open_pane_the_one_that_has_read_furthest_wins():
    desk = Desk()
    desk.pane(0, 3, through=9, early=True)
    desk.progress(9, w=0, predictions=3, open_rows=3)
    assert desk.early() == {0: 3}
    desk.pane(0, 2, through=7, early=True, writer=OTHERS)
    desk.pane(0, 4, through=12, early=True, writer=OTHERS)
    desk.progress(9, w=0, predictions=3, open_rows=3)
    assert desk.early() == {0: 3}, "what is ahead of the accepted progress waits"
    desk.progress(12, w=0, predictions=4, open_rows=4, writer=OTHERS)
    assert desk.early() == {0: 4}


def test_a_copy_counts_though_the_progress_of_its_writer_has_fallen_behind():
    """The writer will not send it again, since it has not changed."""
    desk = Desk()
    desk.progress(9, w=0, predictions=3, open_rows=3)
    desk.pane(0, 3, through=7, early=True, writer=OTHERS)
    desk.progress(7, w=0, predictions=3, open_rows=3, writer=OTHERS)
    desk.progress(12, w=0, predictions=3, open_rows=3, writer=OTHERS)
    assert desk.early() == {0: 3}


def test_a_closed_pane_takes_the_place_of_its_copy():
    desk = Desk()
    desk.pane(0, 3, through=9, early=True)
    desk.progress(9, w=0, predictions=3, open_rows=3)
    desk.pane(0, 4, through=12)
    desk.progress(12, w=60, predictions=4)
    assert (desk.early(), desk.held(), desk.images.open_rows(MODEL)) == ({}, {0: 4}, 4)


def test_copies_of_closed_starts_are_let_go_whatever_their_reference():
    desk = Desk()
    desk.pane(0, 3, through=9, early=True, reference="late")
    desk.progress(9, w=0, predictions=3, open_rows=3)
    desk.pane(0, 3, through=12)
    desk.progress(12, w=60, predictions=3)
    assert desk.early() == {}


@pytest.mark.parametrize("restarts", [False, True])
def test_of_a_pane_that_closes_after_its_copy_was_judged_only_the_difference_is_unjudged(restarts):
    desk = Desk()
    desk.pane(0, 3, through=9, early=True)
    desk.progress(9, w=0, predictions=3, open_rows=3)
    assert desk.judge(60) == {0: 3}
    assert desk.images.open_rows(MODEL) == 0
    desk = desk.restarted() if restarts else desk
    desk.progress(11, w=0, predictions=5, open_rows=5)
    assert desk.images.open_rows(MODEL) == 2
    desk.pane(0, 5, through=12)
    desk.progress(12, w=60, predictions=5)
    assert (desk.images.open_rows(MODEL), desk.ledger.given_up[MODEL]) == (0, 2)
    assert desk.judge(60) == {}


def test_a_copy_of_a_start_that_was_judged_is_not_judged_again():
    desk = Desk()
    desk.pane(0, 3, through=9, early=True)
    desk.progress(9, w=0, predictions=3, open_rows=3)
    desk.judge(60)
    desk.pane(0, 4, through=10, early=True)
    desk.progress(10, w=0, predictions=4, open_rows=4)
    assert desk.judge(60) == {}
    assert desk.images.open_rows(MODEL) == 1


def test_panes_of_another_reference_are_given_up_and_their_copies_are_left_until_they_close():
    desk = Desk()
    desk.pane(0, 3, through=9, reference="late")
    desk.pane(60, 2, through=9, reference="late", early=True)
    desk.progress(9, w=60, predictions=5, open_rows=2)
    assert desk.judge(120) == {}
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (3, 2)
    desk.pane(60, 2, through=12, reference="late")
    desk.progress(12, w=120, predictions=5)
    desk.judge(120)
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (5, 0)


def test_rows_of_panes_that_never_came_are_given_up_and_counted():
    desk = Desk()
    desk.progress(9, w=60, predictions=8, open_rows=3)
    assert (desk.ledger.given_up[MODEL], desk.images.tally.rows_lost) == (5, 5)
    assert desk.images.open_rows(MODEL) == 3
    desk.progress(10, w=60, predictions=8, open_rows=3)
    assert desk.ledger.given_up[MODEL] == 5


def test_rows_that_were_judged_early_are_not_given_up_when_their_pane_is_lost():
    desk = Desk()
    desk.pane(0, 3, through=9, early=True)
    desk.progress(9, w=0, predictions=3, open_rows=3)
    desk.judge(60)
    desk.progress(12, w=60, predictions=4)
    assert (desk.images.open_rows(MODEL), desk.ledger.given_up[MODEL]) == (0, 1)
    assert desk.images.tally.conflicts == 0


def test_after_a_reset_counts_are_added_to_those_of_before():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=7, open_rows=2)
    desk.pane(60, 9, through=9, early=True)
    desk.progress(-1, w=-math.inf, era=1, since=1, models=())
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (7, 0)
    desk.pane(0, 4, through=4, era=1)
    desk.progress(4, w=60, predictions=4, era=1, since=1)
    assert desk.predictions() == 11
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (7, 4)
    desk.pane(120, 1, through=20)
    desk.progress(20, w=180, predictions=8)
    assert desk.predictions() == 11


def test_counts_that_go_on_into_a_new_era_are_not_added_twice():
    """A log that was cut short: what its shard has counted before stays, at a lower offset."""
    desk = Desk()
    desk.pane(0, 5, through=90)
    desk.progress(90, w=60, predictions=7, open_rows=2)
    desk.pane(60, 3, through=4, era=1)
    desk.progress(4, w=120, predictions=8, era=1, since=0)
    assert desk.predictions() == 8
    assert (desk.held(), desk.ledger.given_up[MODEL]) == ({0: 5, 60: 3}, 0)
    desk.progress(91, w=180, predictions=99)
    assert desk.predictions() == 8


def test_a_model_that_is_forgotten_is_gone_until_more_of_it_is_counted():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=7, open_rows=2)
    desk.judge(60)
    image = desk.images.by_partition[P0]
    image.forget(MODEL)
    desk.progress(9, w=60, predictions=7, open_rows=2)
    assert image.models == {}
    desk = desk.restarted()
    image = desk.images.by_partition[P0]
    assert image.models == {}
    desk.progress(12, w=60, predictions=8, open_rows=3)
    told = desk.predictions()
    assert told == desk.images.open_rows(MODEL) == 3


def test_a_model_that_its_worker_has_forgotten_too_begins_anew():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=7, open_rows=2)
    image = desk.images.by_partition[P0]
    image.forget(MODEL)
    desk.progress(10, w=60, models=())
    desk.progress(12, w=60, predictions=3, open_rows=3)
    assert desk.predictions() == 3
    assert desk.images.open_rows(MODEL) == 3


def test_a_model_of_which_less_is_told_was_begun_anew_and_its_counts_do_not_go_back():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=7, open_rows=2)
    desk.progress(12, w=0, predictions=3, open_rows=3)
    assert desk.predictions() == 10
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (7, 3)


def test_nothing_is_held_of_a_model_that_is_not_admitted_and_its_rows_are_unjudged_if_it_is_later():
    desk = Desk()
    desk.ledger.refused.add(MODEL)
    desk.pane(0, 5, through=9)
    desk.pane(60, 2, through=9, early=True)
    desk.progress(9, w=60, predictions=7, open_rows=2)
    assert (desk.held(), desk.early(), desk.ledger.given_up) == ({}, {}, {})
    desk.ledger.refused.clear()
    desk.progress(10, w=60, predictions=7, open_rows=2)
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (5, 2)


def test_partitions_are_missing_after_five_minutes_without_progress():
    desk = Desk()
    assert desk.missing(0) == frozenset()
    desk.progress(9, w=60)
    desk.progress(9, w=60, on=P1)
    assert desk.missing(299) == frozenset()
    desk.progress(10, w=60, on=P1)
    assert desk.missing(300) == {P0, P2}
    passed = [image.passed_seconds(MODEL, LATENESS, IDLE) - T0 for image in desk.images]
    assert passed == [math.inf, 60, math.inf]
    desk.progress(10, w=60)
    assert desk.missing(301) == {P2}


def test_nothing_is_missing_while_the_topic_of_panes_was_not_read_to_its_end():
    desk = Desk()
    desk.missing(0)
    assert desk.missing(1000, at_the_end=False) == frozenset()
    assert desk.missing(1000) == PARTITIONS


def test_a_partition_that_was_never_told_of_is_waited_for():
    desk = Desk()
    desk.missing(0)
    assert {image.passed_seconds(MODEL, LATENESS, IDLE) for image in desk.images} == {-math.inf}


def test_nothing_is_passed_before_it_is_known_which_partitions_there_are():
    desk = Desk()
    desk.progress(9, w=60)
    (image,) = desk.images
    assert image.passed_seconds(MODEL, LATENESS, IDLE) == -math.inf
    desk.missing(0, at_the_end=False, expected=frozenset({P0}))
    assert image.passed_seconds(MODEL, LATENESS, IDLE) == T0 + 60
    desk.progress(9, w=600, on=P1)
    assert desk.images.by_partition[P1].passed_seconds(MODEL, LATENESS, IDLE) == -math.inf


def test_a_partition_that_nobody_reads_any_more_holds_nobody_up_and_is_not_missing():
    desk = Desk()
    desk.progress(9, w=60)
    assert desk.missing(1000, expected=frozenset({P1})) == frozenset()
    assert desk.images.by_partition[P0].passed_seconds(MODEL, LATENESS, IDLE) == math.inf
    assert desk.images.by_partition[P0].caught_up_seconds == math.inf


def test_that_a_partition_is_idle_holds_for_what_its_worker_has_read_when_that_is_not_now():
    desk = Desk()
    desk.missing(0, at_the_end=False)
    desk.progress(9, w=60, passed=math.inf, caught_up=200)
    (image, *_) = desk.images

    def passed():
        return image.passed_seconds(MODEL, LATENESS, IDLE) - T0

    assert passed() == 140.0
    desk.missing(10)
    assert passed() == math.inf
    desk.missing(31)
    assert passed() == 140.0
    desk.progress(9, w=160, passed=math.inf, caught_up=200)
    assert passed() == 160.0


def test_a_model_that_a_partition_has_not_seen_passes_with_the_others():
    desk = Desk()
    desk.missing(0)
    desk.progress(9, w=60, passed_others=45)
    (image, *_) = desk.images
    assert image.passed_seconds(OTHER, LATENESS, IDLE) == T0 + 45


def hoarding(desk, panes, on, of=MODEL):
    for number in range(panes):
        desk.pane(number * PANE, 1, through=99, on=on, of=of)


def test_what_is_too_far_ahead_of_the_slowest_partition_is_held():
    desk = Desk()
    desk.missing(0)
    hoarding(desk, 31, P0)
    desk.progress(99, w=31 * PANE, predictions=31)
    desk.progress(9, w=60, on=P1)
    desk.progress(9, w=90, on=P2)
    assert desk.images.to_hold(16) == {0}
    desk.judge(PANE)
    assert desk.images.to_hold(16) == frozenset()


def test_what_brings_the_slowest_partition_is_never_held():
    desk = Desk()
    desk.missing(0)
    hoarding(desk, 31, P0)
    desk.progress(99, w=31 * PANE, predictions=31)
    desk.progress(9, w=90, on=P1)
    desk.progress(9, w=60, on=P2)
    assert desk.images.to_hold(2) == frozenset()
    assert desk.images.to_hold(16) == {0}


def test_panes_that_wait_for_their_progress_are_hoarded_too():
    desk = Desk()
    desk.missing(0)
    desk.progress(9, w=60)
    hoarding(desk, 31, P0)
    assert desk.images.to_hold(16) == {0}


def test_a_partition_is_not_missing_because_it_is_held():
    desk = Desk()
    desk.missing(0)
    hoarding(desk, 31, P0)
    desk.progress(99, w=31 * PANE, predictions=31)
    desk.progress(9, w=60, on=P1)
    desk.progress(9, w=60, on=P2)
    assert desk.images.to_hold(16) == {0}
    assert desk.missing(400) == {P1, P2}


def test_a_progress_that_makes_no_sense_is_named_and_its_panes_come_to_nothing():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, body=encode({"book": 1}))
    desk.progress(9, w=60, body=b"?")
    (first, second) = desk.images.refused()
    assert {first.reason, second.reason} == {Unreadable.BODY}
    assert "events/0" in first.detail
    assert desk.images.refused() == []
    assert desk.images.tally.unreadable == 2


@pytest.mark.parametrize("body", [b"?", encode(1), encode({}), encode({"start_seconds": T0})])
def test_rows_of_a_pane_that_makes_no_sense_are_unjudged(body):
    desk = Desk()
    desk.pane(0, 5, through=9, body=body)
    desk.progress(9, w=60, predictions=5)
    assert desk.model().open_panes(PLAN) == []
    assert desk.judge(60) == {}
    assert (desk.ledger.given_up[MODEL], desk.images.open_rows(MODEL)) == (5, 0)
    assert [bad.reason for bad in desk.images.refused()] == [Unreadable.BODY]


def test_a_pane_of_another_length_is_unjudged():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=5)
    closed = desk.model().take_closed(T0 + 600, PANE / 2, lambda _: PLAN)
    assert closed == ([], 5)


def test_images_come_back_from_their_blobs_with_the_same_future():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.pane(60, 2, through=9, early=True)
    desk.progress(9, w=60, predictions=7, open_rows=2, caught_up=100)
    desk.pane(60, 3, through=12)
    desk.pane(0, 4, through=10, writer=OTHERS)
    after = desk.restarted()
    for one in (desk, after):
        assert (one.held(), one.early()) == ({0: 5}, {60: 2})
        one.progress(10, w=60, predictions=7, open_rows=2, writer=OTHERS)
        assert one.images.tally.conflicts == 1
        one.progress(12, w=120, predictions=8)
        assert (one.held(), one.early()) == ({0: 5, 60: 3}, {})
        assert one.images.by_partition[P0].next_offset == 13
    assert vars(after.images.tally) == vars(desk.images.tally)


def test_only_what_has_changed_of_the_images_is_written():
    desk = Desk()
    desk.pane(0, 5, through=9)
    desk.progress(9, w=60, predictions=5)
    desk.progress(9, w=60, on=P1)
    _, known = image_blobs(desk.images, {}, encode)
    changed, known = image_blobs(desk.images, known, encode)
    assert changed == {}
    desk.judge(60)
    changed, known = image_blobs(desk.images, known, encode)
    assert [blob for name, blob in changed.items() if name.startswith("image/held/")] == [None]
    desk.progress(10, w=60, on=P1)
    changed, _ = image_blobs(desk.images, known, encode)
    assert len(changed) == 1


def test_partitions_of_several_topics_are_told_apart():
    desk = Desk()
    other = Partition("more events", 0)
    desk.progress(9, w=60, predictions=1, open_rows=1)
    desk.progress(9, w=60, predictions=2, open_rows=2, on=other)
    assert [image.partition for image in desk.images] == [P0, other]
    assert desk.images.open_rows(MODEL) == 3
