"""Where panels stand: lines of a section below each other, on Grafana's grid of 24 columns."""

from collections.abc import Sequence
from typing import NamedTuple

from deploy.grafana.panels import Json

COLUMNS = 24


class Line(NamedTuple):
    """Panels beside each other, `height` rows of the grid high, in equal widths or in these."""

    height: int
    panels: Sequence[Json]
    widths: Sequence[int] = ()


class Section(NamedTuple):
    """A heading, and the lines below it. A folded one is asked for nothing until it is opened."""

    title: str
    lines: Sequence[Line]
    folded: bool = False


def placed(sections: Sequence[Section]) -> list[Json]:
    """All panels with their place and a number each, as a dashboard holds them."""
    panels: list[Json] = []
    top, number = 0, 1
    for section in sections:
        heading = _heading(section, number, top)
        inside: list[Json] = []
        top, number = top + 1, number + 1
        for line in section.lines:
            for panel, left, width in _beside(line):
                place = {"x": left, "y": top, "w": width, "h": line.height}
                inside.append({"id": number, "gridPos": place, **panel})
                number += 1
            top += line.height
        if section.folded:
            panels.append(heading | {"panels": inside})
        else:
            panels += [heading, *inside]
    return panels


def _heading(section: Section, number: int, top: int) -> Json:
    return {
        "id": number,
        "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        "type": "row",
        "title": section.title,
        "collapsed": section.folded,
        "panels": [],
    }


def _beside(line: Line) -> list[tuple[Json, int, int]]:
    """Each panel with its left edge and its width."""
    widths = line.widths or [COLUMNS // len(line.panels)] * len(line.panels)
    if len(widths) != len(line.panels) or sum(widths) > COLUMNS:
        raise ValueError(f"{len(line.panels)} panels do not fit in widths {list(widths)}")
    lefts = [sum(widths[:n]) for n in range(len(widths))]
    return list(zip(line.panels, lefts, widths, strict=True))
