"""What the judge decides reaches the workers, and nothing that is still counted is lost."""

import math
from functools import partial

import pytest

from service.monitor.references.in_force import References
from service.monitor.references.planning import plan_for
from service.registry.records import PARTITION, ScheduleKey, key_bytes
from service.registry.registry import Registry
from service.registry.schedule_book import ScheduleBook
from service.registry.schedules import RETIRED_MAX, SchedulePublisher
from service.values.keyed_log import Draft
from service.values.streams import Kind, ModelKey
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import MODEL, T0, reference, watch

V2 = ModelKey("m", "2")


class GivenMemory:
    """References by identity, as a directory would have them."""

    def __init__(self, *references):
        self.references = list(references)

    def __call__(self, key):
        fitting = [r for r in self.references if (r.model, r.version) == key]
        return fitting[0] if fitting else None

    def of_model(self, model):
        return [r for r in self.references if r.model == model]

    def earlier(self, key):
        return iter(())

    def look(self):
        return False


def decided(given=None, key=MODEL, **changes):
    return References(given, partial(plan_for, key, watch(**changes)))


def book_of(log, given=(), models_max=10, **changes):
    registry = Registry(log)
    registry.catch_up()
    book_watch = watch(**changes)
    return ScheduleBook(registry, GivenMemory(*given), lambda _: book_watch, plan_for, models_max)


def judge_of(log):
    registry = Registry(log)
    registry.catch_up()
    return SchedulePublisher(registry)


@pytest.fixture
def log():
    return KeyedLogMemory(2, "refs")


def test_a_worker_begins_as_the_judge_does_and_changes_nothing_when_that_is_published(log):
    given = reference()
    book = book_of(log, [given])
    before = book.schedule(MODEL)
    assert before.at(T0).reference_hash == given.hash
    judge_of(log).publish({MODEL: decided(given)})
    assert book.look() == frozenset()
    assert book.schedule(MODEL) is before


def test_without_any_reference_everything_is_counted_to_be_learned(log):
    plan = book_of(log).schedule(MODEL).at(T0)
    assert plan.reference_hash == ""
    assert plan.learn_inputs


def test_what_the_judge_learns_holds_from_the_pane_it_said(log):
    book = book_of(log)
    book.schedule(MODEL)
    references = decided()
    judge = judge_of(log)
    judge.publish({MODEL: references})
    learned = reference(seed=3)
    references.add(T0 + 600.0, "", learned, learns=False)
    judge.publish({MODEL: references})
    assert book.look() == {MODEL}
    schedule = book.schedule(MODEL)
    assert schedule.at(T0 + 540.0).reference_hash == ""
    assert schedule.at(T0 + 600.0).reference_hash == learned.hash


def test_plans_of_workers_and_judge_are_equal(log):
    references = decided(reference(outputs=False))
    references.add(T0, "x", reference(seed=3), learns=True)
    judge_of(log).publish({MODEL: references})
    theirs = book_of(log).schedule(MODEL).plans
    for (start, plan), (expected_start, expected) in zip(
        theirs, references.schedule().plans, strict=True
    ):
        assert start == expected_start
        assert (plan.reference_hash, plan.numeric, plan.learn_outputs, plan.learns) == (
            expected.reference_hash,
            expected.numeric,
            expected.learn_outputs,
            expected.learns,
        )


def test_what_has_not_changed_is_not_published_again(log):
    judge, references = judge_of(log), decided(reference())
    assert judge.publish({MODEL: references}) == 1
    before = log.ends()
    assert judge.publish({MODEL: references}) == 0
    assert judge_of(log).publish({MODEL: decided(reference())}) == 0
    assert log.ends() == before


def test_panes_of_a_reference_that_is_over_are_still_read_also_after_a_restart(log):
    old, new = reference(seed=1), reference(seed=2)
    references, judge = decided(old), judge_of(log)
    judge.publish({MODEL: references})
    book = book_of(log)
    book.schedule(MODEL)
    references.add(T0, "", new, learns=False)
    references.retire(T0)
    judge.publish({MODEL: references})
    book.look()
    assert book.schedule(MODEL).settled
    book.retain({MODEL: {old.hash}})
    assert book.plan(MODEL, old.hash).reference_hash == old.hash
    restarted = book_of(log)
    assert restarted.plan(MODEL, old.hash).layout.cell_count
    assert restarted.plan(MODEL, "").learn_inputs
    with pytest.raises(KeyError):
        restarted.plan(MODEL, "f" * 64)


def test_entries_that_are_over_are_bounded(log):
    references, judge = decided(reference(200)), judge_of(log)
    for number in range(RETIRED_MAX + 4):
        start = T0 + 60.0 * number
        references.add(start, "", reference(200, seed=number), learns=False)
        references.retire(start)
        judge.publish({MODEL: references})
    registry = Registry(log)
    registry.catch_up()
    assert len(registry.schedules[MODEL].retired) == RETIRED_MAX
    assert len(registry.schedules[MODEL].entries) == 1


def test_a_judge_that_forgets_a_version_takes_its_schedule_back(log):
    judge = judge_of(log)
    judge.publish({MODEL: decided(reference(seed=5))})
    book = book_of(log)
    assert book.schedule(MODEL).at(T0).reference_hash == reference(seed=5).hash
    judge.forget([MODEL, V2])
    assert judge.published(MODEL) is None
    assert book.look() == {MODEL, V2}  # a shard may hold what nobody has asked for here
    assert book.was_taken_back(MODEL)
    assert book.was_taken_back(V2)
    assert book.schedule(MODEL).at(T0).learn_inputs
    assert judge.publish({MODEL: decided(reference(seed=5))}) == 1


def test_versions_beyond_the_limit_are_counted_and_a_forgotten_one_makes_room(log):
    judge = judge_of(log)
    judge.publish({MODEL: decided()})
    book = book_of(log, models_max=1)
    assert book.schedule(MODEL) is not None
    assert book.schedule(V2) is None
    assert book.over_limit == 1
    judge.forget([MODEL])
    book.look()
    book.retain({})
    assert book.schedule(V2) is not None


def test_a_new_version_inherits_what_is_normal_of_the_inputs_and_learns_its_outputs(log):
    learned = reference(seed=7)
    judge_of(log).publish({MODEL: decided(learned)})
    plan = book_of(log, inherit=True).schedule(V2).at(T0)
    assert {key.kind for key in plan.streams} == {Kind.INPUT}
    assert plan.learn_outputs
    assert not plan.learn_inputs
    assert book_of(log).schedule(V2).at(T0).learn_inputs


def test_a_broken_schedule_is_named_and_what_holds_goes_on(log):
    judge_of(log).publish({MODEL: decided(reference(seed=5))})
    book = book_of(log)
    before = book.schedule(MODEL)
    key = key_bytes(ScheduleKey(*MODEL))
    log.append([Draft(PARTITION, key, b"\x01nonsense")])
    assert book.look() == frozenset()
    assert book.schedule(MODEL) is before
    assert book._registry.problems


def test_what_holds_goes_on_while_a_log_that_lost_its_end_is_read_again(log):
    judge, references = judge_of(log), decided(reference(seed=5))
    judge.publish({MODEL: references, V2: decided(key=V2)})
    book = book_of(log)
    before = book.schedule(MODEL)
    log.entries[PARTITION] = log.entries[PARTITION][:-1]  # the schedule of V2
    log._ends[PARTITION] -= 1
    assert book.look() == frozenset()
    assert book.schedule(MODEL) is before
    assert not book.was_taken_back(MODEL)


def test_a_schedule_that_the_log_has_lost_is_published_again_and_holds_on_until_then(log):
    judge, references = judge_of(log), decided(reference(seed=5))
    judge.publish({MODEL: references})
    book = book_of(log)
    before = book.schedule(MODEL)
    log.entries[PARTITION] = log.entries[PARTITION][:-1]
    log._ends[PARTITION] -= 1
    assert book.look() == frozenset()
    assert book.schedule(MODEL) is before
    assert not book.was_taken_back(MODEL)
    judge._registry.look()
    judge.publish({MODEL: references})
    book.look()
    assert book._registry.schedules.keys() == {MODEL}
    assert book.schedule(MODEL) is before


def test_times_before_the_first_entry_survive_the_topic(log):
    judge = judge_of(log)
    judge.publish({MODEL: decided()})
    (entry,) = judge_of(log).published(MODEL)
    assert entry == {
        "effective_from_seconds": -math.inf,
        "given_hash": "",
        "reference": None,
        "learns": True,
    }
