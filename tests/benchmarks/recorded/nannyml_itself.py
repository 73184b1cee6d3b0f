"""NannyML's own calculator of univariate drift on a recording, in an interpreter that has it.

It does not install beside what Anchorwatch pins. Make an environment of its own with `pip install
nannyml statsmodels` (without the latter it does not start), which takes two minutes, and give
`--nannyml DIR/bin/python`. It keeps its defaults, Jensen-Shannon distance above 0.1, but for the
chunks: those are the recording's periods.
"""

import csv
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.recorded.recording import Alarm, Recording, runs

NAME = "NannyML, univariate drift"

_SCRIPT = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas
from nannyml.drift.univariate import UnivariateDriftCalculator
before, after = pandas.read_csv("before.csv"), pandas.read_csv("after.csv")
names = [c for c in before if before[c].notna().any() and after[c].notna().any()]
calculator = UnivariateDriftCalculator(column_names=names, chunk_size=int(sys.argv[1]))
results = calculator.fit(before).calculate(after).filter(period="analysis").to_df()
alerts = {name: results[name]["jensen_shannon"]["alert"].astype(bool).tolist() for name in names}
ends = results["chunk"]["chunk"]["end_index"].tolist()
json.dump({"alerts": alerts, "ends": ends}, sys.stdout)
"""


def alarms(recording: Recording, interpreter: Path) -> list[Alarm]:
    """An alarm from the first of some chunks in a row with an alert to the last.

    Raises RuntimeError with what the interpreter said when it fails.
    """
    first = recording.reference_rows
    with TemporaryDirectory(prefix="anchorwatch-recorded-") as place:
        rows = list(zip(*(column.tolist() for column in recording.columns.values()), strict=True))
        for name, chosen in (("before", rows[:first]), ("after", rows[first:])):
            with (Path(place) / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([tuple(recording.columns), *chosen])
        done = subprocess.run(
            [str(interpreter.absolute()), "-c", _SCRIPT, str(recording.period_rows)],
            cwd=place,
            capture_output=True,
            check=False,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"{interpreter}: {done.stderr.strip()[-400:]}")
    told = json.loads(done.stdout[done.stdout.index("{") :])
    return [
        alarm
        for name, alerts in told["alerts"].items()
        for alarm in runs(name, alerts, _spans(recording, told["ends"]))
    ]


def _spans(recording: Recording, ends: Sequence[int]) -> list[tuple[float, float]]:
    """The times of the first and of the last row of each chunk."""
    times, first = recording.times, recording.reference_rows
    begins = [0, *(end + 1 for end in ends[:-1])]
    return [
        (float(times[first + a]), float(times[first + b]))
        for a, b in zip(begins, ends, strict=True)
    ]
