"""Recordings out of single files: Elec2, SINE1, 2CDT, three of the Numenta Anomaly Benchmark."""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.benchmarks.recorded.recording import Change, Recording

DAY_SECONDS = 86_400.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Rows without a time are a second apart, from here on."""


def elec2(directory: Path) -> Recording:
    begin, half_hour = datetime(1996, 5, 7, tzinfo=UTC).timestamp(), 1800.0
    with (directory / "elec.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
    victorian = frozenset(names[2:])
    return Recording(
        name="Elec2: electricity of New South Wales, half-hourly over two and a half years",
        truth="vicprice, vicdemand and transfer are constant up to row 17,424, and vary from there "
        "on (seen in the data; the market of Victoria opened). What else the two streams of New "
        "South Wales do over the seasons of the years is nobody's truth: alarms there count as "
        "false. The reference is the first 8,640 rows (180 days); panes of 30 min hold one row.",
        times=begin + half_hour * np.arange(len(rows)),
        columns={name: np.array([float(row[name]) for row in rows]) for name in names},
        changes=[Change(begin + half_hour * 17_424, streams=frozenset({v})) for v in victorian],
        reference_rows=8_640,
        period_rows=48 * 7,
        unit=(DAY_SECONDS, "days"),
        settings={"detection": {"pane": "30m", "windows": ["24h", "7d"]}},
    )


def sine1(directory: Path) -> Recording:
    lines = (directory / "sine1.arff").read_text("utf-8").splitlines()
    cells = [line.split(",") for line in lines if line and line[0] not in "@%"]
    x, y = (np.array([float(row[place]) for row in cells]) for place in (0, 1))
    label = np.array([row[2].strip() for row in cells])
    above = y > np.sin(x)
    usual = label[above][:1_000]
    positive = max(set(usual.tolist()), key=usual.tolist().count)
    right = np.where((label == positive) == above, "true", "false")
    turns = [BEGIN + row for row in range(20_000, 100_000, 20_000)]
    away = [
        Change(a, b - 1, frozenset({"right"})) for a, b in zip(turns[::2], turns[1::2], strict=True)
    ]
    return Recording(
        name="SINE1: two inputs that never drift, and whether a fixed rule is right",
        truth="labels flip at rows 20,000, 40,000, 60,000 and 80,000 (its authors), so that the "
        "rule of the first 20,000 rows is right in 90 %, then 10 %, then 90 % of the rows, and so "
        "on: two times of drift. To notice the way back within 2,000 rows is not false. A row a "
        "second.",
        times=BEGIN + np.arange(len(x), dtype=np.float64),
        columns={"x": x, "y": y, "right": right},
        changes=away,
        reference_rows=10_000,
        period_rows=1_000,
        aftermath_seconds=2_000.0,
    )


def two_cdt(directory: Path) -> Recording:
    values = np.loadtxt(directory / "2cdt.data")
    return Recording(
        name="2CDT: two Gaussian classes, of which one moves steadily",
        truth="one class translates along the diagonal from the first row to the last (Souza et "
        "al.), so after a reference of 2,000 rows all is drift and no alarm can be false. A row a "
        "second.",
        times=BEGIN + np.arange(len(values), dtype=np.float64),
        columns={"x": values[:, 0], "y": values[:, 1]},
        changes=[Change(BEGIN + 2_000, streams=frozenset({name})) for name in "xy"],
        reference_rows=2_000,
        period_rows=500,
    )


_NAB = (
    "hand-labelled windows of the benchmark (NAB); a change is found by an alarm that begins "
    "within one, any other is false. "
)


def taxi(directory: Path) -> Recording:
    return _nab(directory, "nab_nyc_taxi.csv")._replace(
        name="New York taxis: passengers each half hour, as volume",
        truth=_NAB + "The first four weeks are not judged. A hundred passengers are one event.",
        reference_rows=28 * 48,
        period_rows=48,
        unit=(3600.0, "hours"),
        settings={"detection": {"pane": "30m", "windows": ["1h", "24h"]}},
        volume=True,
        event_worth=100,
    )


def requests(directory: Path) -> Recording:
    return _nab(directory, "nab_elb_request_count.csv")._replace(
        name="Load balancer: requests in 5 minutes, as volume",
        truth=_NAB + "All of it is two weeks, of which the first 15 % are not judged (NAB's rule).",
        settings={"detection": {"pane": "5m", "windows": ["1h", "24h"]}},
        volume=True,
    )


def requests_as_feature(directory: Path) -> Recording:
    return _nab(directory, "nab_elb_request_count.csv")._replace(
        name="Load balancer: the same figure, a numeric feature each 5 minutes",
        truth=_NAB + "The first 15 % are the reference.",
        settings={"detection": {"pane": "5m", "windows": ["1h", "24h"]}},
    )


def latency(directory: Path) -> Recording:
    recording = _nab(directory, "nab_ec2_request_latency.csv")
    return recording._replace(
        name="EC2: latency of a request each 5 minutes",
        truth=_NAB + "Each holds one to four outliers among 75 to 134 values, and no drift that "
        "lasts. The first 15 % are the reference. An event needs an answer: it is always 1.",
        columns=recording.columns | {"answer": np.ones(len(recording.times))},
        settings={"detection": {"pane": "5m", "windows": ["1h", "24h"]}},
        prediction="answer",
        latency="value",
    )


def _nab(directory: Path, file_name: str) -> Recording:
    with (directory / file_name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    windows = json.loads((directory / "nab_windows.json").read_text("utf-8"))[file_name]
    return Recording(
        name=file_name,
        truth=_NAB,
        times=np.array([_seconds(row["timestamp"]) for row in rows]),
        columns={"value": np.array([float(row["value"]) for row in rows])},
        changes=[Change(*map(_seconds, window)) for window in windows],
        reference_rows=round(0.15 * len(rows)),
        period_rows=288,
        unit=(3600.0, "hours"),
    )


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()


SETS: Mapping[str, tuple[str, Callable[[Path], Recording]]] = {
    "elec2": ("elec.csv", elec2),
    "sine1": ("sine1.arff", sine1),
    "2cdt": ("2cdt.data", two_cdt),
    "taxi": ("nab_nyc_taxi.csv", taxi),
    "requests": ("nab_elb_request_count.csv", requests),
    "requests-as-feature": ("nab_elb_request_count.csv", requests_as_feature),
    "latency": ("nab_ec2_request_latency.csv", latency),
}
"""By name: the file that is needed, and what reads it."""
