"""Panels, each with the queries it draws. They have no place yet: `layout` gives them one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

GREEN, ORANGE, RED, GREY = "green", "orange", "red", "text"

Steps = Sequence[tuple[float, str]]
"""From which value on a colour holds; below the first it is green."""

ALARMS: Steps = ((0.5, ORANGE), (1.0, RED))
"""Of a score: 1 alarms."""

ANY: Steps = ((1.0, RED),)
"""Of what should be none."""


class Query(NamedTuple):
    """An expression, what its series are called, and whether it is of now or of the time shown."""

    expr: str
    legend: str = ""
    now: bool = False


class Look(NamedTuple):
    """How lines are drawn. `steps` are lines across. Series whose name matches `levels`, a regular
    expression, are what others are held against: dashed and without a filling.
    """

    steps: Steps = ()
    log: bool = False
    stacked: bool = False
    levels: str = ""


class Column(NamedTuple):
    """How a table shows one field: its title, unit, colours by value, and where a click leads."""

    title: str
    unit: str = "none"
    steps: Steps = ()
    link: Json | None = None
    width: int | None = None


PLAIN = Look()
TO_ALARM = Look(steps=((1.0, RED),), log=True)
"""A score: it alarms at 1, and ten times more is as far as ten times less."""


def link(title: str, url: str) -> Json:
    """What a click on a value opens."""
    return {"title": title, "url": url, "targetBlank": False}


def stat(
    title: str,
    description: str,
    query: str,
    unit: str = "short",
    steps: Steps = (),
    *,
    legend: str = "",
    links: Iterable[Json] = (),
) -> Json:
    """One figure of now, or with a `legend` words from labels. Without `steps` it is neither good
    nor bad, and grey.
    """
    defaults = _defaults(unit, steps or ((0.0, GREY),), links)
    return {
        **_panel("stat", title, description, [Query(query, legend, now=True)]),
        "fieldConfig": {"defaults": defaults | {"noValue": "not known"}, "overrides": []},
        "options": {
            "graphMode": "none",
            "colorMode": "background" if steps else "value",
            "justifyMode": "center",
            "textMode": "name" if legend else "value",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "orientation": "auto",
        },
    }


def timeseries(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str = "short",
    look: Look = PLAIN,
    links: Iterable[Json] = (),
) -> Json:
    """Lines over time."""
    return {
        **_panel("timeseries", title, description, queries),
        "fieldConfig": {
            "defaults": _defaults(unit, look.steps, links)
            | {"custom": _custom(look), "color": {"mode": "palette-classic"}},
            "overrides": [_dashed(look.levels)] if look.levels else [],
        },
        "options": {
            "legend": {
                "displayMode": "table" if len(queries) == 1 else "list",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def timeline(title: str, description: str, query: Query, words: Mapping[str, str]) -> Json:
    """What was the case when: a bar each. `words` say what a value means."""
    options = {
        value: {"text": text, "color": RED if value == "1" else GREY, "index": index}
        for index, (value, text) in enumerate(words.items())
    }
    return {
        **_panel("state-timeline", title, description, [query]),
        "fieldConfig": {
            "defaults": {
                **_defaults("none", (), ()),
                "mappings": [{"type": "value", "options": options}],
                "custom": {"fillOpacity": 80, "lineWidth": 0},
            },
            "overrides": [],
        },
        "options": {
            "showValue": "auto",
            "rowHeight": 0.8,
            "mergeValues": True,
            "alignValue": "left",
            "legend": {
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": False,
                "calcs": [],
            },
            "tooltip": {"mode": "single", "sort": "none"},
        },
    }


def table(
    title: str,
    description: str,
    queries: Sequence[str],
    columns: Mapping[str, Column],
    first: str,
) -> Json:
    """Series of now as rows, of several queries side by side where their labels are the same.

    `columns` are the fields shown, in order: labels, and the values of the queries, `A`, `B` and so
    on. Rows are sorted by the field `first`, the largest above.
    """
    shown = {_field(name, len(queries)): column for name, column in columns.items()}
    return {
        **_panel("table", title, description, [Query(each, now=True) for each in queries]),
        "fieldConfig": {
            "defaults": _defaults("none", (), ()),
            "overrides": [_as_column(column) for column in shown.values()],
        },
        "options": {
            "showHeader": True,
            "cellHeight": "sm",
            "frameIndex": 0,
            "sortBy": [{"displayName": columns[first].title, "desc": True}],
        },
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": {"include": {"names": list(shown)}}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {},
                    "indexByName": {name: index for index, name in enumerate(shown)},
                    "renameByName": {name: column.title for name, column in shown.items()},
                },
            },
        ],
    }


def _panel(kind: str, title: str, description: str, queries: Sequence[Query]) -> Json:
    targets = [_target(kind, chr(65 + n), query) for n, query in enumerate(queries)]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": targets,
    }


def _target(kind: str, ref: str, query: Query) -> Json:
    return {
        "refId": ref,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": query.now,
        "range": not query.now,
        "format": "table" if kind == "table" else "time_series",
        "editorMode": "code",
    }


def _custom(look: Look) -> Json:
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if look.stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "scaleDistribution": {"type": "log", "log": 10} if look.log else {"type": "linear"},
        "stacking": {"mode": "normal" if look.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if look.steps else "off"},
    }


def _defaults(unit: str, steps: Steps, links: Iterable[Json]) -> Json:
    lowest = steps[0][1] if steps and steps[0][0] <= 0 else GREEN
    coloured = [{"value": value, "color": colour} for value, colour in steps if value > 0]
    defaults: Json = {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": None, "color": lowest}, *coloured],
        },
    }
    return defaults | ({"links": list(links)} if links else {})


def _field(name: str, queries: int) -> str:
    """What the merged table calls it: the value of a query has its letter unless it is the only."""
    if len(name) > 1:
        return name
    return f"Value #{name}" if queries > 1 else "Value"


def _as_column(column: Column) -> Json:
    properties: list[Json] = [{"id": "unit", "value": column.unit}]
    if column.steps:
        steps = _defaults("none", column.steps, ())["thresholds"]
        properties += [
            {"id": "thresholds", "value": steps},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ]
    if column.link:
        properties.append({"id": "links", "value": [column.link]})
    if column.width:
        properties.append({"id": "custom.width", "value": column.width})
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def _dashed(pattern: str) -> Json:
    return {
        "matcher": {"id": "byRegexp", "options": pattern},
        "properties": [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }
