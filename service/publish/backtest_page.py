"""The backtest report: one file that needs nothing else, and runs nothing."""

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service.publish import backtest_sentences as told
from service.publish import words
from service.publish.backtest_view import DRAWN_MAX, ROWS_MAX, backtest_view
from service.publish.pictures.time_axis import minute
from service.values.backtests import Backtest


def backtest_page(backtest: Backtest) -> bytes:
    """The report as HTML in UTF-8. Its policy allows its style sheet, by hash, and no script."""
    style = files("service.publish").joinpath("static/backtest.css").read_text("utf-8")
    text = (
        _environment()
        .get_template("backtest.html")
        .render(
            backtest=backtest,
            view=backtest_view(backtest),
            style=Markup(style),  # noqa: S704 - our own file
            policy=_policy(style),
            drawn_max=DRAWN_MAX,
            rows_max=ROWS_MAX,
        )
    )
    return text.encode("utf-8", "replace")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "form-action 'none'; base-uri 'none'"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("service.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "count": words.count,
        "decimals": words.decimals,
        "duration": words.duration,
        "size": words.size,
        "minute": minute,
        "incident": told.incident_name,
        "finding": told.of_finding,
        "model": told.model_name,
    }
    environment.filters.update(filters)
    environment.globals.update(several=words.several)
    return environment
