"""What is answered at which path. Nothing here computes a figure: it picks what is on the board."""

from collections.abc import Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.publish.board import Board
from service.publish.guard import BRIEF
from service.publish.negotiation import (
    OPENMETRICS_TYPE,
    TEXT_TYPE,
    accepts_gzip,
    prefers_openmetrics,
)
from service.publish.page import StatusPage

Liveness = Callable[[], str | None]
"""Why the process is stuck and should be restarted, or None: it is alive."""

_STATIC = {
    "/style.css": "text/css",
    "/app.js": "text/javascript",
    "/icon.svg": "image/svg+xml",
}
_STARTING = "Starting: there is no report yet."
_NOT_FOUND = "Not found. There are /, /metrics, /livez, /readyz and /api/v1/status."


def routes(board: Board, liveness: Liveness, page: StatusPage) -> Starlette:
    """The application; everything is GET (and HEAD), everything else 405 or 404 in plain text."""
    probes = _Probes(board, liveness)
    pages = _Pages(board, page)
    table = [
        Route("/metrics", _Metrics(board).get),
        Route("/livez", probes.alive),
        Route("/readyz", probes.ready),
        Route("/", pages.html),
        Route("/api/v1/status", pages.json),
        *(_static(path, media_type) for path, media_type in _STATIC.items()),
    ]
    application = Starlette(routes=table, exception_handlers={404: _not_found})
    application.router.redirect_slashes = False
    return application


class _Metrics:
    def __init__(self, board: Board) -> None:
        self._board = board

    async def get(self, request: Request) -> Response:
        published = self._board.current
        if published is None:
            return PlainTextResponse(_STARTING, 503)
        openmetrics = prefers_openmetrics(_header(request, "accept"))
        headers = {
            "content-type": OPENMETRICS_TYPE if openmetrics else TEXT_TYPE,
            "vary": "Accept, Accept-Encoding",
        }
        if not accepts_gzip(_header(request, "accept-encoding")):
            return Response(published.body(openmetrics=openmetrics, compressed=False), 200, headers)
        headers["content-encoding"] = "gzip"
        body = await run_in_threadpool(published.body, openmetrics=openmetrics, compressed=True)
        return Response(body, 200, headers)


class _Probes:
    """Liveness is the watchdog alone, never the broker; readiness is being caught up. Who has not
    logged in hears no more than that.
    """

    def __init__(self, board: Board, liveness: Liveness) -> None:
        self._board = board
        self._liveness = liveness

    async def alive(self, request: Request) -> Response:
        stuck = self._liveness()
        if stuck is None:
            return PlainTextResponse("alive")
        return PlainTextResponse("stuck" if request.scope[BRIEF] else stuck, 503)

    async def ready(self, request: Request) -> Response:
        published, brief = self._board.current, request.scope[BRIEF]
        if published is None:
            return PlainTextResponse("not ready" if brief else _STARTING, 503)
        service = published.report.service
        if service.ready:
            return PlainTextResponse("\n".join(("ready", *(() if brief else service.all_warnings))))
        because = "" if brief else service.not_ready_because
        return PlainTextResponse(because or "not ready", 503)


class _Pages:
    """Not coroutines, so that Starlette renders them off the thread that serves scrapes."""

    def __init__(self, board: Board, page: StatusPage) -> None:
        self._board = board
        self._page = page

    def html(self, request: Request) -> Response:
        published = self._board.current
        if published is None:
            return PlainTextResponse(_STARTING, 503)
        model = request.query_params.get("model")
        version = request.query_params.get("version")
        body = self._page.html(published, model, version)
        if body is None:
            return PlainTextResponse("No such model is known. All of them are at /.", 404)
        return Response(body, media_type="text/html")

    def json(self, _: Request) -> Response:
        published = self._board.current
        if published is None:
            return PlainTextResponse(_STARTING, 503)
        return Response(self._page.json(published), media_type="application/json")


def _header(request: Request, name: str) -> str:
    return ",".join(request.headers.getlist(name))


def _static(path: str, media_type: str) -> Route:
    body = resources.files("service.publish").joinpath("static", path[1:]).read_bytes()

    async def get(_: Request) -> Response:
        return Response(body, media_type=media_type)

    return Route(path, get)


async def _not_found(_: Request, __: Exception) -> Response:
    return PlainTextResponse(_NOT_FOUND, 404)
