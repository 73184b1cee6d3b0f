"""Chunks in pieces: nothing is lost, doubled or put out of order."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.values.records import Chunk, Partition, Record, Skipped, in_rounds

HERE = Partition("t", 0)
GONE = (Skipped(3, 4, "corrupt", "bad checksum"),)


def chunk(records, partition=HERE):
    offsets = [2 * i for i in range(records)]
    read = [Record(offset, 0.0, b"") for offset in offsets]
    return Chunk(partition, read, 2 * records + 5, GONE)


@given(st.integers(0, 40), st.integers(1, 12))
def test_the_pieces_of_a_chunk_are_the_chunk(records, most):
    whole = chunk(records)
    pieces = list(whole.pieces(most))
    assert [r for piece in pieces for r in piece.records] == whole.records
    assert all(len(piece.records) <= most for piece in pieces)
    assert pieces[-1].next_offset == whole.next_offset
    assert [s for piece in pieces for s in piece.skipped] == list(GONE)
    for piece, later in pairwise(pieces):
        assert piece.records[-1].offset < piece.next_offset <= later.records[0].offset


def test_chunks_are_read_side_by_side_and_a_short_one_is_done_sooner():
    there = Partition("t", 1)
    rounds = list(in_rounds([chunk(5), chunk(1, there)], 2))
    assert [[p.partition for p in together] for together in rounds] == [
        [HERE, there],
        [HERE],
        [HERE],
    ]
    assert list(in_rounds([], 2)) == []
