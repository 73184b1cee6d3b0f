"""Tests side by side (`pytest -n 4`): what stays together, and what is begun first.

A process takes a whole file, for the sake of its fixtures; of a directory of integration tests it
takes all of it, because its files share what is dear to start. Every process starts the broker of
its session itself, when one of its tests asks for it.
"""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

INTEGRATION = ("tests", "integration")
LONGEST = (
    "fleet",
    "cluster",
    "test_broker_outage.py",
    "test_audit.py",
    "chart",
    "test_compose.py",
    "test_paging.py",
    "test_web_protection.py",
    "test_acl.py",
    "test_exactly_once.py",
    "test_roles.py",
    "test_planted_secrets.py",
    "test_reference_registry.py",
    "test_kafka_faults.py",
    "test_reference_build.py",
    "test_topic_log.py",
    "test_reference_on_spark.py",
    "test_deploy.py",
    "test_run_command.py",
    "test_kafka_source.py",
)
"""Of the integration tests these come first, so that nobody waits for one of them in the end."""


def unit_of_work(node: str) -> str:
    """The file, or the directory below tests/integration, of a test's id."""
    file = PurePath(node.partition("::")[0])
    is_shared = file.parts[:2] == INTEGRATION and len(file.parts) > 3
    return str(PurePath(*file.parts[:3]) if is_shared else file)


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Quick tests before slow ones, and of these the longest first; else as they were."""
    return sorted(items, key=lambda item: _rank(item.nodeid))


class UnitsInOrder(LoadScopeScheduling):
    """Gives out units of work in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        """As xdist makes it."""
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of_work(nodeid)


def _rank(node: str) -> int:
    unit = PurePath(unit_of_work(node))
    if unit.parts[:2] != INTEGRATION:
        return -1
    return LONGEST.index(unit.name) if unit.name in LONGEST else len(LONGEST)
