"""What the service says against the recount, figure by figure."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from service.state.directory import CURRENT
from service.state.snapshot import decode
from tests.integration.oracle import INVALID, MISSING, UNSEEN, ModelCount, Recount
from tests.integration.parts.service_process import Page, ServiceProcess

QUALITY = {MISSING: "missing_values", INVALID: "invalid_values", UNSEEN: "unseen_values"}


def assert_agrees_to_the_last_event(service: ServiceProcess, topic: str, recount: Recount) -> None:
    """The page once all is consumed, and the panes that are left when it is asked to end."""
    page = service.wait_for_records(recount.consumed, topic)
    assert_figures_agree(page, topic, recount)
    assert service.process.terminate() == 0, service.log
    assert_panes_agree(kept_state(service), recount)


def page_figures(page: Page, topic: str) -> dict[str, Any]:
    """The figures of a page that `recounted_figures` also has."""
    figures: dict[str, Any] = {
        name: page.get(f"records_{name}_total", topic=topic)
        for name in ("consumed", "applied", "ignored")
    }
    figures["rejected"] = page.by("records_rejected_total", "reason", topic=topic)
    for labels, _ in page.each("predictions_total"):
        names = {"model": labels["model"], "model_version": labels["model_version"]}
        figures[f"{labels['model']} {labels['model_version']}"] = {
            "predictions": page.get("predictions_total", **names),
            "late": page.get("rows_late_total", **names),
            "rejected": page.by("rows_rejected_total", "reason", **names),
            "latency": [
                value for _, value in page.each("prediction_latency_seconds_bucket", **names)
            ],
            **{
                trouble: {
                    (found["kind"], found["feature"]): value
                    for found, value in page.each(f"{metric}_total", **names)
                    if value
                }
                for trouble, metric in QUALITY.items()
            },
        }
    return figures


def recounted_figures(recount: Recount) -> dict[str, Any]:
    """The same figures by the recount."""
    figures: dict[str, Any] = {
        "consumed": recount.consumed,
        "applied": recount.applied,
        "ignored": recount.ignored,
        "rejected": dict(recount.rejected),
    }
    for (name, version), model in recount.models.items():
        figures[f"{name} {version}"] = {
            "predictions": model.predictions,
            "late": model.late,
            "rejected": dict(model.rejected),
            "latency": np.cumsum(model.latency_buckets).tolist(),
            **{
                trouble: {
                    key: found[trouble] for key, found in model.quality.items() if found[trouble]
                }
                for trouble in QUALITY
            },
        }
    return figures


def assert_figures_agree(page: Page, topic: str, recount: Recount) -> None:
    """Every counter of the topic and its models, to the last event."""
    told, recounted = page_figures(page, topic), recounted_figures(recount)
    apart = {
        key: _apart(told.get(key), recounted.get(key))
        for key in told.keys() | recounted.keys()
        if told.get(key) != recounted.get(key)
    }
    assert not apart, f"told and recounted: {apart}"
    for (name, version), model in recount.models.items():
        told = page.get("prediction_latency_seconds_sum", model=name, model_version=version)
        assert told == pytest.approx(model.latency_sum, rel=1e-9)


def kept_state(service: ServiceProcess) -> Any:
    """The snapshot that a stopped service has left."""
    return decode((service.state / CURRENT).read_bytes())


def assert_panes_agree(state: Any, recount: Recount) -> None:
    """The cells of every pane that is open, of each step of each window, and of all together."""
    judges = {(m["model"], m["version"]): m for m in state["judge"]["models"]}
    assert judges.keys() == recount.models.keys()
    for key, model in recount.models.items():
        closed = model.closed_through(recount.rules.lateness_seconds)
        pane = recount.rules.pane_seconds
        judged = {start for start in model.panes if start + pane <= closed}
        assert judges[key]["panes_judged"] == len(judged)
        assert judges[key]["rows_unjudged"] == 0
        assert _open_panes(state, key) == _cells(model, model.panes.keys() - judged)
        for window in judges[key]["comparison"]["windows"]:
            _assert_window_agrees(window, model, judged)


def _assert_window_agrees(window: Any, model: ModelCount, judged: set[float]) -> None:
    step_seconds = window["step_seconds"]
    steps = {start: step["cells"].tolist() for start, step in window["steps"]}
    expected: dict[float, list[int]] = {}
    for start in judged:
        step = start // step_seconds * step_seconds
        if step >= window["end_seconds"] - window["seconds"]:
            expected[step] = _added(expected.get(step), model.panes[start])
    assert steps == expected


def _open_panes(state: Any, key: tuple[str, str]) -> dict[float, list[int]]:
    panes: dict[float, list[int]] = {}
    for shard in state["shards"]:
        for model in shard["models"]:
            if (model["model"], model["version"]) == key:
                for pane in model["panes"]:
                    start = pane["start_seconds"]
                    panes[start] = _added(panes.get(start), pane["summary"]["cells"].tolist())
    return panes


def _cells(model: ModelCount, starts: Iterable[float]) -> dict[float, list[int]]:
    return {start: model.panes[start] for start in starts}


def _added(left: list[int] | None, right: list[int]) -> list[int]:
    return right if left is None else [a + b for a, b in zip(left, right, strict=True)]


def _apart(told: Any, recounted: Any) -> Any:
    """What two figures, or the parts of two groups of them, do not share."""
    if not (isinstance(told, dict) and isinstance(recounted, dict)):
        return told, recounted
    return {
        key: (told.get(key), recounted.get(key))
        for key in told.keys() | recounted.keys()
        if told.get(key) != recounted.get(key)
    }
