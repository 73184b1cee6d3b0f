"""What a training pipeline writes: three lines, whatever data frame it has."""

import json

import anchorwatch
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from service.__main__ import anchorwatch as command_line
from service.monitor.references.file import read
from service.monitor.references.reference import same_cells
from service.values.streams import PREDICTION, Kind, StreamKey, ValueType

ROWS = 2000
RNG = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "income": RNG.lognormal(10.0, 1.0, ROWS),
        "age": RNG.integers(18, 90, ROWS),
        "state": RNG.choice(["MA", "CA", "NY"], ROWS),
        "owner": RNG.random(ROWS) < 0.3,
        "gap": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(size=ROWS)),
        "score": RNG.beta(2, 5, ROWS),
        "customer_id": np.arange(ROWS),
    }
)


def built(df=FRAME, **more):
    return anchorwatch.reference(df, model="credit-risk", version="3", prediction="score", **more)


def test_the_reference_is_that_which_the_command_builds_of_the_same_rows(tmp_path):
    table, output = tmp_path / "train.parquet", tmp_path / "ref.json"
    pa.parquet.write_table(pa.Table.from_pandas(FRAME, preserve_index=False), table)
    command = ["reference", "build", str(table), "--model", "credit-risk", "--version", "3"]
    done = CliRunner().invoke(
        command_line, [*command, "--prediction", "score", "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    expected = read(output.read_text(), "ref.json")
    found = built().reference
    assert same_cells(found, expected)
    assert (found.model, found.version, found.rows) == ("credit-risk", "3", ROWS)
    assert found.projection is not None


def test_every_kind_of_data_frame_gives_the_same():
    table = pa.Table.from_pandas(FRAME, preserve_index=False)

    class Stream:
        """As data frames of other libraries are: they offer Arrow's stream, and no more."""

        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    class Arrows:
        def to_arrow(self):
            return table

    (batch,) = table.to_batches()
    hashes = {built(df).hash for df in (FRAME, table, batch, Stream(), Arrows())}
    assert len(hashes) == 1


def test_the_order_of_rows_and_an_index_play_no_part():
    shuffled = FRAME.sample(frac=1.0, random_state=1)
    assert same_cells(built(shuffled).reference, built().reference)
    indexed = FRAME.set_index(pd.Index([f"row {i}" for i in range(ROWS)], name="key"))
    assert built(indexed).hash == built().hash


def test_identifiers_are_left_out_and_columns_have_the_kinds_they_are_given():
    found = built(kinds={"age": "categorical"}, ignore=["gap"], metadata={"run": "7"})
    types = {stream.key: stream.type for stream in found.reference.streams}
    names = {key.name for key in types if key.kind is Kind.INPUT}
    assert names == {"income", "age", "state", "owner"}
    assert types[StreamKey(Kind.INPUT, "age")] is ValueType.CATEGORICAL
    assert PREDICTION in types
    assert found.reference.lineage.metadata["run"] == "7"
    assert "customer_id" in found.notes[0]


def test_categories_and_times_of_pandas_are_read():
    frame = FRAME.assign(
        state=FRAME["state"].astype("category"),
        at=pd.date_range("2026-11-01", periods=ROWS, freq="min", tz="UTC"),
    )
    found = built(frame, time="at").reference
    (state,) = (s for s in found.streams if s.key.name == "state")
    assert sorted(state.categories) == ["CA", "MA", "NY"]
    assert found.lineage.to_seconds > found.lineage.from_seconds


def test_saved_it_is_a_file_that_can_be_read(tmp_path):
    path = built().save(tmp_path / "r.json")
    assert read(path.read_text(), "r.json").hash == built().hash
    assert json.loads(path.read_text())["hash"] == built().hash


def test_what_will_not_be_watched_is_warned_of():
    with pytest.warns(UserWarning, match="'same' is constant"):
        found = built(FRAME.assign(same=1.0))
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    ("df", "more", "message"),
    [
        ([1, 2], {}, "list is no data frame"),
        (FRAME.iloc[:0], {}, "no row"),
        (FRAME, {"time": "nope"}, "time: .*'nope'"),
        (FRAME, {"kinds": {"age": "number"}}, "no kind"),
        (FRAME, {"latency_unit": "h"}, "latency_unit"),
        (FRAME.assign(mixed=[1, "a"] * (ROWS // 2)), {}, "mixed"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(df, more, message):
    with pytest.raises(anchorwatch.ConfigurationError, match=message):
        built(df, **more)


def test_the_configuration_says_which_features_are_ignored(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("models: {credit-*: {features: {inc*: {ignore: true}}}}\n")
    names = {s.key.name for s in built(config=config).reference.streams}
    assert "income" not in names
