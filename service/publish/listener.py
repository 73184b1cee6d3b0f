"""The door: a bound on the connections that are open at once, and impatience with handshakes.

Whoever comes when all are taken is let in, and the one that came first is hung up on: a flood of
connections that ask nothing must not keep a probe out, or a healthy process would be killed.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from service.errors import ConfigurationError

BACKLOG = 128
HANDSHAKE_SECONDS = 5.0
_SHUTDOWN_SECONDS = 2.0


class Accepted(socket.socket):
    """One connection; says when it is closed."""

    def __init__(self, descriptor: int, closed: Callable[["Accepted"], None]) -> None:
        super().__init__(fileno=descriptor)
        self._closed_by = closed

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self._closed_by(self)
        super().close()


class Listener(socket.socket):
    """Accepts on a bound socket, which it takes over, and has at most `connections_max` open.

    `crowded` is told each time that a connection had to go for a new one.
    """

    def __init__(
        self, bound: socket.socket, connections_max: int, crowded: Callable[[], None]
    ) -> None:
        super().__init__(fileno=bound.detach())
        self._connections_max = connections_max
        self._crowded = crowded
        self._open: dict[Accepted, None] = {}

    def accept(self) -> tuple[socket.socket, Any]:
        """As `socket.accept`."""
        plain, address = super().accept()
        while len(self._open) >= self._connections_max:
            self._hang_up_on_first()
        accepted = Accepted(plain.detach(), self._forget)
        self._open[accepted] = None
        return accepted, address

    def _hang_up_on_first(self) -> None:
        """The transport of it hears that there is nothing more to come, and closes it."""
        first = next(iter(self._open))
        del self._open[first]
        self._crowded()
        try:
            first.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was gone already

    def _forget(self, accepted: Accepted) -> None:
        self._open.pop(accepted, None)


class ImpatientLoop(asyncio.SelectorEventLoop):
    """The server's loop: asyncio alone waits a minute for a TLS handshake."""

    async def create_server(self, *arguments: Any, **named: Any) -> asyncio.Server:
        """As that of asyncio."""
        if named.get("ssl") is not None:
            named.setdefault("ssl_handshake_timeout", HANDSHAKE_SECONDS)
            named.setdefault("ssl_shutdown_timeout", _SHUTDOWN_SECONDS)
        return await super().create_server(*arguments, **named)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises ConfigurationError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(_why(host, port, error)) from error


def _why(host: str, port: int, error: OSError) -> str:
    where = f"web.listen: cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}, another process does. Stop it or choose another port."
    if error.errno == errno.EACCES:
        return f"{where} without privileges. Choose a port above 1023."
    return f"{where}: {error}. Name an address of this host, or 0.0.0.0 for all of them."
