"""What is around the panels: variables, links between the dashboards, marks of what happened."""

from collections.abc import Sequence

from deploy.grafana.layout import Section, placed
from deploy.grafana.panels import DATASOURCE, ORANGE, RED, Json

SCHEMA_VERSION = 39
"""Grafana 10.3 and newer read it; they raise it themselves."""

FLEET, MODEL, SERVICE = "anchorwatch-fleet", "anchorwatch-model", "anchorwatch-service"
TAG = "anchorwatch"

_TIMES = "${__url_time_range}&${datasource:queryparam}"


def dashboard(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Json],
    sections: Sequence[Section],
    annotations: Sequence[Json] = (),
) -> Json:
    """A whole dashboard. The variable `datasource` stands before the others."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "links": [_others()],
        "templating": {"list": [_datasource(), *variables]},
        "annotations": {"list": list(annotations)},
        "panels": placed(sections),
    }


def to_model(model: str, version: str = "") -> str:
    """The address of a model's dashboard at the time that is looked at; without version, of all."""
    chosen = f"var-model={model}" + (f"&var-version={version}" if version else "")
    return f"/d/{MODEL}?{chosen}&{_TIMES}"


def to_feature(feature: str) -> str:
    """The address of the model's dashboard that is looked at, with this feature chosen."""
    chosen = f"${{model:queryparam}}&${{version:queryparam}}&var-feature={feature}"
    return f"/d/{MODEL}?{chosen}&{_TIMES}"


def choice(name: str, label: str, query: str, description: str) -> Json:
    """A variable of one value."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "description": description,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": f"variable-{name}"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "regex": "",
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "options": [],
    }


def choices(name: str, label: str, query: str, description: str) -> Json:
    """A variable of several values, at first all: those without a value as well."""
    return choice(name, label, query, description) | {
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def of_episodes(matchers: str) -> Json:
    """Marks how long each episode lasts."""
    return _marks(
        "Episodes",
        RED,
        "max by (model, model_version, kind, severity, team, episode, drill)"
        f" (anchorwatch_episode_active{{{matchers}}})",
        "{{episode}}: {{kind}}, {{severity}}",
        "model,severity,team",
    )


def of_references(matchers: str) -> Json:
    """Marks when references were made."""
    made = (
        "max by (model, model_version)"
        f" (anchorwatch_reference_created_timestamp_seconds{{{matchers}}}) * 1000"
    )
    title = "Reference of {{model}} {{model_version}} made"
    return _marks("References", ORANGE, made, title, "") | {"useValueForTime": True}


def _marks(name: str, colour: str, expr: str, title: str, tags: str) -> Json:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "titleFormat": title,
        "textFormat": "",
        "tagKeys": tags,
        "step": "30s",
    }


def _datasource() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "description": "The Prometheus that scrapes Anchorwatch.",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "options": [],
    }


def _others() -> Json:
    return {
        "type": "dashboards",
        "title": "Anchorwatch",
        "tags": [TAG],
        "icon": "external link",
        "tooltip": "The other dashboards of Anchorwatch",
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }
