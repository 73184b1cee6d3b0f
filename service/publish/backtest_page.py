"""The backtest report: one file that needs nothing else, and runs nothing."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from service.publish import backtest_sentences as told
from service.publish.backtest_episodes import ROWS_MAX
from service.publish.backtest_view import backtest_view
from service.publish.pictures.time_axis import minute
from service.publish.templating import environment, report_policy
from service.values.backtests import Backtest

_FILTERS: Mapping[str, Callable[..., Any]] = {
    "minute": minute,
    "incident": told.incident_name,
    "finding": told.of_finding,
    "model": told.model_name,
}


def backtest_page(backtest: Backtest) -> bytes:
    """The report as HTML in UTF-8. Its policy allows its style sheet, by hash, and no script."""
    style = files("service.publish").joinpath("static/backtest.css").read_text("utf-8")
    text = (
        environment(_FILTERS)
        .get_template("backtest.html")
        .render(
            backtest=backtest,
            view=backtest_view(backtest),
            style=Markup(style),  # noqa: S704 - our own file
            policy=report_policy(style),
            rows_max=ROWS_MAX,
        )
    )
    return text.encode("utf-8", "replace")
