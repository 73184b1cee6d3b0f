"""What every answer goes through: security headers, logins, a bound on what is served at once."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.publish.access import Access, Refusal, Terms
from service.publish.login import Admission, Logins

BRIEF = "anchorwatch.brief"
"""Key in the scope of a request: true where nobody has logged in, so probes tell no details."""

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Anchorwatch", charset="UTF-8"'}
_PROBES = ("/livez", "/readyz")
_NOBODY = "'none'"


def security_headers(frame_ancestors: Iterable[str] = ()) -> dict[str, str]:
    """What keeps a browser from doing more than showing the page; in frames of these origins."""
    named = ["'self'" if origin == "self" else origin for origin in frame_ancestors]
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; "
            f"frame-ancestors {' '.join(named) or _NOBODY}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


SECURITY_HEADERS = security_headers()
"""Those of a page that is shown in nobody's frame."""


class Guard:
    """Serves at most `requests_max` at once, the rest gets 503 at once, and those who log in.

    Probes are exempt from both: a crowd of readers must not get a healthy process killed, and who
    runs it has no password. Where there are logins they say no more than yes or no.
    """

    def __init__(self, application: ASGIApp, requests_max: int, access: Access) -> None:
        self._application = application
        self._requests_max = requests_max
        self._requests = 0
        self._access = access
        self._logins = Logins()
        self._headers = security_headers(access.web.frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        terms = self._access.terms()
        headers = {**self._headers, **terms.headers}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        if scope["path"] in _PROBES:
            scope[BRIEF] = bool(terms.users)
            await self._application(scope, receive, send_guarded)
            return
        if self._requests >= self._requests_max:
            await self._busy()(scope, receive, send_guarded)
            return
        self._requests += 1
        try:
            answer = await self._admitted(scope, terms)
            await answer(scope, receive, send_guarded)
        finally:
            self._requests -= 1

    async def _admitted(self, scope: Scope, terms: Terms) -> ASGIApp:
        """The application; for who is not let in, what to tell in its place."""
        if not terms.users:
            return self._application
        authorization = Headers(scope=scope).get("authorization", "")
        admission = await self._logins.admit(authorization, terms.users)
        if admission is Admission.WELCOME:
            return self._application
        if admission is Admission.CROWDED:
            return self._busy()
        self._access.refuse(Refusal.LOGIN)
        return PlainTextResponse("Log in with a name and a password.", 401, _CHALLENGE)

    def _busy(self) -> ASGIApp:
        self._access.refuse(Refusal.BUSY)
        return PlainTextResponse("Busy. Try again.", 503, {"Retry-After": "1"})


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on a client that sends its request, or reads the answer, too slowly.

    uvicorn alone waits for ever in both cases, so a few idle connections would use up the limit.
    """

    request_seconds = 5.0
    answer_seconds = 30.0

    def __init__(self, *arguments: Any, hung_up: Callable[[], None], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._hung_up = hung_up
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
        self._hung_up()
        self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
