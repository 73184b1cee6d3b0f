"""`anchorwatch reference build --spark` on a real Spark gives the reference of the local build."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from service.commands.reference import command
from service.errors import ConfigurationError
from service.ingest.spark import Spark

ROWS = 6000
ROLES = ["--prediction", "score", "--latency", "took", "--time", "at", "--cutoff", "0.5"]
ROLES += ["--missing", "N/A", "--kind", "age=categorical"]


@pytest.fixture(scope="module")
def spark():
    """A Spark with two tasks at a time, as a notebook or spark-submit would have one."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.sql.files.maxPartitionBytes", "200k")
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


@pytest.fixture(scope="module")
def ours(spark, data, tmp_path_factory):
    """The reference that Spark makes of the files, and what was said."""
    output = tmp_path_factory.mktemp("ours") / "spark.json"
    return build(output, f"{data}/*.parquet", "--spark", *ROLES)


def test_the_file_is_that_of_the_local_build_but_for_the_order_of_time(ours, data, tmp_path):
    (built, said), (local, _) = ours, build(tmp_path / "local.json", f"{data}/*.parquet", *ROLES)
    assert built["rows"] == ROWS
    assert len(built["streams"]) == 13
    assert built["streams"] == without_time(local["streams"])
    assert built["projection"] == local["projection"]
    assert {feature["feature"] for feature in built["projection"]} == {"income", "debt"}
    assert [built["lineage"][end] for end in ("from", "to")] == [
        local["lineage"][end] for end in ("from", "to")
    ]
    assert any("in_time" in stream for stream in local["streams"])
    assert "learned live: on Spark rows have no order" in said
    assert "user_id" in said
    assert "input 'tags' has no valid value" in said


def test_how_rows_are_split_and_where_they_lie_changes_nothing(ours, spark, data, tmp_path):
    read = spark.read.option("mergeSchema", "true").parquet(str(data)).repartition(5)
    read.where("debt < 20000").createOrReplaceTempView("loans")
    read.where("debt >= 20000").write.parquet(str(tmp_path / "rest"))
    both, _ = build(tmp_path / "both.json", "table:loans", tmp_path / "rest", "--spark", *ROLES)
    assert both["streams"] == ours[0]["streams"]
    assert both["lineage"]["data_hash"] == ours[0]["lineage"]["data_hash"]
    assert both["lineage"]["source"] == f"table:loans, {tmp_path}/rest"


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


def test_what_goes_wrong_on_an_executor_is_told_without_its_stack(spark, tmp_path):
    (tmp_path / "twins.jsonl").write_text('{"a\\u0001": 1, "a\\u0002": 2}\n' * 3)
    with pytest.raises(ConfigurationError, match=r"^column .* have the same printable name"):
        build(tmp_path / "ref.json", tmp_path / "twins.jsonl", "--spark")

    def lacking(batches):
        yield from import_module("not_installed_there").parts(batches)

    with Spark({}) as session:
        frame = session.lines([str(tmp_path / "twins.jsonl")])
        with pytest.raises(ConfigurationError, match="a Python without 'not_installed_there'"):
            list(frame.run(lacking, lambda blobs: blobs))
    assert SparkSession.getActiveSession() is spark


def test_spark_submit_runs_the_script_that_we_ship(tmp_path):
    rows = pa.table({"a": [1, 2, None], "prediction": [0.1, 0.2, 0.3]})
    pa.parquet.write_table(rows, tmp_path / "t")
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        [
            scripts / "spark-submit",
            *("--master", "local[1]"),
            *("--conf", "spark.sql.shuffle.partitions=1", "--conf", "spark.ui.enabled=false"),
            *("--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"),
            Path(__file__).parents[2] / "deploy" / "spark_submit.py",
            *("reference", "build", "--spark", tmp_path / "t", "--model", "m"),
            *("--output", tmp_path / "ref.json"),
        ],
        env=os.environ
        | {"PATH": f"{scripts}:{os.environ['PATH']}", "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    streams = json.loads((tmp_path / "ref.json").read_text("utf-8"))["streams"]
    assert [(s["name"], s["missing"]) for s in streams] == [("a", 1), ("prediction", 0)]
    assert "of 3 rows" in done.stdout  # where spark-submit also puts what its script says of errors
