"""Which tests stay together in one process, and in which order they are begun."""

from pathlib import Path

import pytest

from tests.side_by_side import LONGEST, in_order, unit_of_work

INTEGRATION = Path(__file__).parents[1] / "integration"


class Item:
    def __init__(self, nodeid):
        self.nodeid = nodeid


@pytest.mark.parametrize(
    ("node", "unit"),
    [
        ("tests/unit/test_loop.py::test_one", "tests/unit/test_loop.py"),
        ("tests/unit/state/test_store.py::TestOne::test_one", "tests/unit/state/test_store.py"),
        ("tests/integration/test_start.py::test_one[a::b/c]", "tests/integration/test_start.py"),
        ("tests/integration/fleet/test_references.py::test_one", "tests/integration/fleet"),
    ],
)
def test_files_stay_together_and_so_do_the_integration_tests_of_a_directory(node, unit):
    assert unit_of_work(node) == unit


def test_quick_tests_come_first_and_the_longest_of_the_others_next():
    given = [
        "tests/integration/test_a.py::test_2",
        "tests/integration/test_topic_log.py::test_1",
        "tests/integration/test_a.py::test_1",
        "tests/integration/fleet/test_z.py::test_1",
        "tests/unit/test_b.py::test_1",
        "tests/unit/test_a.py::test_1",
    ]
    assert [item.nodeid for item in in_order(map(Item, given))] == [
        "tests/unit/test_b.py::test_1",
        "tests/unit/test_a.py::test_1",
        "tests/integration/fleet/test_z.py::test_1",
        "tests/integration/test_topic_log.py::test_1",
        "tests/integration/test_a.py::test_2",
        "tests/integration/test_a.py::test_1",
    ]


@pytest.mark.parametrize("name", LONGEST)
def test_what_is_named_to_come_first_is_there(name):
    assert (INTEGRATION / name).exists()
