"""References of the registry as a service finds them: the last that can be read."""

import pytest

from service.errors import RecoverableError
from service.registry.publishing import publish
from service.registry.records import PARTITION, PartKey, key_bytes
from service.registry.references import RegistryReferences
from service.registry.registry import Registry
from service.registry.schedules import SchedulePublisher
from service.values.keyed_log import Draft
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import MODEL, T0, reference
from tests.unit.registry.test_schedules import decided

ONE, TWO, ANY = reference(seed=1), reference(seed=2), reference(seed=3, version=None)


@pytest.fixture
def log():
    return KeyedLogMemory(1, "refs")


def put(log, *references):
    for given in references:
        publish(Registry(log), given, by="ada", why="")


def found(log):
    registry = Registry(log)
    registry.catch_up()
    return RegistryReferences(registry)


def damage(log, reference_):
    registry = found(log).registry
    published = registry.shelf(reference_.model, reference_.version).publications
    blob = published[reference_.hash].publication.blob
    log.append([Draft(PARTITION, key_bytes(PartKey(reference_.model, blob.id, 0)), b"damaged")])


def test_a_version_has_its_own_and_else_that_for_any(log):
    put(log, ONE, ANY)
    assert found(log).find("m", "1").hash == ONE.hash
    assert found(log).find("m", "2").hash == ANY.hash
    assert found(log).find("other", "1") is None
    assert {r.version for r in found(log).of_model("m")} == {"1", None}


def test_what_was_read_once_is_the_same_object_until_another_is_current(log):
    put(log, ONE)
    references = found(log)
    before = references.find("m", "1")
    assert not references.look()
    assert references.find("m", "1") is before
    put(log, TWO)
    assert references.look()
    assert references.find("m", "1").hash == TWO.hash


def test_where_the_current_one_is_damaged_the_one_before_holds_and_it_is_named(log):
    put(log, ONE, TWO)
    damage(log, TWO)
    references = found(log)
    assert references.find("m", "1").hash == ONE.hash
    assert references.find("m", "1").hash == ONE.hash
    (problem,) = references.problems.items()
    assert problem[0] == f"reference {TWO.hash[:12]} of m version 1"
    assert "checksum" in problem[1]
    assert references.broken_total == 1
    put(log, TWO)
    references.look()
    assert references.find("m", "1").hash == TWO.hash
    assert not references.problems


def test_earlier_ones_are_found_as_long_as_they_are_kept(log):
    put(log, ONE, TWO, ANY)
    assert [r.hash for r in found(log).earlier("m", "1")] == [ONE.hash]


def test_a_broker_that_does_not_answer_changes_nothing_and_is_counted(log):
    class Away(KeyedLogMemory):
        away = False

        def follow(self, positions):
            follower = super().follow(positions)
            poll = follower.poll

            def answer(timeout_seconds):
                if self.away:
                    raise RecoverableError("nobody answers")
                return poll(timeout_seconds)

            follower.poll = answer
            return follower

    log = Away(1, "refs")
    put(log, ONE)
    references = found(log)
    log.away = True
    assert not references.look()
    assert references.find("m", "1").hash == ONE.hash
    assert references.broken_total == 1


def test_a_schedule_whose_text_somebody_removed_meanwhile_is_published_again(log):
    registry = Registry(log)
    registry.catch_up()
    publisher, references = SchedulePublisher(registry), decided(ONE)
    append = log.append

    def remove_after(drafts):
        done = append(drafts)
        for draft in drafts:
            if b"part" in draft.key and draft.value is not None:
                append([Draft(PARTITION, draft.key, None)])
        return done

    log.append = remove_after
    publisher.publish({MODEL: references})
    log.append = append
    assert publisher.publish({MODEL: references}) == 1
    assert publisher.published(MODEL)[0]["reference"] is not None
    references.add(T0, "", TWO, learns=False)
    assert publisher.publish({MODEL: references}) == 1
    assert publisher.publish({MODEL: references}) == 0
