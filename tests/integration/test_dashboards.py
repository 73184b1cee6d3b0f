"""Grafana's own types take the dashboards whole. (What their queries return: test_compose.)"""

import json

import pytest

from tests.integration.parts.grafana_types import problems
from tests.unit.deploy.boards import FILES

pytestmark = pytest.mark.timeout(1000)  # builds a program when it is not there yet


def test_grafana_knows_every_field_of_the_dashboards():
    assert problems(FILES) == ""


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("panels", 1, "targets", 0, "exrp"), "s", "unexpected field"),
        (("panels", 1, "options", "grafMode"), "none", "unexpected field"),
        (("panels", 1, "descripton"), "", "unexpected field"),
        (("annotations", "list", 0, "exrp"), "up", "unexpected field"),
        (("panels", 1, "gridPos"), {"x": 0}, "required field is missing"),
        (("templating", "list", 0, "type"), 7, "type"),
    ],
)
def test_a_field_that_grafana_does_not_know_is_noticed(tmp_path, path, value, words):
    board = json.loads(FILES[0].read_text("utf-8"))
    *way, last = path
    inner = board
    for step in way:
        inner = inner[step]
    inner[last] = value
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(board), "utf-8")
    assert words in problems([changed])
