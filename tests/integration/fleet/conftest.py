"""Fleets of real processes; `stage` tells how their scenarios are written."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.fleet.stage import Performances, Stage, build_traffic_references
from tests.integration.parts.watched_topic import References

SCENARIO_SECONDS = 600
"""A scenario may have to wait for others before it, on a machine that is busy with them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scenarios have more time than other tests."""
    for item in items:
        if hasattr(getattr(item, "function", None), "play"):
            item.add_marker(pytest.mark.timeout(SCENARIO_SECONDS))


@pytest.fixture(scope="session")
def fleet_references(tmp_path_factory: pytest.TempPathFactory) -> References:
    """The reference files of the models in `parts/traffic.py`."""
    return build_traffic_references(tmp_path_factory.mktemp("fleet-references"))


@pytest.fixture(scope="session")
def performances(
    request: pytest.FixtureRequest,
    kafka: Any,
    fleet_references: References,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Performances]:
    """All scenarios that were selected, under way."""
    root = tmp_path_factory.mktemp("scenarios")

    def stage_of(node: str) -> Stage:
        name = re.sub(r"\W+", "-", node.partition("::")[2]).strip("-")
        return Stage(kafka.bootstrap, fleet_references, root / name)

    begun = Performances(stage_of)
    for item in request.session.items:
        play = getattr(getattr(item, "function", None), "play", None)
        if play is not None:
            call = getattr(item, "callspec", None)
            begun.begin(item.nodeid, play, {} if call is None else dict(call.params))
    yield begun
    begun.close()
