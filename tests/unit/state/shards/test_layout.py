"""Records of the state topic come back as they were, and nonsense is nothing and never raises."""

import msgspec
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from service.state.shards.layout import (
    LAYOUT,
    BlobReference,
    Head,
    Key,
    PartReference,
    checksum,
    decode_head,
    decode_index,
    decode_key,
    decode_part,
    encode_head,
    encode_index,
    encode_key,
    encode_part,
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
checksums = st.binary(min_size=16, max_size=16)
references = st.builds(PartReference, st.integers(1, 2**62), checksums)
keys = st.builds(Key, names, checksums, st.integers(0, 2**62))
heads = st.builds(
    Head,
    st.integers(1, 9),
    names,
    names,
    names,
    st.integers(0, 2**40),
    st.integers(-1, 2**62),
    st.binary(max_size=20),
    st.lists(references, max_size=3).map(tuple),
)
indices = st.lists(
    st.builds(BlobReference, names, st.lists(references, max_size=3).map(tuple)), max_size=5
).map(tuple)

WRITER = bytes(15) + b"\x07"
GOLDEN_KEY = (
    Key("predictions/12", WRITER, 258),
    "0193ae70726564696374696f6e732f3132c41000000000000000000000000000000007cd0102",
)
GOLDEN_HEAD = (
    Head(1, "0.1.0", "cluster", "topic", 2, 41, b"index", (PartReference(3, bytes(range(16))),)),
    (
        "016bd8304c143f116e5a2e0997080d0f3a9801a5302e312e30a7636c7573746572a5746f7069630229c405696e64"
        "6578919203c410000102030405060708090a0b0c0d0e0f"
    ),
)


def test_the_layouts_are_pinned():
    for (value, data), encode, decode in (
        (GOLDEN_KEY, encode_key, decode_key),
        (GOLDEN_HEAD, encode_head, decode_head),
    ):
        assert encode(value).hex() == data
        assert decode(bytes.fromhex(data)) == value


@given(keys)
def test_a_key_comes_back_as_it_was(key):
    assert decode_key(encode_key(key)) == key


@given(heads)
def test_a_head_comes_back_as_it_was(head):
    assert decode_head(encode_head(head)) == head


@given(indices)
def test_an_index_comes_back_as_it_was(index):
    assert decode_index(encode_index(index)) == index


@given(st.binary(max_size=50))
def test_the_bytes_of_a_part_come_back_as_they_were(piece):
    assert decode_part(encode_part(piece), checksum(piece)) == piece


@given(heads, st.data())
def test_any_flipped_bit_of_a_head_or_part_is_noticed(head, data):
    value = bytearray(encode_head(head))
    part = bytearray(encode_part(bytes(value)))
    for broken in (value, part):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] ^= 1 << data.draw(st.integers(0, 7))
    assert decode_head(bytes(value)) is None
    assert decode_part(bytes(part), checksum(encode_head(head))) is None


@given(st.binary(max_size=60))
@example(b"\x93" * 5000)
@example(b"\x98\x01\xa0\xa0\xa0\x00\x00\xc4\x00" + b"\x91" * 100_000)
def test_nonsense_is_none_and_never_raises(data):
    assert decode_key(data) is None or data.startswith(LAYOUT)
    decode_key(LAYOUT + data)
    decode_head(data)
    decode_head(LAYOUT + checksum(data) + data)
    decode_index(data)
    decode_index(zstandard.compress(data))


def test_an_index_that_would_not_fit_into_memory_is_refused_unread():
    assert decode_index(zstandard.compress(bytes(64 * 2**20 + 1))) is None


def test_what_a_later_version_adds_at_the_end_is_passed_over():
    head = Head(1, "0.1.0", "cluster", "topic", 0, 5, b"", ())
    payload = msgspec.msgpack.encode([*msgspec.to_builtins(head, builtin_types=(bytes,)), "more"])
    assert decode_head(LAYOUT + checksum(payload) + payload) == head
