"""The what-if table of the backtest report: a row a tolerance, a column a budget."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.pictures.time_axis import day
from service.values.backtests import Backtest, Incident, Setting


class SettingRow(Struct, frozen=True):
    """One tolerance: alarms under every budget, and which known incidents it misses."""

    tolerance: str
    configured: bool
    cells: tuple[Setting, ...]
    note: str


def setting_rows(backtest: Backtest) -> tuple[SettingRow, ...]:
    """The table by tolerance; empty when it was not asked for."""
    rows: dict[float | None, list[Setting]] = {}
    for setting in backtest.what_if:
        rows.setdefault(setting.tolerance_sd, []).append(setting)
    return tuple(
        SettingRow(
            tolerance="as configured" if tolerance is None else f"{tolerance:g} sd",
            configured=any(setting.configured for setting in settings),
            cells=tuple(settings),
            note=_note(settings, backtest),
        )
        for tolerance, settings in rows.items()
    )


def makes_no_difference(rows: Sequence[SettingRow]) -> bool:
    """Whether every tolerance came to the same, under each budget."""
    told = [[(cell.episodes, cell.alarms, cell.missed) for cell in row.cells] for row in rows]
    return len(told) > 1 and all(cells == told[0] for cells in told)


def _note(settings: Sequence[Setting], backtest: Backtest) -> str:
    """The known incidents that this tolerance misses: under every budget, and under one besides."""
    every = set.intersection(*(set(setting.missed) for setting in settings))
    parts = [f"misses {_names(every, backtest)}"] if every else []
    for setting in settings:
        more = set(setting.missed) - every
        if more:
            also = "also " if every else ""
            parts.append(f"{setting.budget} {also}misses {_names(more, backtest)}")
    return "; ".join(parts)


def _names(positions: Iterable[int], backtest: Backtest) -> str:
    findings = backtest.findings or ()
    return told.listed([_dated(findings[position].incident) for position in sorted(positions)], 3)


def _dated(incident: Incident) -> str:
    """`a heat wave (10 Jan 1998)`, `the one of 10 Jan 1998`."""
    on = day(incident.start_seconds)
    return f"{incident.what} ({on})" if incident.what else f"the one of {on}"
