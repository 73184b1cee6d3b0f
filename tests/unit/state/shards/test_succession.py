"""Of two processes that hold one shard, both find out which of them has it."""

from service.state.shards.store import Flush, ShardStore
from service.state.shards.succession import Succession
from tests.unit.keyed_log_memory import KeyedLogMemory


class Process:
    def __init__(self, log, shard="judge"):
        self.store = ShardStore(log, "cluster")
        self.writer, state = self.store.open(shard, 0, "id")
        self.applied = state.applied_through if state else 0
        self.succession = Succession(log, self.writer)

    def flush(self):
        self.applied += 1
        self.store.flush([Flush(self.writer, {"core": b"%d" % self.applied}, 0, self.applied)])

    @property
    def superseded(self):
        return self.succession.superseded()


def test_who_is_alone_has_the_shard():
    process = Process(KeyedLogMemory())
    assert not process.superseded
    process.flush()
    process.flush()
    assert not process.superseded


def test_the_newer_of_two_has_it_and_the_older_is_told_once_the_newer_has_written():
    log = KeyedLogMemory()
    older = Process(log)
    older.flush()
    newer = Process(log)
    assert not older.superseded
    newer.flush()
    older.flush()
    assert (older.superseded, newer.superseded) == (True, False)


def test_of_two_that_had_written_nothing_when_the_other_opened_the_later_to_write_has_it():
    log = KeyedLogMemory()
    one, other = Process(log), Process(log)
    one.flush()
    other.flush()
    one.flush()
    assert (one.superseded, other.superseded) == (True, False)


def test_who_was_overtaken_before_it_wrote_is_told_before_it_writes():
    log = KeyedLogMemory()
    stopped = Process(log)
    Process(log).flush()
    assert stopped.superseded


def test_what_is_tombstoned_of_the_one_before_takes_nothing_over():
    log = KeyedLogMemory()
    before = Process(log)
    before.flush()
    process = Process(log)
    process.flush()
    before.flush()
    process.writer.confirm()
    process.flush()
    assert not process.superseded


def test_other_shards_of_the_partition_do_not_matter():
    log = KeyedLogMemory()
    judge = Process(log)
    judge.flush()
    Process(log, "predictions/0").flush()
    assert not judge.superseded
