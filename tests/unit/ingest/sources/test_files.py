"""Files as a source: every format streams, resumes, and names what is wrong."""

import gzip
import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from service.errors import ConfigurationError
from service.ingest.files.source import FilesParameters, FilesSource
from service.values.records import Partition
from tests.unit.ingest.sources.suite import SourceSuite


def parquet(path, rows, row_group_size=7):
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=row_group_size)


def write(path, count):
    text = "".join(f'{{"row": {n}}}\n' for n in range(count))
    table = "row,note\n" + "".join(f"{n},x\n" for n in range(count))
    match path.name.split(".", 1)[1]:
        case "jsonl":
            path.write_text(text)
        case "jsonl.gz":
            path.write_bytes(gzip.compress(text.encode()))
        case "csv":
            path.write_text(table)
        case "csv.gz":
            path.write_bytes(gzip.compress(table.encode()))
        case "parquet":
            parquet(path, [{"row": n} for n in range(count)])


class FilesSuite(SourceSuite):
    ending: str

    @pytest.fixture(autouse=True)
    def world(self, tmp_path):
        self.directory = tmp_path

    def fill(self, counts):
        paths = [self.directory / f"part-{n}.{self.ending}" for n in range(len(counts))]
        for path, count in zip(paths, counts, strict=True):
            write(path, count)
        return [Partition(str(path), 0) for path in paths]

    def open(self):
        return FilesSource(FilesParameters((f"{self.directory}/*",), records_max=13))


class TestJsonLines(FilesSuite):
    ending = "jsonl"


class TestZippedJsonLines(FilesSuite):
    ending = "jsonl.gz"


class TestCsv(FilesSuite):
    ending = "csv"


class TestZippedCsv(FilesSuite):
    ending = "csv.gz"


class TestParquet(FilesSuite):
    ending = "parquet"


def source(tmp_path, name, content, **settings):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    return FilesSource(FilesParameters((str(path),), **settings))


def all_records(opened):
    opened.poll(0)
    opened.resume(dict.fromkeys(opened.partitions()))
    records = []
    while not opened.finished:
        records += [record for chunk in opened.poll(0).chunks for record in chunk.records]
    opened.close()
    return records


def all_values(opened):
    return [record.value for record in all_records(opened)]


def test_a_line_is_passed_on_byte_for_byte_broken_or_not(tmp_path):
    opened = source(tmp_path, "a.jsonl", b'{"a": 1}\r\n{broken\n\n  \n\xff\xfe\n{"b": 2}')
    records = all_records(opened)
    assert [r.value for r in records] == [b'{"a": 1}', b"{broken", b"\xff\xfe", b'{"b": 2}']
    assert [r.offset for r in records] == [0, 1, 4, 5]


def test_a_record_of_a_file_has_no_time_of_arrival_unless_one_is_given(tmp_path):
    (record,) = all_records(source(tmp_path, "a.jsonl", b"{}\n"))
    assert math.isnan(record.timestamp_seconds)
    (record,) = all_records(source(tmp_path, "a.jsonl", b"{}\n", timestamp_seconds=5.0))
    assert record.timestamp_seconds == 5.0


def test_a_line_without_an_end_costs_its_limit_and_not_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("service.ingest.files.formats.LINE_BYTES_MAX", 10)
    opened = source(tmp_path, "a.jsonl", b"x" * 35 + b"\n" + b'{"b": 2}\n')
    assert all_values(opened) == [b"x" * 10, b'{"b": 2}']


def test_csv_cells_are_texts_and_empty_ones_null(tmp_path):
    opened = source(tmp_path, "a.csv", b'\xef\xbb\xbfid,income,note\n007,1.50,\n8,,"a ""b"",\nc"\n')
    first, second = map(json.loads, all_values(opened))
    assert first == {"id": "007", "income": "1.50", "note": None}
    assert second == {"id": "8", "income": None, "note": 'a "b",\nc'}


def test_csv_without_a_header_takes_the_columns_given(tmp_path):
    (value,) = all_values(source(tmp_path, "a.csv", b"1,2\n", columns=("x", "y")))
    assert json.loads(value) == {"x": "1", "y": "2"}


def test_a_csv_row_of_another_length_is_one_broken_record(tmp_path):
    values = all_values(source(tmp_path, "a.csv", b"x,y\n1,2\n3\n4,5,6\n\n7,8\n"))
    assert values == [b'{"x":"1","y":"2"}', b"3", b"4,5,6", b'{"x":"7","y":"8"}']


def test_a_csv_field_that_is_too_long_costs_its_row_alone(tmp_path):
    content = b"x,y\n1,2\n" + b"a" * 200_000 + b",3\n4,5\n"
    values = all_values(source(tmp_path, "a.csv", content))
    assert (values[0], values[-1]) == (b'{"x":"1","y":"2"}', b'{"x":"4","y":"5"}')
    assert values[1].startswith(b"unreadable row")


def test_parquet_keeps_types_and_writes_times_in_utc(tmp_path):
    moment = datetime(2026, 11, 23, 10, 15, 0, 123456, UTC)
    table = pa.table(
        {
            "n": pa.array([1]),
            "x": pa.array([0.5]),
            "nan": pa.array([math.nan]),
            "ok": pa.array([True]),
            "none": pa.array([None], pa.string()),
            "exact": pa.array([Decimal("1.25")]),
            "zoned": pa.array([moment], pa.timestamp("ns", "Europe/Paris")),
            "naive": pa.array([moment.replace(tzinfo=None)], pa.timestamp("ms")),
            "kind": pa.array(["a"]).dictionary_encode(),
            "struct": pa.array([{"a": [1, 2]}]),
            "map": pa.array([[("good", 0.75), ("bad", 0.25)]], pa.map_(pa.string(), pa.float64())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (value,) = all_values(source(tmp_path, "a.parquet", None))
    assert json.loads(value) == {
        "n": 1,
        "x": 0.5,
        "nan": None,
        "ok": True,
        "none": None,
        "exact": 1.25,
        "zoned": "2026-11-23T10:15:00.123456Z",
        "naive": "2026-11-23T10:15:00.123000Z",
        "kind": "a",
        "struct": {"a": [1, 2]},
        "map": {"good": 0.75, "bad": 0.25},
    }


@pytest.mark.parametrize("first", [0, 6, 7, 8, 20, 21])
def test_parquet_resumes_at_any_row_of_any_row_group(tmp_path, first):
    parquet(tmp_path / "a.parquet", [{"row": n} for n in range(21)])
    opened = source(tmp_path, "a.parquet", None)
    opened.poll(0)
    opened.resume({Partition(str(tmp_path / "a.parquet"), 0): first})
    rows = [json.loads(r.value)["row"] for c in opened.poll(0).chunks for r in c.records]
    assert rows == list(range(first, 21))
    assert opened.finished


def test_files_are_read_in_order_and_then_it_has_finished(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.jsonl").write_text(f'"{name}"\n')
    opened = FilesSource(FilesParameters((f"{tmp_path}/**/*.jsonl", f"{tmp_path}/a*")))
    assert all_values(opened) == [b'"a"', b'"b"', b'"c"']
    assert opened.finished


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_progress_only_grows_and_ends_at_the_size_of_the_files(tmp_path, ending):
    for n in range(2):
        write(tmp_path / f"{n}.{ending}", 500)
    told = []
    parameters = FilesParameters((f"{tmp_path}/*",), records_max=100)
    all_records(FilesSource(parameters, lambda done, total: told.append((done, total))))
    done = [bytes_done for bytes_done, _ in told]
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert done == sorted(done)
    assert told[-1] == (size, size)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet"])
def test_a_file_that_is_no_such_file_is_named_with_the_reason(tmp_path, name):
    opened = source(tmp_path, name, b"PAR1 this is neither")
    with pytest.raises(ConfigurationError, match=f"{name} cannot be read: "):
        all_values(opened)


@pytest.mark.parametrize(
    ("ending", "compress"), [("gz", gzip.compress), ("zst", zstandard.ZstdCompressor().compress)]
)
def test_a_compressed_file_is_read_whole_or_named(tmp_path, ending, compress):
    lines = [b'{"row": %d}' % n for n in range(5000)]
    whole = compress(b"\n".join(lines))
    assert all_values(source(tmp_path, f"a.jsonl.{ending}", whole)) == lines
    opened = source(tmp_path, f"b.jsonl.{ending}", whole[: len(whole) // 2])
    with pytest.raises(ConfigurationError, match=rf"b\.jsonl\.{ending} cannot be read"):
        all_values(opened)


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"a\.csv: more than one column is named 'x'"):
        all_values(source(tmp_path, "a.csv", b"x,y,x\n1,2,3\n"))


def test_a_glob_without_files_and_an_unknown_ending_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="No file matches"):
        FilesSource(FilesParameters((f"{tmp_path}/*.csv",)))
    with pytest.raises(ConfigurationError, match="cannot tell the format from the name"):
        source(tmp_path, "a.xlsx", b"")


def test_empty_files_have_no_records(tmp_path):
    for name in ("a.jsonl", "a.csv"):
        assert all_values(source(tmp_path, name, b"")) == []
