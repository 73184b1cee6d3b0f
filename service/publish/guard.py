"""What every answer goes through: security headers, and a bound on what is served at once."""

import asyncio
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_PROBES = ("/livez", "/readyz")


class Guard:
    """Serves at most `requests_max` at once, the rest gets 503 at once.

    Probes are exempt: a crowd of readers must not get a healthy process killed.
    """

    def __init__(self, application: ASGIApp, requests_max: int) -> None:
        self._application = application
        self._requests_max = requests_max
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        if scope["path"] in _PROBES:
            await self._application(scope, receive, send_guarded)
            return
        if self._requests >= self._requests_max:
            busy = PlainTextResponse("Busy. Try again.", 503, {"Retry-After": "1"})
            await busy(scope, receive, send_guarded)
            return
        self._requests += 1
        try:
            await self._application(scope, receive, send_guarded)
        finally:
            self._requests -= 1


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on a client that sends its request, or reads the answer, too slowly.

    uvicorn alone waits for ever in both cases, so a few idle connections would use up the limit.
    """

    request_seconds = 5.0
    answer_seconds = 30.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is due."""
        super().connection_made(transport)
        self._hang_up_in(self.request_seconds)

    def data_received(self, data: bytes) -> None:
        """Part of a request, or the last of it: then the answer is due."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._hang_up_in(self.answer_seconds)
        elif self._deadline is None:
            self._hang_up_in(self.request_seconds)

    def on_response_complete(self) -> None:
        """Nothing is due until the next request begins; uvicorn closes idle connections."""
        self._forget_deadline()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._forget_deadline()
        super().connection_lost(exc)

    def _hang_up_in(self, seconds: float) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(seconds, self._hang_up)

    def _hang_up(self) -> None:
        self._deadline = None
        self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
