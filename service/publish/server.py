"""The HTTP server: read-only, in a thread of its own, bounded in everything."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import cast

import uvicorn

from service.publish.access import Access, Refusal
from service.publish.board import Board
from service.publish.guard import Guard, ImpatientProtocol
from service.publish.listener import BACKLOG, Listener, listen
from service.publish.page import StatusPage
from service.publish.routes import Liveness, routes
from service.publish.tls import FollowingContext

REQUESTS_MAX = 16
"""Answered at once."""
CONNECTIONS_MAX = 64
"""Open at once, most of them idle: a browser alone opens six."""
_HEADER_BYTES_MAX = 16 * 1024
_KEEP_ALIVE_SECONDS = 5
_STOP_SECONDS = 3


class Server:
    """Serves the board on `host:port`; port 0 takes a free one, which `port` then tells.

    `liveness` is called by every `/livez`, in the server's thread, and must not block. Without
    `access` everybody may look, in plain text.
    """

    def __init__(
        self,
        board: Board,
        liveness: Liveness,
        page: StatusPage,
        *,
        host: str,
        port: int,
        access: Access | None = None,
    ) -> None:
        self._address = (host, port)
        self.port = port
        self._access = Access.open() if access is None else access
        protocol = partial(ImpatientProtocol, hung_up=partial(self._access.refuse, Refusal.SLOW))
        config = uvicorn.Config(
            Guard(routes(board, liveness, page), REQUESTS_MAX, self._access),
            http=cast("type[asyncio.Protocol]", protocol),
            loop=f"{Listener.__module__}:ImpatientLoop",
            ssl_context_factory=_tls(self._access),
            backlog=BACKLOG,
            proxy_headers=False,
            ws="none",
            interface="asgi3",
            lifespan="off",
            h11_max_incomplete_event_size=_HEADER_BYTES_MAX,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
        )
        self._server = _Announcing(config)
        self._thread: Thread | None = None

    def start(self) -> None:
        """Listen, and return once requests are answered. Raises ConfigurationError."""
        crowded = partial(self._access.refuse, Refusal.CONNECTIONS)
        listener = Listener(listen(*self._address), CONNECTIONS_MAX, crowded)
        self.port = listener.getsockname()[1]
        self._thread = Thread(target=self._server.run, args=([listener],), name="http", daemon=True)
        self._thread.start()
        self._server.answering.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Close every connection and wait for the thread; twice or unstarted does nothing."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_SECONDS)
            self._thread = None


class _Announcing(uvicorn.Server):
    """Says when it listens, so that nobody has to poll."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()


def _tls(access: Access) -> Callable[..., ssl.SSLContext] | None:
    """Makes the context of the server; None where plain text is spoken."""

    def current() -> ssl.SSLContext:
        context = access.terms().context
        if context is None:
            raise AssertionError("whether TLS is spoken changes by a restart alone")
        return context

    if access.terms().context is None:
        return None
    return lambda *_: FollowingContext.of(current)
