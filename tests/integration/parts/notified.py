"""What people are told: a server on loopback that takes what Alertmanager sends, and keeps it."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.integration.parts.started import Started


class Notice(NamedTuple):
    """One message: `receiver` is the last part of the address that it was sent to."""

    receiver: str
    at: float
    body: dict[str, Any]

    @property
    def status(self) -> str:
        """`firing`, or `resolved`."""
        return str(self.body.get("status", ""))

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Its alerts, each with labels and annotations."""
        return list(self.body.get("alerts", ()))

    @property
    def names(self) -> set[str]:
        """The names of its alerts that fire."""
        return {a["labels"]["alertname"] for a in self.alerts if a["status"] == "firing"}


class Inbox(Started):
    """All messages so far, in order."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.notices))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def address(self, receiver: str) -> str:
        """Where to send what is for a receiver."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{receiver}"

    def start(self) -> None:
        """Takes messages from now on."""
        self._thread.start()

    def close(self) -> None:
        """Takes none any more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def to(self, receiver: str) -> list[Notice]:
        """What that receiver was told."""
        return [notice for notice in list(self.notices) if notice.receiver == receiver]

    def wait_for(self, wanted: Callable[[Notice], Any], timeout_seconds: float = 30.0) -> Notice:
        """The first message that is as wanted; TimeoutError says what came instead."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            for notice in list(self.notices):
                if wanted(notice):
                    return notice
            time.sleep(0.1)
        came = [(n.receiver, n.status, sorted(n.names)) for n in self.notices]
        raise TimeoutError(f"no such message in {timeout_seconds} s, but {came}")


def _handler(notices: list[Notice]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            notices.append(Notice(self.path.rsplit("/", 1)[-1], time.time(), body))
            self.send_response(202)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            """Nothing is printed."""

    return Handler
