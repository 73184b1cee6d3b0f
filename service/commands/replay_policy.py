"""Distances at the end of a replay, by window and against a policy: on the terminal, as JSON."""

import math
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from service.publish import backtest_sentences as told
from service.publish.policy_view import Held, chance_note, held_streams, policy_sentence
from service.publish.words import decimals
from service.values.reports import (
    ModelReport,
    PolicyLevel,
    PolicyReport,
    StreamReport,
    WindowReport,
)
from service.values.watches import PolicyLimits

ROWS_SHOWN_MAX = 20
"""A terminal is no place for more; --json and --html have all."""

_OVER = frozenset({PolicyLevel.RED, PolicyLevel.AMBER})


def policy_parts(models: tuple[ModelReport, ...]) -> Iterator[RenderableType]:
    """A sentence for each model that has a policy, and a table of what is over its limits."""
    for model in models:
        if model.policy is None:
            continue
        held = held_streams(model.streams)
        yield Text(f"{told.model_name(model.key)}: {policy_sentence(model.policy, held)}")
        over = [pair for pair in held if pair[1].level in _OVER]
        if over:
            yield _table(over[:ROWS_SHOWN_MAX])
        if len(over) > ROWS_SHOWN_MAX:
            yield Text(f"And {len(over) - ROWS_SHOWN_MAX:,} more: --json or --html tells them all.")


def policy_tree(limits: PolicyLimits | None) -> dict[str, Any] | None:
    """The limits of a model."""
    if limits is None:
        return None
    return {
        "method": limits.method,
        "bins": limits.bins,
        "window": limits.window.name,
        "amber": limits.amber,
        "red": limits.red,
    }


def distances_tree(stream: StreamReport) -> dict[str, Any]:
    """The windowed distances of a stream, and where it stands by a policy (null without one)."""
    return {
        "windows": [_window(window) for window in stream.windows],
        "policy": None if stream.policy is None else _standing(stream.policy),
    }


def _table(over: list[Held]) -> Table:
    table = Table(title="Over the limits of the policy", title_justify="left")
    for heading in ("Stream", "Level", "Distance", "By sampling alone", "Values", "Remarks"):
        table.add_column(heading, overflow="fold")
    for key, policy in over:
        table.add_row(
            Text(told.stream_name(key)),
            policy.level.value,
            decimals(policy.distance),
            decimals(policy.expected),
            f"{policy.values:,}",
            chance_note(policy),
        )
    return table


def _standing(policy: PolicyReport) -> dict[str, Any]:
    return {
        "level": policy.level.value,
        "distance": _number(policy.distance),
        "distance_expected": _number(policy.expected),
        "values": policy.values,
        "bins": policy.bins,
        "covers_seconds": policy.covers_seconds,
        "too_few": policy.too_few,
    }


def _window(window: WindowReport) -> dict[str, Any]:
    return {
        "window": window.window,
        "values": window.values,
        "covers_seconds": window.covers_seconds,
        "psi": _number(window.psi),
        "psi_expected": _number(window.psi_expected),
        "jensen_shannon": _number(window.jensen_shannon),
        "ks": _number(window.ks),
        "wasserstein_sd": _number(window.wasserstein_sd),
        "mean_shift_sd": _number(window.mean_shift_sd),
    }


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
