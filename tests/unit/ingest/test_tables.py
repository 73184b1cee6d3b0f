"""Tables of any format: every value is read once, bad lines are reported, memory is bounded."""

import bz2
import gzip
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary.profile import INVALID_VALUE
from service.errors import ConfigurationError
from service.ingest.files import table_formats
from service.ingest.files.table_columns import (
    Codes,
    column_of_arrow,
    column_of_texts,
    column_of_values,
    time_range,
)
from service.ingest.files.tables import BadLine, Cells, hash_files, read_tables

COMPRESSIONS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def values_of(column):
    """A column as Python values: None = missing."""
    if isinstance(column, Codes):
        return [None if code < 0 else column.values[code] for code in column.codes.tolist()]
    return [
        None if math.isnan(v) else INVALID_VALUE if math.isinf(v) else v for v in column.tolist()
    ]


def read(*paths, missing=()):
    """All columns of the files, in full, and the bad lines."""
    bad, columns, rows = [], {}, 0
    for table in read_tables(paths, bad.append, Cells(missing)):
        for name, column in table.columns.items():
            found = values_of(column)
            assert len(found) == table.rows
            columns.setdefault(name, [None] * rows).extend(found)
        rows += table.rows
        for known in columns.values():
            known.extend([None] * (rows - len(known)))
    return columns, bad


def file_of(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_cells_are_numbers_booleans_texts_or_missing(tmp_path):
    path = file_of(
        tmp_path,
        "a.csv",
        'n,b,t,m\n1,true,MA,1\n 2.5 ,FALSE,"a, ""b""",x\n,,,\nnan,null,"two\nlines",true\n'
        "1e400,True,ünï,-inf\n",
    )
    columns, bad = read(path)
    assert bad == []
    assert columns == {
        "n": [1.0, 2.5, None, None, INVALID_VALUE],
        "b": [True, False, None, None, True],
        "t": ["MA", 'a, "b"', None, "two\N{REPLACEMENT CHARACTER}lines", "ünï"],
        "m": [1.0, "x", None, True, "-inf"],
    }


def test_a_numeric_csv_column_is_an_array_of_floats(tmp_path):
    (table,) = read_tables([file_of(tmp_path, "a.csv", "x\n1\n\n-2e3\n")], [].append)
    assert table.columns["x"].dtype == np.float64
    assert table.columns["x"].tolist() == [1.0, -2000.0]


def test_digits_of_a_categorical_csv_column_stay_text(tmp_path):
    path = file_of(tmp_path, "a.csv", "zip,x\n02139,1\n 10001,2\n5411.0,03\n,4\ntrue,5\n")
    cells = Cells(categorical=lambda name: name == "zip")
    (table,) = read_tables([path], [].append, cells)
    assert values_of(table.columns["zip"]) == ["02139", "10001", 5411.0, None, True]
    assert values_of(table.columns["x"]) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert table.leading_zeros == ("x",)


@pytest.mark.parametrize(
    ("cell", "leading"),
    [("007", True), ("01.5", True), ("0", False), ("0.5", False), ("-1", False)],
)
def test_zeros_in_front_of_numbers_are_noticed(tmp_path, cell, leading):
    (table,) = read_tables([file_of(tmp_path, "a.csv", f"x\n1\n\n{cell}\n")], [].append)
    assert table.leading_zeros == (("x",) if leading else ())


def test_csv_rows_of_another_length_are_reported_by_row_and_left_out(tmp_path):
    path = file_of(tmp_path, "a.csv", "x,y\n1,2\n3\n4,5,6\n7,8\n")
    columns, bad = read(path)
    assert columns == {"x": [1.0, 7.0], "y": [2.0, 8.0]}
    assert bad == [
        BadLine(path, 3, "1 cells where the header has 2"),
        BadLine(path, 4, "3 cells where the header has 2"),
    ]


def test_bytes_that_are_no_text_cost_their_characters_only(tmp_path):
    columns, _ = read(file_of(tmp_path, "a.csv", b"x,y\nM\xffA,1\nMA,2\n"))
    assert columns == {"x": ["M\N{REPLACEMENT CHARACTER}A", "MA"], "y": [1.0, 2.0]}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    assert set(read(file_of(tmp_path, "a.csv", b"\xef\xbb\xbfx,y\n1,2\n"))[0]) == {"x", "y"}
    assert set(read(file_of(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"x": 1}\n'))[0]) == {"x"}


def test_tabs_part_the_cells_of_a_tsv(tmp_path):
    assert read(file_of(tmp_path, "a.tsv", "x\ty\n1\ta,b\n"))[0] == {"x": [1.0], "y": ["a,b"]}


def test_sentinels_are_missing_in_every_format(tmp_path):
    rows = [{"x": -999, "y": "N/A"}, {"x": 2, "y": "MA"}, {"x": -999.0, "y": "-999"}]
    expected = {"x": [None, 2.0, None], "y": [None, "MA", None]}
    missing = (-999.0, "-999", "N/A")
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert read(file_of(tmp_path, "a.jsonl", text), missing=missing)[0] == expected
    text = "x,y\n" + "".join(f"{row['x']},{row['y']}\n" for row in rows)
    assert read(file_of(tmp_path, "a.csv", text), missing=missing)[0] == expected
    path = tmp_path / "a.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    assert read(path, missing=missing)[0] == expected


def test_a_sentinel_of_one_is_not_true():
    column = column_of_values([True, 1, "a"], missing=(1.0,))
    assert values_of(column) == [True, None, "a"]


def test_json_lines_may_be_of_mixed_types_and_lack_columns(tmp_path):
    path = file_of(
        tmp_path,
        "a.jsonl",
        '{"a": 1, "b": "x"}\n\n{"a": "1", "c": [1]}\n{"a": true, "b": null, "c": {"d": 1}}\n'
        '{"a": NaN, "b": Infinity}\n{"a": 1e999, "b": "\\ud800"}\n{"a": ' + "9" * 400 + "}\n{}\n",
    )
    columns, bad = read(path)
    assert bad == []
    assert columns == {
        "a": [1.0, "1", True, None, INVALID_VALUE, INVALID_VALUE, None],
        "b": ["x", None, None, INVALID_VALUE, "\N{REPLACEMENT CHARACTER}", None, None],
        "c": [None, INVALID_VALUE, INVALID_VALUE, None, None, None, None],
    }


def test_bad_json_lines_are_reported_by_line_and_left_out(tmp_path):
    path = file_of(tmp_path, "a.jsonl", b'{"a": 1}\n{"a": \n[1]\n' + b"[" * 99_999 + b'\n{"a": 2}')
    columns, bad = read(path)
    assert columns == {"a": [1.0, 2.0]}
    assert [line.line for line in bad] == [2, 3, 4]
    assert bad[1].detail == "not an object"


def test_a_recorded_event_gives_its_features_and_outcome(tmp_path):
    event = {
        "model": "m",
        "features": {"age": 41, "state": "MA"},
        "prediction": 0.8,
        "latency_ms": 12.4,
        "timestamp": "2026-11-23T10:15:00Z",
    }
    columns, _ = read(file_of(tmp_path, "a.jsonl", json.dumps(event)))
    assert set(columns) == {"age", "state", "prediction", "latency_ms", "timestamp"}


def test_every_type_of_parquet_becomes_a_column(tmp_path):
    table = pa.table({
        "i": pa.array([1, None, -3], pa.int32()),
        "u": pa.array([1, None, 2**64 - 1], pa.uint64()),
        "f": pa.array([1.5, math.nan, math.inf], pa.float32()),
        "d": pa.array([Decimal("1.25"), None, Decimal("-2.50")], pa.decimal128(9, 2)),
        "b": pa.array([True, None, False]),
        "s": pa.array(["a", None, "1"]),
        "c": pa.array(["a", None, "a"]).dictionary_encode(),
        "t": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None, None], pa.timestamp("ns", "UTC")),
        "day": pa.array([date(1970, 1, 2), None, None]),
        "l": pa.array([[1], None, []]),
        "z": pa.nulls(3),
    })  # fmt: skip
    path = tmp_path / "a.parquet"
    pa.parquet.write_table(table, path)
    columns, _ = read(path)
    assert columns == {
        "i": [1.0, None, -3.0],
        "u": [1.0, None, 2.0**64],
        "f": [1.5, None, INVALID_VALUE],
        "d": [1.25, None, -2.5],
        "b": [True, None, False],
        "s": ["a", None, "1"],
        "c": ["a", None, "a"],
        "t": [1767225600.0, None, None],
        "day": [86400.0, None, None],
        "l": [INVALID_VALUE, None, INVALID_VALUE],
        "z": [None, None, None],
    }


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_small_blocks_give_the_same_values_as_one(tmp_path, monkeypatch, name):
    rows = [{"n": i / 7, "s": f"name-{i % 5}", "b": i % 2 == 0} for i in range(3000)]
    path = tmp_path / name
    if name == "a.parquet":
        pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    elif name == "a.csv":
        path.write_text("n,s,b\n" + "".join(f"{r['n']},{r['s']},{r['b']}\n" for r in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole, _ = read(path)
    monkeypatch.setattr(table_formats, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(table_formats, "CSV_BLOCK_BYTES", 2048)
    monkeypatch.setattr(table_formats, "CELLS_MAX", 300)
    chunks = list(read_tables([path], [].append))
    assert len(chunks) > 5
    assert read(path)[0] == whole == {key: [row[key] for row in rows] for key in rows[0]}


@pytest.mark.parametrize("text", ["x\n", "", "\n\n"])
def test_a_file_without_rows_gives_no_table(tmp_path, text):
    assert read(file_of(tmp_path, "a.jsonl", text if text != "x\n" else ""))[0] == {}
    assert read(file_of(tmp_path, "a.csv", "x\n"))[0] == {}


def test_a_compressed_file_is_read_by_its_name(tmp_path):
    for ending, compress in COMPRESSIONS.items():
        path = file_of(tmp_path, f"a.jsonl{ending}", compress(b'{"x": 1}\n' * 5))
        assert read(path)[0] == {"x": [1.0] * 5}
        path = file_of(tmp_path, f"a.TSV{ending}", compress(b"x\ty\n") + compress(b"1\t2\n"))
        assert read(path)[0] == {"x": [1.0], "y": [2.0]}


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".zst"])
def test_a_truncated_archive_is_named(tmp_path, ending):
    whole = COMPRESSIONS[ending](b"".join(b'{"row": %d}\n' % n for n in range(50_000)))
    path = file_of(tmp_path, f"a.jsonl{ending}", whole[: len(whole) // 2])
    with pytest.raises(ConfigurationError, match=r"a\.jsonl.* cannot be read: Truncated"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "cannot be read: Empty CSV file"),
        ("a.parquet", "x", "cannot be read: "),
        ("a.parquet", "PAR1" * 20, "cannot be read: "),
        ("a.jsonl.gz", "x", "cannot be read: "),
        ("a.xlsx", "x", "cannot tell the format from the name"),
        ("a.jsonl", "x\ny\n", "none of its 2 lines can be read as JSON Lines"),
        (
            "a.csv",
            "x,y\n1\n2\n",
            "lines can be read as CSV; line 2: 1 cells where the header has 2",
        ),
        ("a.csv", "x,x\n1,2\n", "more than one column is named 'x'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    with pytest.raises(ConfigurationError, match=rf"{name}.*{message}"):
        read(file_of(tmp_path, name, content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.csv cannot be read: No such file"):
        read(tmp_path / "gone.csv")
    with pytest.raises(ConfigurationError, match=r"gone\.csv cannot be read: No such file"):
        hash_files([tmp_path / "gone.csv"])


def test_an_endless_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table_formats, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(table_formats, "LINE_MAX_BYTES", 4096)
    with pytest.raises(ConfigurationError, match="a JSON array must be split"):
        read(file_of(tmp_path, "a.json", "[" + '{"x": 1},' * 1000 + "]"))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_progress_adds_up_to_the_size(tmp_path, name):
    path = tmp_path / name
    if name == "a.parquet":
        pa.parquet.write_table(pa.table({"x": range(1000)}), path)
    else:
        path.write_text('{"x": 1}\n' * 1000 if name == "a.jsonl" else "x\n" + "1\n" * 1000)
    told = []
    assert sum(table.rows for table in read_tables([path], [].append, Cells(), told.append)) == 1000
    assert sum(told) == path.stat().st_size


def test_the_hash_of_one_file_is_its_sha256_and_of_several_free_of_order(tmp_path):
    a, b = file_of(tmp_path, "a.csv", "x\n1\n"), file_of(tmp_path, "b.csv", "x\n2\n")
    told = []
    assert hash_files([a], told.append) == sha256(b"x\n1\n").hexdigest()
    assert sum(told) == 4
    assert hash_files([a, b]) == hash_files([b, a]) not in (hash_files([a]), hash_files([b]))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.array([2.0, 1.0, math.nan]), (1.0, 2.0)),
        (np.array([1.7e12, 1.6e9]), (1.6e9, 1.7e9)),
        (np.array([-1.0, math.inf, 1e20]), None),
        (np.array([]), None),
        (column_of_texts(pa.array(["2014-07-01 00:00:00", "2014-07-01T02:00:00+02:00"])), None),
        (column_of_texts(pa.array(["1970-01-01T00:00:05Z", "soon", "", "1970-01-02"])), None),
    ],
)
def test_the_range_of_a_time_column_is_found(column, expected):
    if isinstance(column, Codes):
        expected = (1404172800.0,) * 2 if len(column.codes) == 2 else (5.0, 86400.0)
    assert time_range(column) == expected


def test_a_time_that_is_a_sentinel_does_not_widen_the_range():
    column = column_of_texts(pa.array(["1970-01-01", "2026-01-01"]), missing=("1970-01-01",))
    assert time_range(column) == (1767225600.0, 1767225600.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@settings(max_examples=200)
@given(st.lists(json_values, max_size=30))
def test_any_json_values_become_as_many_values_of_a_column(values):
    found = values_of(column_of_values(values, missing=(-999.0, "")))
    assert len(found) == len(values)
    for value, kept in zip(values, found, strict=True):
        if isinstance(value, list | dict):
            assert kept is INVALID_VALUE
        elif isinstance(value, bool):
            assert kept is value
        elif value in (None, "", -999) or value != value:  # noqa: PLR0124 (NaN)
            assert kept is None
        elif isinstance(value, int | float):
            assert kept == value or kept is INVALID_VALUE or abs(value) > 2**53
        else:
            assert isinstance(kept, str)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=6), max_size=20))
def test_any_bytes_of_cells_become_as_many_values(cells):
    assert len(values_of(column_of_texts(pa.array(cells, pa.binary())))) == len(cells)


@settings(max_examples=50)
@given(st.lists(st.none() | st.floats(width=32), max_size=20))
def test_numbers_of_arrow_are_kept_as_they_are(values):
    found = values_of(column_of_arrow(pa.array(values, pa.float32())))
    expected = [
        None if v is None or math.isnan(v) else INVALID_VALUE if math.isinf(v) else v
        for v in values
    ]
    assert found == expected
