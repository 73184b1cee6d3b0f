"""How columns of training data are related, and the cells of the error, are in the reference."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from service.clock import SystemClock
from service.commands.profiling import Roles
from service.commands.reference_building import BadLines, Request, build_from_files
from service.errors import ConfigurationError
from service.monitor.references.file import read, write
from service.monitor.references.reference import plan_of
from service.values.streams import JOINT, PREDICTION, ValueType, above_cutoff
from tests.unit.ingest.decode.decoding import chunk_of, decoder, only_batch

ROWS = 3000


def drawn(rows=ROWS, seed=1, correlation=0.8):
    rng = np.random.default_rng(seed)
    for i in range(rows):
        income, own = rng.normal(), rng.normal()
        debt = correlation * income + (1 - correlation**2) ** 0.5 * own
        yield {
            "income": round(float(np.exp(income)), 4),
            "debt": round(float(debt), 4) if i % 50 else None,
            **{name: round(float(rng.normal()), 4) for name in "abcde"},
            "state": str(rng.choice(["MA", "NY"])),
            "prediction": round(float(rng.random()), 3),
        }


def written(path, rows, kind="csv"):
    rows = list(rows)
    names = list(rows[0])
    if kind == "jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        cells = [["" if row[n] is None else str(row[n]) for n in names] for row in rows]
        lines = [",".join(names), *map(",".join, cells)]
    path.write_text("\n".join(lines))
    return path


def built(*paths, **roles):
    given = {"prediction": "prediction", "latency": "latency_ms", "time": "timestamp"} | roles
    request = Request(tuple(paths), "m", "1", Roles(**given), {}, (), None, {}, 100)
    bad = BadLines()
    return build_from_files(request, (), bad, SystemClock(), Console(file=io.StringIO())).reference


def stream(reference, key):
    (found,) = [s for s in reference.streams if s.key == key]
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return built(written(tmp_path_factory.mktemp("data") / "train.csv", drawn()))


def test_related_columns_and_the_error_are_in_the_file(reference):
    assert reference.projection.features == ("debt", "income")
    joint = stream(reference, JOINT)
    assert joint.type is ValueType.NUMERIC
    assert (joint.valid, joint.missing, joint.invalid) == (ROWS, 0, 0)
    assert joint.mean**2 + joint.sd**2 == pytest.approx(1.0, abs=0.01)
    assert read(write(reference), "ref.json").hash == reference.hash


def test_live_rows_fall_into_the_cells_as_those_of_the_file_do(reference):
    subject = decoder(plan_of(reference))

    def shares(correlation):
        rows = drawn(seed=2, correlation=correlation)
        events = [
            {"model": "m", "version": "1", "features": r, "prediction": r.pop("prediction")}
            for r in rows
        ]
        batch = only_batch(subject.decode(chunk_of(*events)))
        errors = batch.numeric[:, batch.plan.numeric.index(JOINT)]
        places = np.searchsorted(stream(reference, JOINT).edges, errors, side="right")
        return np.bincount(places, minlength=len(normal)) / ROWS

    normal = stream(reference, JOINT).counts / ROWS
    assert np.abs(shares(0.8) - normal).max() < 0.03
    assert np.abs(shares(0.0) - normal).max() > 0.1


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_order_and_split_of_the_rows_play_no_part(tmp_path, reference, kind):
    rows = list(drawn())
    shuffled = [rows[i] for i in np.random.default_rng(3).permutation(ROWS)]
    parts = [written(tmp_path / f"{i}.{kind}", shuffled[i::2], kind) for i in range(2)]
    other = built(*parts)
    np.testing.assert_array_equal(other.projection.residuals, reference.projection.residuals)
    np.testing.assert_array_equal(stream(other, JOINT).counts, stream(reference, JOINT).counts)


def test_columns_without_a_relation_are_noted_as_such(tmp_path):
    reference = built(written(tmp_path / "train.csv", drawn(correlation=0.0)))
    assert reference.projection is not None
    assert not reference.projection
    assert JOINT not in {s.key for s in reference.streams}


def test_one_numeric_column_is_not_looked_at_again(tmp_path):
    rows = [{"income": r["income"], "state": r["state"]} for r in drawn(200)]
    assert built(written(tmp_path / "train.csv", rows)).projection is None


def test_values_that_are_no_numbers_are_taken_for_the_median(tmp_path):
    rows = list(drawn())
    clean = built(written(tmp_path / "clean.csv", rows))
    for row in rows[:20]:
        row["debt"] = "unknown"
    joint = stream(built(written(tmp_path / "train.csv", rows)), JOINT)
    assert joint.valid == ROWS
    assert np.abs(joint.counts - stream(clean, JOINT).counts).sum() < 200


def test_a_cut_off_splits_the_predictions_of_the_file(tmp_path):
    rows = list(drawn(300))
    rows[0]["prediction"], rows[1]["prediction"] = None, "high"
    reference = built(written(tmp_path / "train.csv", rows), cutoffs=(0.62,))
    found = stream(reference, above_cutoff(0.62))
    numbers = [r["prediction"] for r in rows[2:]]
    above = sum(number > 0.62 for number in numbers)
    assert found.type is ValueType.BOOLEAN
    assert found.counts.tolist() == [298 - above, above, 0]
    assert (found.missing, found.invalid) == (1, 1)
    assert stream(reference, PREDICTION).valid == 298
    assert read(write(reference), "ref.json").hash == reference.hash


def test_a_cut_off_of_a_prediction_that_is_a_class_is_refused(tmp_path):
    path = written(tmp_path / "train.csv", [{"x": 1, "prediction": "good"}] * 3)
    with pytest.raises(ConfigurationError, match="--cutoff: the prediction is categorical"):
        built(path, cutoffs=(0.5,))
