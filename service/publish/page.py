"""The status page and its JSON twin, rendered from what is on the board and kept for a second."""

import math
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import msgspec

from service.clock import Clock
from service.publish import words
from service.publish.board import Published
from service.publish.episode_view import EpisodeView, MemberView
from service.publish.service_view import service_view
from service.publish.templating import environment
from service.publish.view import GLYPHS, ModelView, StatusView, status_view
from service.values.streams import version_words

KEPT_SECONDS = 1.0
STREAMS_SHOWN_MAX = 300
"""Rows of streams on the front page; beyond, models show what has drifted and link to the rest."""
PARTITIONS_SHOWN_MAX = 100
EPISODE_STREAMS_SHOWN_MAX = 20

_WORDS = {
    "drifting": "drifted",
    "steady": "steady",
    "learning": "learning",
    "muted": "muted",
    "unwatched": "not watched",
}
_BAR_WIDTH = 120.0


class StatusPage:
    """Renders for the server. `resident_bytes` tells the memory that the process holds."""

    def __init__(self, clock: Clock, resident_bytes: Callable[[], int]) -> None:
        self._clock = clock
        self._resident_bytes = resident_bytes
        self._environment = environment(_FILTERS, glyphs=GLYPHS, state_words=_WORDS)
        self._template = self._environment.get_template("status.html")
        self._kept: dict[tuple[str | None, ...], tuple[float, bytes]] = {}
        self._rendering = Lock()

    def html(self, published: Published, model: str | None, version: str | None) -> bytes | None:
        """All models, or the versions of `model` in full; None when there is no such model."""
        return self._keep(("html", model, version), lambda: self._html(published, model, version))

    def json(self, published: Published) -> bytes:
        """Everything that the page is made of, all models in full."""
        return self._keep(("json",), lambda: self._json(published)) or b""

    def _keep(
        self, key: tuple[str | None, ...], render: Callable[[], bytes | None]
    ) -> bytes | None:
        """At most one rendering at a time, and one a second of the same thing."""
        with self._rendering:
            now = self._clock.monotonic()
            fresh = {k: kept for k, kept in self._kept.items() if now - kept[0] < KEPT_SECONDS}
            self._kept = fresh
            if key in fresh:
                return fresh[key][1]
            body = render()
            if body is not None:
                fresh[key] = (now, body)
            return body

    def _html(self, published: Published, model: str | None, version: str | None) -> bytes | None:
        view = status_view(published.report)
        chosen = [
            one
            for one in view.models
            if model in (None, one.model) and version in (None, one.version)
        ]
        if model is not None and not chosen:
            return None
        service = service_view(published.report, published.page, self._resident_bytes())
        shown = {
            "view": view,
            "attention": _of_model(view.attention, model, version),
            "episodes": _of_model(view.episodes, model, version),
            "episode_streams_max": EPISODE_STREAMS_SHOWN_MAX,
            "service": service,
            "now": self._clock.now(),
            "focus": chosen if model is not None else None,
            "sections": _sections(view, chosen if model is not None else None),
            "partitions_max": PARTITIONS_SHOWN_MAX,
        }
        return self._template.render(shown).encode("utf-8", "replace")

    def _json(self, published: Published) -> bytes:
        view = status_view(published.report)
        service = service_view(published.report, published.page, self._resident_bytes())
        document = msgspec.to_builtins(view) | {"service": msgspec.to_builtins(service)}
        return msgspec.json.encode(document)


def _of_model(
    episodes: tuple[EpisodeView, ...], model: str | None, version: str | None
) -> list[EpisodeView]:
    """All of them; of one model those that it has a part in."""
    return [one for one in episodes if model is None or one.concerns(model, version)]


def _sections(view: StatusView, focus: list[ModelView] | None) -> list[tuple[ModelView, int]]:
    """`(model, streams shown)` of the models that get a table of their own.

    All streams of all models where they fit, else what has drifted, as far as it fits.
    """
    if focus is not None:
        return [(model, len(model.streams)) for model in focus]
    if sum(len(model.streams) for model in view.models) <= STREAMS_SHOWN_MAX:
        return [(model, len(model.streams)) for model in view.models]
    sections, room = [], STREAMS_SHOWN_MAX
    for model in view.models:
        rows = min(model.drifted, room)
        if rows:
            sections.append((model, rows))
            room -= rows
    return sections


def _bar_length(score: float) -> str:
    """Where a score ends on the bar: logarithmic from 0.1 to 10, so that 1 is the middle."""
    clamped = min(max(score, 0.1), 10.0)
    return f"{_BAR_WIDTH * (math.log10(clamped) + 1) / 2:.1f}"


def _link(model: ModelView | EpisodeView | MemberView) -> str:
    return "/?" + urlencode({"model": model.model, "version": model.version}, errors="replace")


def _anchor(model: ModelView) -> str:
    """An id without spaces, unique as long as model and version are."""
    return urlencode({"m": model.model, "v": model.version}, errors="replace")


def _safe_url(url: str) -> str:
    """The runbook's address if a browser may follow it, else nowhere: no `javascript:`."""
    return url if url.startswith(("https://", "http://", "/")) else "#"


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "percent": words.percent,
    "latency": words.latency,
    "moment": words.moment,
    "machine_time": words.machine_time,
    "bar": _bar_length,
    "version_words": version_words,
    "link": _link,
    "anchor": _anchor,
    "safe_url": _safe_url,
}
