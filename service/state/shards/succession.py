"""Whether somebody took a shard over, where no consumer group says whose it is: the judge's."""

from service.state.shards.layout import decode_key
from service.state.shards.writer import ShardWriter
from service.values.keyed_log import Entry, KeyedLog


class Succession:
    """Reads what is appended to the shard's partition from the opening on.

    Of two writers that know nothing of each other, the one whose first record is later has the
    shard; both come to the same answer. Who has not written yet since another began has read what
    does not hold any more, and is taken over from, too.
    """

    def __init__(self, log: KeyedLog, writer: ShardWriter) -> None:
        self._writer = writer
        self._follower = log.follow({writer.partition: writer.opened_at or None})
        self._firsts: dict[bytes, int] = {}

    def superseded(self) -> bool:
        """True once the shard is somebody else's. Raises RecoverableError when nobody answers."""
        end = self._follower.ends()[self._writer.partition]
        while self._follower.positions[self._writer.partition] < end:
            entries = self._follower.poll(0.0)
            for entry in entries:
                self._take(entry)
            if not entries:
                break  # the rest comes with the next call
        ours = self._firsts.get(self._writer.id, -1)
        return max(self._firsts.values(), default=-1) > ours

    def _take(self, entry: Entry) -> None:
        """Note the first record of a writer. Tombstones are of others than their keys say."""
        key = decode_key(entry.key)
        if key is None or entry.value is None or key.shard != self._writer.shard:
            return
        if key.writer not in self._writer.predecessors:
            self._firsts.setdefault(key.writer, entry.offset)

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        self._follower.close()
