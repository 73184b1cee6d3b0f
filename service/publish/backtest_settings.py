"""The what-if table of the backtest report: a row a tolerance, a column a budget."""

from collections.abc import Sequence

from msgspec import Struct

from service.publish import backtest_sentences as told
from service.values.backtests import Backtest, Setting


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
            note=_missed(settings, backtest),
        )
        for tolerance, settings in rows.items()
    )


def _missed(settings: Sequence[Setting], backtest: Backtest) -> str:
    """The known incidents that this tolerance misses under every budget."""
    findings = backtest.findings or ()
    always = set.intersection(*(set(setting.missed) for setting in settings))
    names = [told.incident_name(findings[position].incident) for position in sorted(always)]
    return f"misses {told.listed(names, 3)}" if names else ""
