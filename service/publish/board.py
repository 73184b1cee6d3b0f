"""What is published now: one reference, swapped whole, so a reader never sees half a page."""

import gzip
from threading import Lock

from service.publish.exposition import Page
from service.values.reports import Report

_GZIP_LEVEL = 1
"""A page shrinks to a twentieth already at the fastest level."""


class Published:
    """One report and the page rendered from it."""

    def __init__(self, page: Page, report: Report) -> None:
        self.page = page
        self.report = report
        self._compressed: dict[bool, bytes] = {}
        self._compressing = Lock()

    def body(self, *, openmetrics: bool, compressed: bool) -> bytes:
        """The page as it goes over the wire; compressed once, when first asked for."""
        plain = self.page.openmetrics if openmetrics else self.page.text
        if not compressed:
            return plain
        with self._compressing:
            if openmetrics not in self._compressed:
                self._compressed[openmetrics] = gzip.compress(plain, _GZIP_LEVEL, mtime=0)
            return self._compressed[openmetrics]


class Board:
    """Written by the loop, read by the server's threads; `current` is None before the first."""

    def __init__(self) -> None:
        self.current: Published | None = None

    def publish(self, page: Page, report: Report) -> None:
        """Show this from now on."""
        self.current = Published(page, report)
