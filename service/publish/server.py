"""The HTTP server: read-only, in a thread of its own, bounded in everything."""

import errno
import socket
from threading import Event, Thread

import uvicorn

from service.errors import ConfigurationError
from service.publish.board import Board
from service.publish.guard import Guard, ImpatientProtocol
from service.publish.page import StatusPage
from service.publish.routes import Liveness, routes

REQUESTS_MAX = 16
_CONNECTIONS_MAX = 64
_HEADER_BYTES_MAX = 16 * 1024
_KEEP_ALIVE_SECONDS = 5
_STOP_SECONDS = 3


class Server:
    """Serves the board on `host:port`; port 0 takes a free one, which `port` then tells.

    `liveness` is called by every `/livez`, in the server's thread, and must not block.
    """

    def __init__(
        self, board: Board, liveness: Liveness, page: StatusPage, *, host: str, port: int
    ) -> None:
        self._address = (host, port)
        self.port = port
        config = uvicorn.Config(
            Guard(routes(board, liveness, page), REQUESTS_MAX),
            http=ImpatientProtocol,
            loop="asyncio",
            ws="none",
            interface="asgi3",
            lifespan="off",
            limit_concurrency=_CONNECTIONS_MAX,
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
        listener = _listen(*self._address)
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


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigurationError(_why(host, port, error)) from error


def _why(host: str, port: int, error: OSError) -> str:
    where = f"web.listen: cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}, another process does. Stop it or choose another port."
    if error.errno == errno.EACCES:
        return f"{where} without privileges. Choose a port above 1023."
    return f"{where}: {error}. Name an address of this host, or 0.0.0.0 for all of them."
