"""Publishing references to a topic, choosing among them, and reading them again."""

import numpy as np
import pytest

from service.errors import ConfigurationError, RecoverableError
from service.monitor.references.file import read, write
from service.registry import records
from service.registry.publishing import KEEP, ORPHAN_SECONDS, publish, roll_back
from service.registry.records import FORMAT, BrokenRecord, PartKey, key_bytes
from service.registry.registry import Registry
from service.values.keyed_log import Draft
from service.values.references import Reference
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import reference


@pytest.fixture
def log() -> KeyedLogMemory:
    return KeyedLogMemory(3, "refs")


def put(log: KeyedLogMemory, given: Reference, by: str = "ada", why: str = "") -> object:
    log.now_seconds += 1.0
    return publish(Registry(log), given, by=by, why=why)


def seen(log: KeyedLogMemory) -> Registry:
    registry = Registry(log)
    registry.catch_up()
    return registry


def current(log: KeyedLogMemory, model: str = "m", version: str | None = "1") -> Reference | None:
    registry = seen(log)
    shelf = registry.shelf(model, version)
    if shelf.current is None:
        return None
    blob = shelf.publications[shelf.current.choice.hash].publication.blob
    return read(registry.text(model, blob), "registry")


def test_what_is_published_is_read_as_it_was_by_everybody(log):
    given = reference()
    assert put(log, given).done == "published"
    assert write(current(log)) == write(given)
    assert current(log, version="2") is None
    assert current(log, model="other") is None


def test_each_version_and_each_model_keeps_its_own(log):
    one, two = reference(seed=1), reference(seed=2, version="2")
    any_version, other = reference(seed=3, version=None), reference(seed=4, model="other")
    for given in (one, two, any_version, other):
        put(log, given)
    for given in (one, two, any_version, other):
        assert current(log, given.model, given.version).hash == given.hash


def test_the_same_reference_again_changes_nothing_and_says_so(log):
    put(log, reference(), by="ada")
    before = [list(entries) for entries in log.entries]
    outcome = put(log, reference(), by="eve")
    assert outcome.done == "unchanged"
    assert outcome.current.choice.by == "ada"
    assert log.entries == before


def test_an_older_one_published_again_is_current_again_without_its_text(log):
    one, two = reference(seed=1), reference(seed=2)
    put(log, one)
    put(log, two)
    parts_before = len(seen(log).part_seconds)
    outcome = put(log, one)
    assert (outcome.done, outcome.replaced) == ("again", two.hash)
    assert current(log).hash == one.hash
    assert len(seen(log).part_seconds) == parts_before


def test_a_reference_larger_than_a_record_is_split_and_joined(log, monkeypatch):
    monkeypatch.setattr(records, "PART_MAX_BYTES", 300)
    given = reference()
    put(log, given)
    registry = seen(log)
    assert len(registry.part_seconds) > 2
    assert all(len(e.value) <= 300 for entries in log.entries for e in entries if b"part" in e.key)
    assert current(log).hash == given.hash


def test_a_reference_of_2000_features_is_kept_in_records_below_a_mebibyte(log):
    rng = np.random.default_rng(5)
    columns = {f"feature-{i}": rng.lognormal(size=200).tolist() for i in range(2000)}
    given = reference(200, inputs=columns)
    assert len(write(given)) > 2**20
    put(log, given)
    assert max(len(e.value) for entries in log.entries for e in entries) <= 512 * 2**10
    assert current(log).hash == given.hash


def test_rollback_goes_back_one_reference_at_a_time(log):
    given = [reference(seed=seed) for seed in (1, 2, 3)]
    for one in given:
        put(log, one)
    for expected in (given[1], given[0]):
        log.now_seconds += 1.0
        outcome = roll_back(Registry(log), "m", "1", to=None, by="eve", why="too early")
        assert outcome.current.choice.hash == expected.hash
        assert outcome.current.choice.action == "rolled back"
        assert current(log).hash == expected.hash
    with pytest.raises(ConfigurationError, match=f"name one by --to|{given[2].hash[:12]}"):
        roll_back(Registry(log), "m", "1", to=None, by="eve", why="")


def test_rollback_to_a_named_one_and_a_name_that_fits_none_says_which_there_are(log):
    given = [reference(seed=seed) for seed in (1, 2, 3)]
    for one in given:
        put(log, one)
    roll_back(Registry(log), "m", "1", to=given[0].hash[:8], by="eve", why="")
    assert current(log).hash == given[0].hash
    with pytest.raises(ConfigurationError, match=given[1].hash[:12]):
        roll_back(Registry(log), "m", "1", to="zz", by="eve", why="")
    with pytest.raises(ConfigurationError, match="reference list"):
        roll_back(Registry(log), "nobody", "1", to=None, by="eve", why="")


def test_history_is_bounded_and_old_texts_are_let_go_of_after_an_hour(log):
    given = [reference(200, seed=seed) for seed in range(KEEP + 5)]
    for one in given:
        put(log, one)
    assert len(seen(log).shelf("m", "1").publications) == KEEP
    assert len(seen(log).part_seconds) == KEEP + 5
    log.now_seconds += ORPHAN_SECONDS + 60.0
    put(log, reference(200, seed=999))
    registry = seen(log)
    assert len(registry.shelf("m", "1").publications) == KEEP
    assert len(registry.part_seconds) == KEEP
    for partition in range(3):
        log.compact(partition)
    assert current(log).hash == reference(200, seed=999).hash
    assert not seen(log).problems


def test_a_text_that_is_not_in_memory_is_read_from_the_topic_again(log):
    one, two = reference(seed=1), reference(seed=2)
    put(log, one)
    put(log, two)
    registry = seen(log)
    assert len(registry._parts) == 1
    blob = registry.shelf("m", "1").publications[one.hash].publication.blob
    assert read(registry.text("m", blob), "again").hash == one.hash


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"", b"nonsense"),
        (b"\x01\xff\xff", b"nonsense"),
        (bytes([FORMAT + 1]) + b"\x90", b"of a later version"),
        (bytes([FORMAT]) + b"\x92\xa5never\x01", b"no kind of ours"),
        (key_bytes(records.ReferenceKey("m", "1", "f" * 64)), b"\x01\x80"),
        (key_bytes(records.ChoiceKey("m", "1", "x")), b"\x01\xc0"),
        (key_bytes(records.ScheduleKey("m", "1")), b""),
    ],
)
def test_a_broken_record_is_named_and_counted_and_what_was_there_holds(log, key, value):
    put(log, reference())
    partition = records.PARTITION
    log.append([Draft(partition, key, value)])
    registry = seen(log)
    assert registry.broken_total == 1
    assert f"refs, partition {partition}" in next(iter(registry.problems))
    assert current(log).hash == reference().hash


def test_a_damaged_text_is_refused_by_its_checksum_and_publishing_again_mends_it(log):
    given = reference()
    put(log, given)
    registry = seen(log)
    (part,) = registry.part_seconds
    log.append([Draft(records.PARTITION, key_bytes(part), b"damaged")])
    with pytest.raises(BrokenRecord, match="checksum"):
        current(log)
    assert put(log, given).done == "published"
    assert current(log).hash == given.hash


def test_a_text_that_would_unpack_to_more_than_it_says_is_refused():
    blob, parts = records.cut("x" * 10_000)
    lying = records.Blob(blob.id, blob.parts, 10)
    with pytest.raises(BrokenRecord, match="10 bytes"):
        records.joined(lying, parts)


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(log):
    put(log, reference())
    registry = seen(log)
    partition = records.PARTITION
    log.retain_from(partition, 1000)
    log._ends[partition] = 1000
    put(log, reference(seed=7))
    registry._follower.positions[partition] = 3
    assert registry.look()
    assert registry.shelf("m", "1").current.choice.hash == reference(seed=7).hash


def test_publishers_at_the_same_time_both_keep_theirs_and_the_last_is_current(log):
    one, two = Registry(log), Registry(log)
    one.catch_up()
    two.catch_up()
    publish(one, reference(seed=1), by="ada", why="")
    publish(two, reference(seed=2), by="eve", why="")
    shelf = seen(log).shelf("m", "1")
    assert len(shelf.publications) == 2
    assert shelf.current.choice.by == "eve"


def test_parts_are_named_by_their_content():
    blob, parts = records.cut("normal")
    (draft,) = records.part_drafts("m", blob, parts)
    assert draft.key == key_bytes(PartKey("m", blob.id, 0))


def shortened(log, by=1):
    """As brokers that lost the end of a log leave it, for who has read it."""
    log.entries[records.PARTITION] = log.entries[records.PARTITION][:-by]
    log._ends[records.PARTITION] -= by


def test_a_log_that_lost_its_end_is_read_from_its_beginning_at_once(log):
    put(log, reference())
    put(log, reference(seed=7))
    registry = seen(log)
    shortened(log)
    registry.catch_up()
    assert registry.shelf("m", "1").current.choice.hash == reference().hash
    assert not registry.look()


def test_what_is_known_holds_until_a_log_is_read_from_its_beginning_again(log, monkeypatch):
    put(log, reference())
    registry = seen(log)
    put(log, reference(seed=7))
    registry.catch_up()
    shortened(log)

    def away(*_):
        raise RecoverableError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr(log, "follow", away)
        for look in (registry.look, registry.catch_up):
            with pytest.raises(RecoverableError):
                look()
            assert registry.shelf("m", "1").current.choice.hash == reference(seed=7).hash
    assert registry.look()
    assert registry.shelf("m", "1").current.choice.hash == reference().hash
