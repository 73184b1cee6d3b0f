"""Fleets over topics of their own, ended with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.parts import traffic
from tests.integration.parts.fleet import Fleet, fleet_configuration
from tests.integration.parts.watched_topic import References, build_reference

FleetFactory = Callable[..., Fleet]


@pytest.fixture(scope="session")
def fleet_references(tmp_path_factory: pytest.TempPathFactory) -> References:
    """The reference files of the models in `parts/traffic.py`: one for all, by name."""
    directory = tmp_path_factory.mktemp("fleet-references")
    contents = {
        model: build_reference(directory, model, traffic.table(2000, seed))
        for seed, model in enumerate(traffic.MODELS)
    }
    return References(directory, contents)


@pytest.fixture
def fleet_on(fleet_references: References, tmp_path: Path) -> Iterator[FleetFactory]:
    """`fleet_on(bootstrap, topic, **sections)`: a fleet, not yet started."""
    made: list[Fleet] = []

    def make(bootstrap: Any, topic: str, **sections: Any) -> Fleet:
        directory = tmp_path / f"fleet-{len(made)}"
        directory.mkdir()
        config = fleet_configuration(bootstrap, topic, fleet_references.directory, **sections)
        made.append(Fleet(directory, config))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()
