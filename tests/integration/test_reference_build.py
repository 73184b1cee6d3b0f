"""`anchorwatch reference build` as a process, on real files, against a naive recount."""

import csv
import json
import math
import os
import subprocess
import sys
from collections import Counter
from itertools import starmap

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from service.monitor.references.file import read

ROWS = 5000


def build(*arguments, output="ref.json", cwd=None):
    command = [sys.executable, "-m", "service", "reference", "build", *map(str, arguments)]
    command += ["--model", "credit-risk", "--version", "3", "--output", str(output)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, timeout=100, env=os.environ
    )


def built(tmp_path, *arguments):
    output = tmp_path / "ref.json"
    done = build(*arguments, "--force", output=output)
    assert done.returncode == 0, done.stderr
    return read(output.read_text(encoding="utf-8"), "ref.json")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(7)
    start = 1_700_000_000
    return [
        {
            "income": float(income),
            "age": int(age),
            "state": str(state),
            "card": bool(card),
            "prediction": float(score),
            "latency_ms": float(latency),
            "timestamp": start + i,
        }
        for i, (income, age, state, card, score, latency) in enumerate(
            zip(
                rng.lognormal(10, 1, ROWS),
                rng.integers(18, 90, ROWS),
                rng.choice(["MA", "NY", "TX"], ROWS, p=[0.6, 0.3, 0.1]),
                rng.random(ROWS) < 0.3,
                rng.random(ROWS),
                rng.gamma(2, 10, ROWS),
                strict=True,
            )
        )
    ]


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path, rows):
    pa.parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=700)
    return path


WRITERS = {"csv": write_csv, "jsonl": write_json, "parquet": write_parquet}


def recount(stream, values):
    """Counts by cell of the valid values, one by one."""
    if len(stream.edges):
        return Counter(sum(edge <= value for edge in stream.edges.tolist()) for value in values)
    places = {name: place for place, name in enumerate(stream.categories)}
    return Counter(places.get(str(value), len(places)) for value in values)


def assert_counts(stream, values, missing=0, invalid=0):
    counts = recount(stream, values)
    assert stream.counts.tolist() == [counts[cell] for cell in range(len(stream.counts))]
    assert (stream.missing, stream.invalid) == (missing, invalid)


@pytest.mark.parametrize("kind", WRITERS)
def test_counts_equal_a_naive_recount_in_every_format(tmp_path, rows, kind):
    reference = built(tmp_path, WRITERS[kind](tmp_path / f"train.{kind}", rows))
    streams = {(s.key.kind.value, s.key.name): s for s in reference.streams}
    assert reference.rows == ROWS
    assert set(streams) == {
        ("input", "income"),
        ("input", "age"),
        ("input", "state"),
        ("input", "card"),
        ("output", "prediction"),
        ("latency", "latency"),
        ("joint", "reconstruction error"),
    }
    assert_counts(streams["input", "income"], [row["income"] for row in rows])
    assert_counts(streams["input", "age"], [row["age"] for row in rows])
    assert_counts(streams["input", "state"], [row["state"] for row in rows])
    assert_counts(streams["input", "card"], [str(row["card"]).lower() for row in rows])
    assert_counts(streams["output", "prediction"], [row["prediction"] for row in rows])
    latencies = [row["latency_ms"] * 1e-3 for row in rows]
    assert_counts(streams["latency", "latency"], latencies)
    assert streams["input", "income"].mean == pytest.approx(
        np.mean([row["income"] for row in rows]), rel=1e-8
    )
    assert reference.lineage.from_seconds == 1_700_000_000
    assert reference.lineage.to_seconds == 1_700_000_000 + ROWS - 1


def test_every_format_gives_the_same_streams(tmp_path, rows):
    streams = [
        json.loads(
            built_text(tmp_path, write(tmp_path / f"train.{kind}", rows))
        )["streams"]
        for kind, write in WRITERS.items()
    ]  # fmt: skip
    assert streams[0] == streams[1] == streams[2]


def built_text(tmp_path, *arguments):
    built(tmp_path, *arguments)
    return (tmp_path / "ref.json").read_text(encoding="utf-8")


def test_split_and_order_of_rows_give_the_same_streams(tmp_path, rows):
    shuffled = [rows[i] for i in np.random.default_rng(8).permutation(ROWS)]
    whole = built_text(tmp_path, write_csv(tmp_path / "train.csv", rows))
    for number, start in enumerate(range(0, ROWS, 1300)):
        write_csv(tmp_path / f"part-{number}.csv", shuffled[start : start + 1300])
    parts = built_text(tmp_path, tmp_path / "part-*.csv")
    assert without_order(parts) == without_order(whole)
    assert "in_time" in whole
    assert "in_time" not in parts
    assert json.loads(parts)["lineage"]["source"] == "part-0.csv, part-1.csv, part-2.csv and 1 more"


def without_order(text):
    """The streams, but for what only rows in the order of their time tell."""
    streams = json.loads(text)["streams"]
    return [{name: told for name, told in s.items() if name != "in_time"} for s in streams]


def test_building_twice_gives_the_same_hash(tmp_path, rows):
    path = write_csv(tmp_path / "train.csv", rows)
    assert built(tmp_path, path).hash == built(tmp_path, path).hash


def test_mixed_json_lines_are_counted_value_by_value(tmp_path):
    values = [1, 2.5, None, math.nan, math.inf, "x", True, [1], 10**400, "absent"] * 40
    lines = [
        json.dumps({"v": value, "n": 1} if value != "absent" else {"n": 1}) for value in values
    ]
    lines[5:5] = ["{broken", "[1]", ""]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    output = tmp_path / "ref.json"
    done = build(path, output=output)
    reference = read(output.read_text(encoding="utf-8"), "ref.json")
    streams = {stream.key.name: stream for stream in reference.streams}
    assert reference.rows == len(values)
    # numbers are the majority; text, true, infinities, a list and an integer of 400 digits are not
    assert_counts(streams["v"], [1, 2.5] * 40, missing=3 * 40, invalid=5 * 40)
    assert_counts(streams["n"], [1] * len(values))
    assert "warning: 2 lines were left out" in done.stderr
    assert f"{path}:6: " in done.stderr
    assert "input 'v' has 200 values that are not numeric" in done.stderr
    assert "input 'n' is constant" in done.stderr


def test_options_reach_the_reference(tmp_path):
    lines = ["mcc,flag,id,score,ms,day", *starmap("{},{},u{},{},{},2026-01-0{}".format, [
        (5411, 1, 1, 0.1, 5, 1), (5812, 0, 2, 0.2, -999, 2), (5411, 1, 3, -999, 7, 3),
    ])]  # fmt: skip
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines))
    options = ["--prediction", "score", "--latency", "ms", "--latency-unit", "us", "--time", "day"]
    options += ["--ignore", "i*", "--kind", "mcc=categorical", "--kind", "fl*=boolean"]
    options += ["--cutoff", "0.15"]
    options += ["--missing", "-999", "--dataset", "ds-7", "--meta", "depth=6", "--meta", "eta=0.1"]
    reference = built(tmp_path, path, *options)
    streams = {stream.key.name: stream for stream in reference.streams}
    assert set(streams) == {"mcc", "flag", "prediction", "prediction>0.15", "latency"}
    assert streams["prediction>0.15"].counts.tolist() == [1, 1, 0]
    assert streams["mcc"].categories == ("5411", "5812")
    assert streams["flag"].counts.tolist() == [1, 2, 0]
    assert (streams["prediction"].valid, streams["prediction"].missing) == (2, 1)
    assert (streams["latency"].maximum, streams["latency"].missing) == (7e-6, 1)
    assert reference.lineage.dataset == "ds-7"
    assert reference.lineage.metadata == {"depth": "6", "eta": "0.1"}
    assert reference.lineage.from_seconds == 1767225600
    assert reference.lineage.to_seconds == 1767225600 + 2 * 86400


def test_zeros_in_front_of_numbers_are_warned_of_and_kept_in_a_categorical_column(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("zip,acct,share\n" + "02139,5,0.5\n10001,5,00.5\n,6.0,0\n" * 40)
    done = build(path, output=tmp_path / "ref.json")
    assert "column 'zip' is numeric, but some of its values begin with a zero" in done.stderr
    assert "--kind zip=categorical keeps them apart" in done.stderr
    assert "'acct'" not in done.stderr
    assert "'share'" not in done.stderr
    done = build(path, "--kind", "*=categorical", "--force", output=tmp_path / "ref.json")
    assert "begin with a zero" not in done.stderr
    streams = read((tmp_path / "ref.json").read_text(encoding="utf-8"), "ref.json").streams
    categories = {stream.key.name: stream.categories for stream in streams}
    assert categories["zip"] == ("02139", "10001")
    assert categories["acct"] == ("5", "6")


def test_recorded_class_probabilities_and_columns_of_them_give_the_same_streams(tmp_path):
    rng = np.random.default_rng(9)
    shares = rng.dirichlet([1.0, 2.0, 3.0], 600).round(4).tolist()
    maps = [dict(zip(("a", "b", "c"), row, strict=True)) for row in shares]
    events = [{"model": "m", "features": {"age": 1}, "prediction": found} for found in maps]
    flat = [{"age": 1} | {f"p_{name}": share for name, share in row.items()} for row in maps]
    recorded = built_text(tmp_path, write_json(tmp_path / "train.jsonl", events))
    options = [f"--probability={name}=p_{name}" for name in "abc"]
    columns = built_text(tmp_path, write_csv(tmp_path / "train.csv", flat), *options)
    assert json.loads(recorded)["streams"] == json.loads(columns)["streams"]
    streams = {stream["name"]: stream for stream in json.loads(columns)["streams"]}
    assert set(streams) == {"age", "prediction", "prediction[a]", "prediction[b]", "prediction[c]"}
    top = Counter(max(sorted(row), key=row.get) for row in maps)
    counted = zip(streams["prediction"]["categories"], streams["prediction"]["counts"], strict=True)
    assert dict(counted) == top
    assert streams["prediction[c]"]["mean"] == pytest.approx(np.mean([row[2] for row in shares]))


def test_a_person_sees_the_streams_and_what_to_be_wary_of(tmp_path):
    lines = ["id,gone,c,x", *(f"user-{i},,1,{i % 7}" for i in range(3000))]
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines))
    done = build(path, output=tmp_path / "ref.json")
    assert "credit-risk, version 3: 3,000 rows" in done.stdout
    assert "0 / 3 / 6" in done.stdout
    assert "100.00 %" in done.stdout
    assert "input 'id' has about 3,000 categories" in done.stderr
    assert "input 'id' has more rare categories than can be kept by name" in done.stderr
    assert "input 'gone' has no valid value" in done.stderr
    assert "input 'c' is constant" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train.csv", "--latency", "agee"], "--latency: there is no column 'agee'; did you mean"),
        (["train.csv", "--kind", "age=colour"], "'colour' is no kind; there are numeric, "),
        (
            ["train.csv", "--kind", "xyz=boolean"],
            "there is no column 'xyz'; there are: age",
        ),
        (["train.csv", "--kind", "ms=categorical", "--latency", "ms"], "can only be numeric"),
        (["train.csv", "--probability", "a=p_a"], "--probability: there is no column 'p_a'"),
        (["train.csv", "--probability", "a=ms", "--probability", "b=ms"], "is named twice"),
        (
            ["train.csv", "--probability", "a=ms", "--prediction", "age"],
            "--prediction and --probability both say",
        ),
        (["train.csv", "--cutoff", "0.5"], "--cutoff: there is no column 'prediction'"),
        (["train.csv", "--cutoff", "nan"], "--cutoff: must be a finite number"),
        (["train.csv", "--cutoff", "0.5", "--probability", "a=ms"], "--cutoff is for a numeric"),
        (["train.csv", "--meta", "depth"], "--meta depth: must have the form name=value"),
        (["absent-*.csv"], "absent-*.csv: there is no such file"),
        (["empty.csv"], "the files hold no row"),
        (["broken.parquet"], "broken.parquet cannot be read: "),
        (["train.csv"], "taken.json exists: name another file, or add --force"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_78(tmp_path, arguments, message):
    (tmp_path / "train.csv").write_text("age,ms\n41,5\n")
    (tmp_path / "empty.csv").write_text("age,ms\n")
    (tmp_path / "broken.parquet").write_text("no")
    (tmp_path / "taken.json").write_text("mine")
    output = "taken.json" if "exists" in message else "ref.json"
    done = build(*arguments, output=output, cwd=tmp_path)
    assert done.returncode == 78
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ref.json").exists()
    assert (tmp_path / "taken.json").read_text() == "mine"
