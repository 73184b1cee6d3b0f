"""The log in memory, on which pure parts are tried, behaves as the topic does."""

from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.keyed_log_suite import KeyedLogSuite, draft


class TestKeyedLogMemory(KeyedLogSuite):
    def open(self, partitions):
        self.made = KeyedLogMemory(partitions)
        return self.made

    def again(self):
        return self.made

    def retain_from(self, partition, offset):
        self.made.retain_from(partition, offset)


def test_compaction_leaves_the_last_of_a_key_and_no_tombstone():
    log = KeyedLogMemory()
    log.append([draft(0, "a", "1"), draft(0, "b", "2"), draft(0, "a", "3"), draft(0, "b", None)])
    log.compact(0)
    assert [(e.offset, e.value) for e in log.read(0)] == [(2, b"3")]
    assert log.follow({0: None}).ends() == {0: 4}
