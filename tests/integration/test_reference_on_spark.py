"""`anchorwatch reference build --spark` on a real Spark gives the reference of the local build."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from service.commands.reference import command
from service.errors import ConfigurationError

ROWS = 6000
ROLES = ["--prediction", "score", "--latency", "took", "--time", "at", "--cutoff", "0.5"]


@pytest.fixture(scope="module")
def spark():
    """A Spark with two tasks at a time, as a notebook or spark-submit would have one."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.files.maxPartitionBytes", "100k")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "3")
        .getOrCreate()
    )
    yield session
    session.stop()


def drawn(rows=ROWS, seed=3):
    """Columns of every type that Parquet files of features hold."""
    rng = np.random.default_rng(seed)
    income = rng.lognormal(10, 1, rows)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    absent = rng.random(rows) < 0.03
    return pa.table(
        {
            "income": pa.array(income, mask=absent),
            "debt": (income * rng.lognormal(0, 0.3, rows)).astype(np.float32),
            "age": rng.integers(18, 90, rows).astype(np.int16),
            "amount": pa.array([Decimal(int(n)) / 4 for n in rng.integers(0, 9999, rows)]),
            "state": pa.array(rng.choice(["MA", "NY", "TX", "N/A"], rows)),
            "merchant.id": pa.array([f"m{n}" for n in rng.zipf(1.3, rows) % 20_000]),
            "card": pa.array(rng.random(rows) < 0.3, mask=rng.random(rows) < 0.1),
            "odd": pa.array(np.where(absent, np.inf, np.round(rng.normal(size=rows), 2))),
            "tags": pa.array([[1, 2] if n else None for n in rng.random(rows) < 0.5]),
            "user_id": pa.array([f"user {n}" for n in range(rows)]),
            "score": rng.random(rows),
            "took": rng.gamma(2, 10, rows),
            "at": pa.array([start + timedelta(seconds=9 * i) for i in range(rows)]),
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three files; of one a column is missing."""
    folder, table = tmp_path_factory.mktemp("train"), drawn()
    for number, first in enumerate(range(0, ROWS, 2500)):
        part = table.slice(first, 2500)
        part = part.drop_columns(["age"]) if number == 1 else part
        pa.parquet.write_table(part, folder / f"part-{number}.parquet", row_group_size=500)
    return folder


def build(output, *arguments):
    """(the reference file as a tree, what was said)."""
    options = ["--model", "credit-risk", "--version", "3", "--force", "--output", str(output)]
    done = CliRunner().invoke(command, ["build", *map(str, arguments), *options])
    if done.exception is not None:
        raise done.exception
    return json.loads(output.read_text("utf-8")), done.stderr


def without_time(streams):
    return [{name: told for name, told in s.items() if name != "in_time"} for s in streams]


def test_the_file_is_that_of_the_local_build_but_for_the_order_of_time(spark, data, tmp_path):
    options = [*ROLES, "--missing", "N/A", "--kind", "age=categorical"]
    local, _ = build(tmp_path / "local.json", f"{data}/*.parquet", *options)
    ours, said = build(tmp_path / "spark.json", f"{data}/*.parquet", "--spark", *options)
    assert ours["rows"] == ROWS
    assert len(ours["streams"]) == 13
    assert without_time(ours["streams"]) == without_time(local["streams"])
    assert ours["projection"] == local["projection"]
    assert {feature["feature"] for feature in ours["projection"]} == {"income", "debt"}
    assert [ours["lineage"][end] for end in ("from", "to")] == [
        local["lineage"][end] for end in ("from", "to")
    ]
    assert not any("in_time" in stream for stream in ours["streams"])
    assert "learned live: on Spark rows have no order" in said
    assert "user_id" in said
    assert "input 'tags' has no valid value" in said


def test_how_rows_are_split_changes_nothing_not_even_the_hash_of_the_data(spark, data, tmp_path):
    first, _ = build(tmp_path / "first.json", data, "--spark", *ROLES)
    other = tmp_path / "other"
    spark.read.option("mergeSchema", "true").parquet(str(data)).repartition(7).write.parquet(
        str(other)
    )
    again, _ = build(tmp_path / "again.json", other, "--spark", *ROLES)
    assert again["lineage"]["data_hash"] == first["lineage"]["data_hash"]
    assert again["streams"] == first["streams"]
    one_less = tmp_path / "less"
    spark.read.parquet(str(other)).where("user_id != 'user 17'").write.parquet(str(one_less))
    less, _ = build(tmp_path / "less.json", one_less, "--spark", *ROLES)
    assert less["lineage"]["data_hash"] != first["lineage"]["data_hash"]
    assert less["rows"] == ROWS - 1


def test_a_table_of_the_catalogue_and_a_file_beside_it_are_read_as_one(spark, data, tmp_path):
    whole, _ = build(tmp_path / "whole.json", data, "--spark", *ROLES)
    read = spark.read.option("mergeSchema", "true").parquet(str(data))
    read.where("debt < 20000").createOrReplaceTempView("loans")
    read.where("debt >= 20000").write.parquet(str(tmp_path / "rest.parquet"))
    sources = ["table:loans", tmp_path / "rest.parquet"]
    both, _ = build(tmp_path / "both.json", *sources, "--spark", *ROLES)
    assert both["streams"] == whole["streams"]
    assert both["lineage"]["source"] == f"table:loans, {tmp_path}/rest.parquet"


def test_json_lines_are_read_value_by_value_as_they_are_locally(spark, tmp_path):
    rng = np.random.default_rng(5)
    lines = []
    for i in range(1500):
        odd = [1, 2.5, None, float("nan"), "x", True, [1], 10**400][i % 8]
        features = {"odd": odd, "x": float(rng.normal()), "y": float(rng.normal())}
        if i % 3:
            features["late"] = "é" * (i % 4)
        share = round(float(rng.random()), 3)
        lines.append(json.dumps({"features": features, "prediction": {"a": share, "b": 1 - share}}))
    lines[5:5] = ["{broken", "[1]", "", '{"features": {"x": 1e999}}']
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    local, _ = build(tmp_path / "local.json", path)
    ours, said = build(tmp_path / "spark.json", path, "--spark")
    assert ours["rows"] == local["rows"] == 1501
    assert ours["streams"] == local["streams"]
    assert {"prediction[a]", "late", "odd"} < {stream["name"] for stream in ours["streams"]}
    assert "warning: 2 lines were left out" in said
    assert "  events.jsonl: " in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{data}", "--latency", "tok"],
            "--latency: there is no column 'tok'; did you mean 'took'",
        ),
        (["{data}", "--kind", "user_id=numeric"], "'user_id' is left out"),
        (["{data}", "--pane", "5m"], "--pane: on Spark rows have no order"),
        (["{data}", "--time", "state"], "--time: column 'state' holds no times"),
        (["{data}", "--cutoff", "0.5", "--prediction", "state"], "only numbers have a cut-off"),
        (["{data}/none.parquet"], "Spark: .*does not exist"),
        (["table:never.was"], "Spark: .*cannot be found"),
        (["train.csv"], "train.csv: on Spark only Parquet, JSON Lines and tables are read"),
        (["a.jsonl", "{data}"], "a.jsonl is JSON Lines, and other sources are not"),
    ],
)
def test_what_is_wrong_is_said(spark, data, tmp_path, arguments, message):
    given = [text.format(data=data) for text in arguments]
    with pytest.raises(ConfigurationError, match=message):
        build(tmp_path / "ref.json", *given, "--spark")
    assert not (tmp_path / "ref.json").exists()
