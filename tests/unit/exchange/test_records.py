"""What workers send comes back as it was, in any pieces; what is broken is named and counted."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.exchange import reader as reader_module
from service.exchange.reader import Reader
from service.exchange.records import BODY_MAX_BYTES, LAYOUT, PIECE_MAX_BYTES, drafts_of
from service.values.exchange import SentPane, SentProgress, Stamp, Unreadable
from service.values.keyed_log import Draft, Entry
from service.values.records import Partition
from service.values.streams import ModelKey

ME, OTHER = b"w" * 16, b"z" * 16
P7 = Partition("ml.predictions", 7)


def pane(body=b"body", start=120.0, writer=ME, through=41, early=False, rows=3):
    return SentPane(
        partition=P7,
        model=ModelKey("credit-risk", "3"),
        start_seconds=start,
        pane_seconds=60.0,
        reference_hash="abc",
        early=early,
        stamp=Stamp(writer, 2, through),
        rows=rows,
        counts_hash=b"12345678",
        body=body,
    )


def progress(body=b"how far", writer=ME, through=41):
    return SentProgress(P7, Stamp(writer, 2, through), body)


def entries(drafts, first=0):
    return [
        Entry(draft.partition, first + i, 0.0, draft.key, draft.value)
        for i, draft in enumerate(drafts)
    ]


def body_of(pieces):
    return bytes(range(256)) * (PIECE_MAX_BYTES * pieces // 256)


def reasons(refused):
    return [bad.reason for bad in refused]


def test_panes_and_progress_come_back_as_they_were_sent():
    sent = [pane(), pane(early=True, body=b""), progress()]
    assert Reader().take(entries(drafts_of(sent, 16))) == (sent, [])


def test_all_of_an_input_partition_goes_to_one_partition_of_the_topic():
    assert {draft.partition for draft in drafts_of([pane(), progress()], 16)} == {7}
    assert {draft.partition for draft in drafts_of([pane(), progress()], 4)} == {3}


@pytest.mark.parametrize("pieces", [1, 2, 9])
def test_a_large_pane_is_cut_into_records_below_a_mebibyte_and_joined_again(pieces):
    sent = pane(body_of(pieces) + b"x")
    drafts = drafts_of([sent], 16)
    assert len(drafts) == pieces + 1
    assert all(len(draft.key) + len(draft.value) < 2**20 for draft in drafts)
    reader = Reader()
    assert reader.take(entries(drafts[:-1])) == ([], [])
    assert reader.take(entries(drafts[-1:])) == ([sent], [])
    assert reader.state() == []


def test_a_pane_larger_than_any_bound_is_refused_where_it_is_sent():
    with pytest.raises(ValueError, match=r"a pane of credit-risk v3 in ml.predictions/7"):
        drafts_of([pane(b"\0" * (BODY_MAX_BYTES + 1))], 16)


def test_pieces_of_two_writers_of_one_pane_never_mix():
    mine = pane(body_of(1) + b"mine", writer=ME)
    others = pane(body_of(1) + b"other", writer=OTHER)
    (a, b), (c, d) = drafts_of([mine], 16), drafts_of([others], 16)
    assert Reader().take(entries([a, c, d, b])) == ([others, mine], [])


def test_pieces_that_come_twice_are_joined_once_they_are_whole():
    sent = pane(body_of(1) + b"x")
    first, second = drafts_of([sent], 16)
    assert Reader().take(entries([first, first, second])) == ([sent], [])


def test_pieces_that_wait_survive_a_restart():
    sent = pane(body_of(2) + b"x")
    drafts = drafts_of([sent], 16)
    before = Reader()
    before.take(entries(drafts[:2]))
    after = Reader.from_state(msgspec.msgpack.decode(msgspec.msgpack.encode(before.state())))
    assert after.take(entries(drafts[2:], 2)) == ([sent], [])


def test_a_pane_that_is_not_whole_by_its_writers_progress_is_named():
    first, _ = drafts_of([pane(body_of(1) + b"x")], 16)
    reader = Reader()
    sent, refused = reader.take(entries([first, *drafts_of([progress()], 16)]))
    assert (sent, reasons(refused)) == ([progress()], [Unreadable.INCOMPLETE])
    assert reader.state() == []


def test_what_an_overtaken_writer_left_unfinished_is_no_fault():
    first, _ = drafts_of([pane(body_of(1) + b"x", writer=OTHER, through=30)], 16)
    reader = Reader()
    assert reader.take(entries([first, *drafts_of([progress()], 16)])) == ([progress()], [])
    assert reader.state() == []


def test_what_a_writer_that_is_ahead_has_begun_goes_on_to_wait():
    first, last = drafts_of([pane(body_of(1) + b"x", writer=OTHER, through=50)], 16)
    sent, refused = Reader().take(entries([first, *drafts_of([progress()], 16), last]))
    assert (len(sent), refused) == (2, [])


def test_pieces_beyond_the_bound_of_memory_are_given_up_oldest_first(monkeypatch):
    monkeypatch.setattr(reader_module, "WAITING_MAX_BYTES", 2 * 2**20)
    reader = Reader()
    started = [pane(body_of(1) + b"x", start=60.0 * i) for i in range(3)]
    firsts = [drafts_of([one], 16)[0] for one in started]
    _, refused = reader.take(entries(firsts))
    assert reasons(refused) == [Unreadable.INCOMPLETE]
    _, last = drafts_of([started[2]], 16)
    assert reader.take(entries([last]))[0] == [started[2]]


def spoiled(change):
    (draft,) = drafts_of([pane()], 16)
    return entries([Draft(7, *change(draft.key, draft.value))])


BROKEN = {
    "no value": (lambda k, v: (k, None), Unreadable.MALFORMED),
    "an empty value": (lambda k, v: (k, b""), Unreadable.MALFORMED),
    "a newer layout": (lambda k, v: (k, bytes((LAYOUT + 1,)) + v[1:]), Unreadable.TOO_NEW),
    "a value cut short": (lambda k, v: (k, v[:-1]), Unreadable.MALFORMED),
    "a foreign key": (lambda k, v: (b"credit-risk", v), Unreadable.MALFORMED),
    "an endless value": (lambda k, v: (k, b"\x01" * 3 * PIECE_MAX_BYTES), Unreadable.TOO_LARGE),
    "other bytes": (lambda k, v: (k, v[:-1] + b"?"), Unreadable.CHECKSUM),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_record_is_refused_by_name_and_what_follows_is_read(what):
    change, reason = BROKEN[what]
    sent, refused = Reader().take([*spoiled(change), *entries(drafts_of([progress()], 16), 1)])
    assert sent == [progress()]
    assert [(bad.reason, bad.partition, bad.offset) for bad in refused] == [(reason, 7, 0)]


@pytest.mark.parametrize("start", [math.nan, math.inf, 1e300])
def test_a_time_that_is_none_is_refused(start):
    (draft,) = drafts_of([pane(start=start)], 16)
    assert reasons(Reader().take(entries([draft]))[1]) == [Unreadable.MALFORMED]


@given(st.binary(max_size=60), st.one_of(st.none(), st.binary(max_size=200)))
@settings(max_examples=100)
def test_the_reader_never_raises_whatever_is_in_the_topic(key, value):
    sent, refused = Reader().take([Entry(0, 0, 0.0, key, value)])
    assert sent == []
    assert len(refused) == 1


@given(st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=100)
def test_one_changed_byte_is_never_taken_for_what_was_sent(place, byte):
    (draft,) = drafts_of([pane()], 16)
    value = bytearray(draft.value)
    value[place % len(value)] = byte
    sent, refused = Reader().take([Entry(7, 0, 0.0, draft.key, bytes(value))])
    assert [one.body for one in sent] == [b"body"] * len(sent)
    assert len(sent) + len(refused) == 1
