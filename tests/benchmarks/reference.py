"""How fast a reference is built from files, and in how much memory."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

ROWS = 400_000
NUMERIC, CATEGORICAL = 16, 4
BLOCK = 50_000

MEASURED = """
import json, sys, time
from pathlib import Path
from rich.console import Console
from service.clock import SystemClock
from service.commands.profiling import Roles
from service.commands.reference_building import BadLines, Request, build_from_files

def peak():
    # getrusage tells the highest of the process that started this one, if that was higher
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

console, bad = Console(quiet=True), BadLines()
def build(path):
    request = Request((Path(path),), "m", None, Roles(), {}, (), None, {}, 100)
    return build_from_files(request, (), bad, SystemClock(), console).reference

build(sys.argv[1])
before, start = peak(), time.perf_counter()
reference = build(sys.argv[2])
seconds = time.perf_counter() - start
print(json.dumps([reference.rows, seconds, peak() - before, peak()]))
"""


def table(rows: int = ROWS) -> list[tuple[str, float, str]]:
    """Rows a second and resident memory for each format: (what, figure, unit)."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("parquet", "csv", "jsonl"):
            small, large = (Path(folder) / f"{name}.{kind}" for name in ("small", "large"))
            write(small, 1000)
            write(large, rows)
            counted, seconds, grown, peak = measured(small, large)
            title = f"reference build, {kind}, {NUMERIC + CATEGORICAL} columns"
            found += [
                (title, counted / seconds, "rows/s"),
                (title, large.stat().st_size / seconds / 1e6, "MB/s"),
                (f"{title}, file", large.stat().st_size / 1e6, "MB"),
                (f"{title}, resident growth", grown / 1e6, "MB"),
                (f"{title}, peak resident", peak / 1e6, "MB"),
            ]
            large.unlink()
    return found


def measured(small: Path, large: Path) -> tuple[int, float, int, int]:
    """Rows, seconds, growth and peak in bytes, of a process of its own that has warmed up."""
    command = [sys.executable, "-c", MEASURED, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, seconds, grown, peak = json.loads(done.stdout)
    return rows, seconds, grown, peak


def write(path: Path, rows: int) -> None:
    """A file of seeded rows, block by block."""
    rng = np.random.default_rng(1)
    blocks = (block(rng, min(BLOCK, rows - start)) for start in range(0, rows, BLOCK))
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            for part in blocks:
                file.writelines(json.dumps(row) + "\n" for row in part.to_pylist())
        return
    schema = block(rng, 1).schema
    writer = pa.parquet.ParquetWriter if path.suffix == ".parquet" else pa.csv.CSVWriter
    with writer(path, schema) as file:
        for part in blocks:
            file.write_table(part)


def block(rng: np.random.Generator, rows: int) -> pa.Table:
    """Lognormal and integer features, with 1 % missing, and categories of 5 to 5,000 names."""
    columns: dict[str, pa.Array] = {}
    for i in range(NUMERIC):
        values = rng.lognormal(i, 1, rows) if i % 4 else rng.integers(0, 100, rows).astype(float)
        columns[f"n{i}"] = pa.array(values, mask=rng.random(rows) < 0.01)
    for i, names in enumerate((5, 50, 500, 5000)):
        columns[f"c{i}"] = pa.array([f"name-{code}" for code in rng.integers(0, names, rows)])
    return pa.table(columns)


if __name__ == "__main__":
    for what, figure, unit in table(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(f"{what:60} {figure:12,.1f} {unit}")
