"""All dashboards, and what their files hold."""

import json
from collections.abc import Iterator
from pathlib import Path

from deploy.grafana.fleet import fleet
from deploy.grafana.model import model
from deploy.grafana.panels import Json
from deploy.grafana.service import service

DIRECTORY = Path(__file__).parent / "dashboards"


def dashboards() -> Iterator[Json]:
    """As Grafana imports them: of all models, of one, and of Anchorwatch itself."""
    yield fleet()
    yield model()
    yield service()


def rendered() -> dict[str, str]:
    """Name and contents of each file."""
    return {
        f"{board['uid']}.json": json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        for board in dashboards()
    }
