"""What every page is rendered with: strict templates of this package, and words for figures."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from service.publish import policy_view, words
from service.publish.pictures.distances import distance_bar

_FILTERS: Mapping[str, Callable[..., Any]] = {
    "count": words.count,
    "decimals": words.decimals,
    "duration": words.duration,
    "size": words.size,
    "method": policy_view.METHODS.__getitem__,
    "chance_note": policy_view.chance_note,
    "row_bar": policy_view.row_bar,
    "distance_bar": distance_bar,
}


def environment(filters: Mapping[str, Callable[..., Any]], **names: Any) -> Environment:
    """An environment in which a missing name is an error and everything is escaped.

    `filters` are those of one page beside those of all; `names` are known to its template.
    """
    made = Environment(
        loader=PackageLoader("service.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_FILTERS)
    made.filters.update(filters)
    made.globals.update(several=words.several, **names)
    return made


def report_policy(style: str) -> str:
    """The content security policy of a file: its style sheet, by hash, and no script."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "form-action 'none'; base-uri 'none'"
    )
