"""The state of shards in a compacted topic, so that any replica may go on where another stopped.

A shard's state is named blobs, and how far its input was applied. Whoever takes a shard over is a
*writer*, with an identity that nobody had before, and writes two kinds of records:

    key      layout 1 byte, then MessagePack: [shard, writer (16 bytes), part]
    part     a piece of a blob, of at most 512 KiB; part counts from 1 and is never used twice, so
             what a key once held it holds for ever
             value: layout 1 byte, bytes
    head     part 0: what there is, the only record that is replaced
             value: layout 1 byte, checksum 16 bytes, MessagePack:
             [format, software, cluster id, topic id, era, applied through, index, index parts]
    index    MessagePack, Zstandard: [[blob, [[part, checksum], ...]], ...], within the head or,
             beyond 256 KiB, in parts of its own

Checksums are BLAKE2b. These layouts are not changed, only added to at their ends: so any version
can tell whose a record is, and which version wrote a head. What is in the blobs is `format`.

Why this loses nothing, whatever dies when, and whatever compaction has got to:

- A flush appends the changed parts; once they are safe, the head; once that is safe, tombstones of
  the parts that the head no longer lists. A head is therefore whole from its first moment, until
  its own writer has a better one.
- Compaction keeps the last record of a key. As parts are immutable, it can take nothing from a
  head.
- A new writer takes the highest (era, applied through) whose parts are all there and intact, the
  later of two that are equal, and writes all of it anew under its own name. Only then it removes
  what others left, and of that only what it saw when it read, and not before the consumer group
  has confirmed that the partition was still its own after that. Somebody who was taken over from
  and does not know it yet touches records of his own alone.
- While a log is read, others append, and compaction removes what was superseded ahead of the
  reader: a log is read on until nothing of the shard has come in the meantime.

`tests/unit/state/shards` has the proof by simulation, and that it fails without these rules.
"""
