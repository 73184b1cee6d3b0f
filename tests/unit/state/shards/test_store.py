"""What a store of shards promises to whoever opens and flushes them."""

import math
import random

import pytest

from service.errors import FormatTooNew, FormatTooOld, RecoverableError, StateCorrupt, StateLost
from service.state.shards import writer as writing
from service.state.shards.layout import HEAD, PART_MAX_BYTES, decode_key
from service.state.shards.recovery import ShardState
from service.state.shards.store import Flush, Opening, ShardStore
from tests.unit.keyed_log_memory import KeyedLogMemory

SHARD = "predictions/0"
BIG = random.Random(5).randbytes(PART_MAX_BYTES * 2 + 7)


class Fallible(KeyedLogMemory):
    """Fails at the append whose number is in `failing`, with half of it there."""

    def __init__(self, failing=()):
        super().__init__(2)
        self.failing = set(failing)
        self.appends = []

    def append(self, drafts):
        self.appends.append(drafts)
        if len(self.appends) in self.failing:
            super().append(drafts[: len(drafts) // 2])
            raise RecoverableError("the broker is gone")
        return super().append(drafts)


def opened(log, shard=SHARD, topic_id="id", **settings):
    return ShardStore(log, "cluster", **settings).open(shard, 0, topic_id)


def flush(log, writer, blobs, applied=10, era=0, **settings):
    return ShardStore(log, "cluster", **settings).flush([Flush(writer, blobs, era, applied)])


def written(blobs, applied=10, era=0, **settings):
    """A log in which one writer has flushed once."""
    log = Fallible()
    flush(log, opened(log)[0], blobs, applied, era, **settings)
    return log


def parts_of(log):
    return [e for e in log.entries[0] if e.value is not None and decode_key(e.key).part != HEAD]


def head_of(log):
    (entry,) = [e for e in log.entries[0] if decode_key(e.key).part == HEAD]
    return entry


def replaced(log, entry, value):
    log.entries[0] = [
        e if e is not entry else type(e)(e.partition, e.offset, 0.0, e.key, value)
        for e in log.entries[0]
    ]


def test_of_a_shard_that_nobody_wrote_there_is_no_state():
    assert opened(KeyedLogMemory())[1] is None


def test_a_state_comes_back_as_it_was_flushed():
    blobs = {"core": b"counts", "empty": b"", "größe/7": BIG}
    state = opened(written(blobs, applied=41, era=3))[1]
    assert state == ShardState(blobs, 3, 41)


def test_a_state_without_blobs_is_not_the_same_as_none():
    assert opened(written({}, applied=-1))[1] == ShardState({}, 0, -1)


def test_blobs_are_cut_into_parts_of_at_most_half_a_mebibyte():
    sizes = [len(entry.value) for entry in parts_of(written({"big": BIG}))]
    assert sizes == [PART_MAX_BYTES + 1, PART_MAX_BYTES + 1, 8]


def test_only_what_changed_is_written_and_what_it_replaces_removed():
    log = Fallible()
    writer, _ = opened(log)
    flush(log, writer, {"big": BIG, "core": b"1", "pane": b"x"})
    end = log.ends()[0]
    flush(log, writer, {"core": b"2", "pane": None, "absent": None}, 11)
    new = [e for e in log.entries[0] if e.offset >= end]
    assert [e.value is None for e in new] == [False, False, True, True]
    log.compact(0)
    assert opened(log)[1].blobs == {"big": BIG, "core": b"2"}


def test_bytes_that_are_there_already_are_not_written_again():
    log = Fallible()
    writer, _ = opened(log)
    flush(log, writer, {"big": BIG, "core": b"1"})
    end = log.ends()[0]
    flush(log, writer, {"big": bytes(BIG), "core": b"1"}, 11)
    assert log.ends()[0] == end + 1


def test_a_flush_of_nothing_new_writes_nothing():
    log = Fallible()
    writer, _ = opened(log)
    log.now_seconds = 7.0
    assert flush(log, writer, {"core": b"1"}) == 7.0
    end = log.ends()[0]
    assert math.isnan(flush(log, writer, {"core": b"1"}))
    assert log.ends()[0] == end


def test_each_step_is_one_append_for_all_shards_and_the_next_waits_for_it():
    log = Fallible()
    store = ShardStore(log, "cluster")
    writers = [store.open(shard, n % 2, "id")[0] for n, shard in enumerate("abc")]
    store.flush([Flush(w, {"core": b"1"}, 0, 1) for w in writers])
    store.flush([Flush(w, {"core": b"2"}, 0, 2) for w in writers])
    assert [len(drafts) for drafts in log.appends] == [3, 3, 3, 3, 3]
    assert {d.value for d in log.appends[-1]} == {None}


def test_whoever_takes_over_writes_everything_under_a_name_of_its_own():
    log = written({"big": BIG, "core": b"1"})
    writer, _ = opened(log)
    flush(log, writer, {"core": b"2"}, 11)
    own = [decode_key(e.key) for e in log.entries[0] if decode_key(e.key).writer == writer.id]
    assert [key.part for key in own] == [1, 2, 3, 4, HEAD]


def test_what_others_left_is_removed_once_ownership_is_confirmed_and_not_before():
    log = written({"core": b"1"})
    writer, _ = opened(log)
    flush(log, writer, {})
    assert all(entry.value is not None for entry in log.entries[0])
    writer.confirm()
    flush(log, writer, {})
    log.compact(0)
    assert {decode_key(e.key).writer for e in log.entries[0]} == {writer.id}
    end = log.ends()[0]
    flush(log, writer, {})
    assert log.ends()[0] == end


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_after_a_failure_writers_refuse_until_their_shards_are_opened_again(failing):
    log = Fallible({2 + failing})
    writer, _ = opened(log)
    flush(log, writer, {"core": b"1"})
    with pytest.raises(RecoverableError, match="gone"):
        flush(log, writer, {"core": b"2", "pane": b"x"}, 11)
    with pytest.raises(RecoverableError, match=f"shard {SHARD} failed before: open it again"):
        flush(log, writer, {"core": b"3"}, 12)
    again, state = opened(log)
    assert (state.applied_through, state.blobs["core"]) in [(10, b"1"), (11, b"2")]
    flush(log, again, {"core": b"3"}, 12)
    assert opened(log)[1].blobs["core"] == b"3"


def test_what_would_go_back_is_refused_before_anything_is_written():
    log = written({"core": b"1"}, applied=10, era=1)
    writer, _ = opened(log)
    for era, applied in ((1, 9), (0, 20)):
        with pytest.raises(ValueError, match=r"from \(1, 10\) back to"):
            flush(log, writer, {}, applied, era)
    assert not writer.is_spoiled
    flush(log, writer, {}, 10, 1)


def test_a_shard_twice_in_one_flush_and_a_name_without_end_are_refused():
    log = KeyedLogMemory()
    writer, _ = opened(log)
    with pytest.raises(ValueError, match="twice"):
        ShardStore(log, "cluster").flush([Flush(writer, {}, 0, 1), Flush(writer, {}, 0, 2)])
    with pytest.raises(ValueError, match="1025 characters"):
        flush(log, writer, {"x" * 1025: b""})
    assert not log.entries[0]


def test_an_index_of_many_blobs_is_kept_in_parts_and_replaced_with_every_flush():
    log = Fallible()
    writer, _ = opened(log)
    blobs = {f"pane/{n}/{random.Random(n).randbytes(40).hex()}": b"%d" % n for n in range(9000)}
    flush(log, writer, blobs)
    assert len(head_of(log).value) < 1000
    gone = next(iter(blobs))
    flush(log, writer, {gone: None}, 11)
    log.compact(0)
    expected = {name: blob for name, blob in blobs.items() if name != gone}
    assert opened(log)[1].blobs == expected
    assert len(parts_of(log)) == len(expected) + 2  # the rest are the index


def test_shards_of_one_partition_do_not_know_of_each_other():
    log = KeyedLogMemory()
    store = ShardStore(log, "cluster")
    a, b = (store.open(shard, 0, "id")[0] for shard in ("a", "b"))
    store.flush([Flush(a, {"core": b"a"}, 0, 1), Flush(b, {"core": b"b"}, 0, 2)])
    again, _ = store.open("a", 0, "id")
    again.confirm()
    store.flush([Flush(again, {}, 0, 3)])
    assert store.open("b", 0, "id")[1] == ShardState({"core": b"b"}, 0, 2)


def test_a_writer_knows_who_was_there_before_it_and_where_its_own_records_begin():
    log = KeyedLogMemory()
    before, _ = opened(log)
    flush(log, before, {"core": b"1"})
    writer, _ = opened(log)
    assert (writer.predecessors, writer.opened_at) == ({before.id}, log.ends()[0])


def test_many_shards_are_opened_with_one_reading_of_each_partition():
    class Counted(KeyedLogMemory):
        readings = 0

        def read(self, partition):
            self.readings += 1
            return super().read(partition)

    log = Counted(2)
    store = ShardStore(log, "cluster")
    openings = [Opening(f"s{n}", n % 2, "id") for n in range(6)]
    writers = [writer for writer, _ in store.open_all(openings)]
    store.flush([Flush(w, {"core": w.shard.encode()}, 0, 1) for w in writers])
    log.readings = 0
    states = [state for _, state in store.open_all(openings)]
    assert [state.blobs["core"].decode() for state in states] == [o.shard for o in openings]
    assert log.readings == 2


def test_the_highest_position_wins_and_of_two_that_are_equal_the_later():
    log = KeyedLogMemory()
    zombie, _ = opened(log)
    flush(log, zombie, {"core": b"old"}, 5)
    owner, _ = opened(log)
    flush(log, owner, {"core": b"new"}, 9)
    flush(log, zombie, {"core": b"zombie"}, 8)
    assert opened(log)[1].blobs == {"core": b"new"}
    flush(log, zombie, {"core": b"later"}, 9)
    assert opened(log)[1].blobs == {"core": b"later"}


def test_a_higher_era_wins_whatever_the_positions():
    log = written({"core": b"old"}, applied=1000)
    writer, state = ShardStore(log, "cluster").reset(SHARD, 0, "id")
    assert state == ShardState({}, 1, -1)
    assert opened(log)[1].applied_through == 1000, "nothing is given up before the first flush"
    flush(log, writer, {"core": b"new"}, 3, state.era)
    assert opened(log)[1] == ShardState({"core": b"new"}, 1, 3)


def test_a_reset_is_above_an_era_that_is_known_from_elsewhere_and_needs_nothing_whole():
    log = written({"core": b"x"}, era=4)
    replaced(log, parts_of(log)[0], b"\x01broken")
    assert ShardStore(log, "cluster").reset(SHARD, 0, "other")[1].era == 5
    assert ShardStore(log, "cluster").reset(SHARD, 0, "id", era_known=80)[1].era == 81


def test_a_state_of_which_parts_are_missing_or_broken_is_corrupt_and_they_are_named():
    log = written({"core": b"x", "big": BIG})
    del log.entries[0][1]
    replaced(log, log.entries[0][0], b"\x01y")
    with pytest.raises(StateCorrupt) as caught:
        opened(log)
    for said in (SHARD, "memory/0", "core (of 1 parts 0 missing, 1 broken)", "through 10", "reset"):
        assert said in str(caught.value)
    assert "big (of 3 parts 1 missing, 0 broken)" in str(caught.value)


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x02" + bytes(40), b"\x01" + bytes(200)])
def test_a_head_that_does_not_read_back_is_corrupt(value):
    log = written({"core": b"x"})
    replaced(log, head_of(log), value)
    with pytest.raises(StateCorrupt, match="does not read back"):
        opened(log)


def test_a_broken_better_head_is_passed_over_and_told_of():
    log = KeyedLogMemory()
    older, _ = opened(log)
    flush(log, older, {"core": b"old"}, 5)
    newer, _ = opened(log)
    flush(log, newer, {"core": b"new"}, 9)
    replaced(log, parts_of(log)[1], b"\x01broken")
    state = opened(log)[1]
    assert state.blobs == {"core": b"old"}
    assert len(state.passed_over) == 1
    assert "through 9" in state.passed_over[0]


def test_parts_without_any_head_are_no_state_but_are_removed_later():
    log = Fallible({2})
    with pytest.raises(RecoverableError):
        flush(log, opened(log)[0], {"core": b"x"})
    writer, state = opened(log)
    assert state is None
    writer.confirm()
    flush(log, writer, {})
    log.compact(0)
    assert len(log.entries[0]) == 1


@pytest.mark.parametrize(("cluster", "topic_id"), [("other", "id"), ("cluster", "other")])
def test_what_was_counted_of_another_topic_or_cluster_is_lost_by_name(cluster, topic_id):
    log = written({"core": b"x"})
    with pytest.raises(StateLost, match=r"Was the topic\s+recreated"):
        ShardStore(log, cluster).open(SHARD, 0, topic_id)


def test_a_newer_format_names_the_version_that_wrote_it(monkeypatch):
    monkeypatch.setattr(writing, "version", lambda _: "7.1.0")
    log = written({"core": b"x"}, format=3, newest=3)
    with pytest.raises(FormatTooNew, match=r"written by Anchorwatch 7\.1\.0 in format 3.*1 to 2"):
        opened(log, format=2, newest=2)
    assert opened(log, format=4, newest=4)[1].format == 3


def test_a_format_before_the_last_is_refused_with_the_way_there():
    log = written({"core": b"x"})
    with pytest.raises(FormatTooOld, match="reads format 1 and writes 2"):
        opened(log, format=3, newest=3)


def test_a_newer_format_that_was_overtaken_does_not_matter():
    log = written({"core": b"x"}, applied=5, format=2, newest=2)
    writer, _ = opened(log, format=1, newest=2)
    flush(log, writer, {"core": b"y"}, 6)
    assert opened(log)[1] == ShardState({"core": b"y"}, 0, 6)


def test_only_the_newest_format_and_the_one_before_it_can_be_written():
    for format_ in (0, 1, 4):
        with pytest.raises(ValueError, match=r"not one of \[2, 3\]"):
            ShardStore(KeyedLogMemory(), "cluster", format=format_, newest=3)


def test_records_of_nobody_are_passed_over():
    log = written({"core": b"x"})
    for key in (b"", b"\x01", b"\x01\xc1", b"\x02whatever", b"\x01\x93\xa1a\xc4\x01x\x00"):
        entry = log.entries[0][0]
        log.entries[0].append(type(entry)(0, log.ends()[0], 0.0, key, b"x"))
    assert opened(log)[1].blobs == {"core": b"x"}


def test_the_size_is_that_of_the_blobs_that_are_listed():
    log = KeyedLogMemory()
    writer, _ = opened(log)
    assert writer.size_bytes == 0
    flush(log, writer, {"core": b"12345", "pane": b"1"})
    flush(log, writer, {"pane": None}, 11)
    assert writer.size_bytes == 5
