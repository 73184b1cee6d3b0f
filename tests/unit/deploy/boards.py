"""The shipped dashboards as values, for their tests."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

GRAFANA = Path(__file__).parents[3] / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
VARIABLE = re.compile(r"\$\{?(\w+)[^}\s\"]*?\}?")


class Asked(NamedTuple):
    """A query, and where it stands, to be named when it fails."""

    board: str
    panel: str
    expr: str


def boards() -> dict[str, dict[str, Any]]:
    """By uid."""
    read = [json.loads(path.read_text("utf-8")) for path in FILES]
    return {board["uid"]: board for board in read}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that draw, those in folded sections as well."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def asked(board: dict[str, Any]) -> Iterator[Asked]:
    """What it asks Prometheus for: in panels, and to mark what happened."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield Asked(board["uid"], panel["title"], target["expr"])
    for marks in board["annotations"]["list"]:
        yield Asked(board["uid"], f"marks of {marks['name']}", marks["expr"])


def filled(text: str, values: dict[str, str]) -> str:
    """With the variables replaced as Grafana does it; a KeyError when one has no value."""
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda match: values[match[1] or match[2]], text)
