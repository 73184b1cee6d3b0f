"""What every role shows to others: one page at a time, rendered before anybody asks for it."""

import os
from importlib.metadata import version

import psutil
from msgspec import Struct

from config.settings import Settings
from service.clock import Clock
from service.loops.vitals import Watchdog
from service.publish.access import Access
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from service.publish.server import Server
from service.values.reports import Report


class Identity(Struct, frozen=True):
    """What is running. `started_seconds` is epoch seconds."""

    role: str
    config_hash: str
    started_seconds: float

    @property
    def version(self) -> str:
        """That of the package."""
        return version("anchorwatch")

    @property
    def revision(self) -> str:
        """What the image was built of."""
        return os.environ.get("ANCHORWATCH_REVISION", "unknown")


class Front:
    """A board, what fills it, and the server of it."""

    def __init__(self, settings: Settings, clock: Clock, watchdog: Watchdog) -> None:
        self.board = Board()
        self.report: Report | None = None
        self.follow(settings)
        self._clock = clock
        self._watchdog = watchdog
        self._access = Access(settings.web, clock)
        self._exposition = Exposition(access=self._access)

    def follow(self, settings: Settings) -> None:
        """Tell as much as other settings say."""
        self._metrics, self._segments = settings.metrics, settings.segments

    def publish(self, report: Report) -> None:
        """Show this from now on."""
        self.report = report
        page = self._exposition.render(
            report, self._metrics.detail, self._metrics.series, self._segments.series
        )
        self.board.publish(page, report)

    def alive(self) -> str | None:
        """Why the process is stuck, None while it is not."""
        return self._watchdog.complaint() or None

    def server(self, host: str, port: int) -> Server:
        """A server of the board; the caller starts and stops it."""
        page = StatusPage(self._clock, _resident_bytes)
        return Server(self.board, self.alive, page, host=host, port=port, access=self._access)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
