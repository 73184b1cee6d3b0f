"""What a snapshot promises: it comes back as it was, or an error says that it is broken."""

import math
import struct
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from service.errors import FormatTooNew, StateCorrupt
from service.state import snapshot
from service.state.snapshot import Encoded, decode, encode, encode_part

GOLDEN = Path(__file__).parent / "golden" / "snapshot.v1"

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.binary(max_size=8)
)
arrays = npst.arrays(
    st.sampled_from(
        ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i8", ">f8"]
    ),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
trees = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner)
    ),
    max_leaves=12,
)


def golden_tree():
    return {
        "positions": [["predictions", 0, 42], ["predictions", 1, 2**40]],
        "counts": np.arange(6, dtype=np.int64).reshape(2, 3),
        "means": np.array([0.5, math.nan, math.inf]),
        "registers": np.array([0, 7, 255], dtype=np.uint8),
        "codes": np.array([-1, -2, 3], dtype=np.int32),
        "flags": np.array([True, False]),
        "hashes": np.array([2**64 - 1], dtype=np.uint64),
        "empty": np.zeros((0, 4)),
        "pane": {"sum": 1.5, "name": "größe", "raw": b"\x00\xff", "none": None, "on": True},
    }


def same(left, right):
    if isinstance(left, np.ndarray):
        return (
            isinstance(right, np.ndarray)
            and left.dtype.newbyteorder("<") == right.dtype
            and left.shape == right.shape
            and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
        )
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and left == right


@given(trees)
def test_a_tree_comes_back_as_it_was(tree):
    assert same(tree, decode(encode(tree)))


@given(trees, trees)
def test_a_part_encoded_before_comes_back_as_the_tree_inside(closed, opened):
    tree = {"closed": [encode_part(closed)], "open": opened}
    assert same({"closed": [closed], "open": opened}, decode(encode(tree)))


def test_a_part_may_hold_parts():
    inner = encode_part({"counts": np.arange(3)})
    assert same({"a": [{"counts": np.arange(3)}]}, decode(encode(encode_part({"a": [inner]}))))


def test_arrays_come_back_writable_and_apart_from_what_was_encoded():
    counts = np.zeros(3, dtype=np.int64)
    read = decode(encode({"counts": counts, "part": encode_part(counts)}))
    read["counts"] += 1
    read["part"] += 2
    assert counts.tolist() == [0, 0, 0]


def test_numpy_scalars_become_plain_numbers():
    assert decode(encode([np.int64(3), np.float64(0.5), np.bool_(1)])) == [3, 0.5, True]


def test_one_tree_has_one_encoding():
    assert encode(golden_tree()) == encode(golden_tree())


def test_format_1_is_read_for_ever():
    assert same(golden_tree(), decode(GOLDEN.read_bytes()))


def test_the_header_of_format_1_is_pinned():
    data = encode(golden_tree())
    assert data[:12] == b"ANCHORW\n\x01\x00\x01\x00"
    stored, size = struct.unpack("<QQ", data[12:28])
    assert len(data) == 44 + stored
    assert len(zstandard.decompress(data[44:])) == size


@settings(max_examples=300)
@given(st.data())
def test_any_changed_byte_is_detected(data):
    whole = bytearray(encode(golden_tree()))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StateCorrupt):
        decode(bytes(whole))


def test_every_truncation_is_detected():
    whole = encode(golden_tree())
    for length in range(len(whole)):
        with pytest.raises(StateCorrupt):
            decode(whole[:length])


def test_trailing_bytes_are_detected():
    with pytest.raises(StateCorrupt):
        decode(encode({}) + b"\x00")


@given(st.binary(max_size=200))
def test_foreign_bytes_are_corrupt_and_nothing_worse(data):
    with pytest.raises(StateCorrupt):
        decode(data)


def sealed(payload, version=1, codec=1, size=None, compress=zstandard.compress):
    """A snapshot with a valid checksum around any payload, as a hostile writer makes it."""
    stored = compress(payload)
    declared = len(payload) if size is None else size
    header = struct.pack("<8sHBBQQ", b"ANCHORW\n", version, codec, 0, len(stored), declared)
    return header + snapshot._checksum(header, stored) + stored


def test_a_newer_format_is_refused_by_both_numbers():
    with pytest.raises(FormatTooNew, match=r"format 7, this version reads up to 1"):
        decode(sealed(b"\xc0", version=7))


@pytest.mark.parametrize(
    "data",
    [
        sealed(b"\xc0", version=0),
        sealed(b"\xc0", codec=9),
        sealed(b"\xc1"),
        sealed(b"\x91" * 5000 + b"\xc0"),
        sealed(b"\xc0", size=2**40),
        sealed(b"\xc0", size=0),
        sealed(b"\xc0", compress=bytes),
    ],
    ids=["version 0", "codec", "msgpack", "deep", "too big", "too small", "plain"],
)
def test_a_sealed_but_senseless_payload_is_corrupt(data):
    with pytest.raises(StateCorrupt):
        decode(data)


def extension(code, data):
    return sealed(msgspec.msgpack.encode(msgspec.msgpack.Ext(code, data)))


@pytest.mark.parametrize(
    "data",
    [
        extension(9, b""),
        extension(1, b""),
        extension(1, b"\x63\x00"),
        extension(1, b"\x09\x02" + bytes(8)),
        extension(1, b"\x09\x01" + struct.pack("<Q", 2**60)),
        extension(1, b"\x09\x02" + struct.pack("<QQ", 2**63, 2) + bytes(8)),
        extension(1, b"\x09\xff" + bytes(8 * 255)),
        extension(2, b"\x01"),
        extension(2, struct.pack("<Q", 2**40) + zstandard.compress(b"\xc0")),
    ],
)
def test_a_declared_size_is_never_trusted(data):
    with pytest.raises(StateCorrupt):
        decode(data)


def test_the_parts_of_a_snapshot_share_one_allowance_of_memory():
    part = encode_part(np.zeros(10_000))
    assert len(decode(encode([part] * 4), size_max_bytes=400_000)) == 4
    with pytest.raises(StateCorrupt, match="exceed"):
        decode(encode([part] * 4), size_max_bytes=300_000)


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({"a": [1, {2}]}, r"\['a'\]\[1\].*set"),
        ({"a": {("m", "1"): 2}}, r"\['a'\].*key"),
        ([np.array(["text"])], r"\[0\].*<U4"),
        ([np.array([None])], r"\[0\].*object"),
        ({"p": Encoded}, r"\['p'\]"),
        ([2**64], "value"),
        (["\ud800"], "value"),
    ],
)
def test_what_would_not_come_back_is_refused_with_its_place(tree, place):
    with pytest.raises(TypeError, match=place):
        encode(tree)
