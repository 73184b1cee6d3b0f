"""The audit as one file that needs nothing else, and runs nothing; to be printed and archived."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from service.publish import audit_sentences as told
from service.publish.audit_view import audit_view
from service.publish.pictures.time_axis import minute
from service.publish.templating import environment, report_policy
from service.values.audits import Audit

_FILTERS: Mapping[str, Callable[..., Any]] = {
    "minute": minute,
    "fate": told.FATE_WORDS.__getitem__,
    "down": told.down_words,
    "broker": told.broker_says,
    "rows": told.rows_words,
    "decided": told.verdict_words,
}

ROWS_MAX = 500
"""Of a table; the CSV files have all."""


def audit_page(audit: Audit) -> bytes:
    """The audit as HTML in UTF-8. Its policy allows its style sheet, by hash, and no script."""
    style = files("service.publish").joinpath("static/backtest.css").read_text("utf-8")
    text = (
        environment(_FILTERS)
        .get_template("audit.html")
        .render(
            audit=audit,
            view=audit_view(audit),
            style=Markup(style),  # noqa: S704 - our own file
            policy=report_policy(style),
            rows_max=ROWS_MAX,
        )
    )
    return text.encode("utf-8", "replace")
