"""One scrape after the other, through kills and restarts: what must hold of all of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.publish.catalogue import FAMILIES
from service.publish.families import Group, MetricType
from tests.integration.parts.service_process import Page, Series, ServiceProcess

LASTING = (Group.VOLUME, Group.FEATURE, Group.BOOKS)
"""What these groups count is kept in the state; the others count since the process began."""


def _lasting_counters() -> frozenset[str]:
    names: set[str] = set()
    for family in FAMILIES:
        if family.group in LASTING and family.type is MetricType.COUNTER:
            names.add(family.full_name)
        elif family.group in LASTING and family.type is MetricType.HISTOGRAM:
            names |= {f"{family.full_name}_{part}" for part in ("bucket", "count", "sum")}
    return frozenset(names)


LASTING_COUNTERS = _lasting_counters()


class Scrapes:
    """Takes scrapes and notes what is wrong with them in `problems`.

    No counter that is kept in the state ever goes back once it was shown, and the book of records
    balances: consumed = applied + ignored + rejected. `single_rows`: each record holds one row, so
    the rows of all models balance with it too.
    """

    def __init__(self, *, single_rows: bool = True) -> None:
        self.count = 0
        self.with_books = 0
        self.problems: list[str] = []
        self._single_rows = single_rows
        self._highest: dict[Series, float] = {}

    def take(self, page: Page) -> None:
        """Look at one page."""
        self.count += 1
        for series, value in page.values.items():
            if series[0] in LASTING_COUNTERS:
                before = self._highest.get(series, 0.0)
                if value < before * (1 - 1e-12):
                    self.problems.append(f"{series} went back from {before} to {value}")
                self._highest[series] = max(before, value)
        consumed = page.total("records_consumed_total")
        self.with_books += any(True for _ in page.each("records_consumed_total"))
        if consumed:
            self._balance(page, consumed)

    def _balance(self, page: Page, consumed: float) -> None:
        applied = page.total("records_applied_total")
        others = page.total("records_ignored_total") + page.total("records_rejected_total")
        if consumed != applied + others:
            self.problems.append(f"{consumed} consumed, {applied} applied, {others} others")
        rows = sum(
            page.total(f"{name}_total") for name in ("predictions", "rows_late", "rows_rejected")
        )
        if self._single_rows and rows != applied:
            self.problems.append(f"{applied} records applied, but {rows} rows")


@contextmanager
def scraping(
    service: ServiceProcess, *, single_rows: bool = True, every_seconds: float = 0.1
) -> Iterator[Scrapes]:
    """Scrape a service while the body runs, whenever it answers."""
    scrapes, stop = Scrapes(single_rows=single_rows), threading.Event()

    def run() -> None:
        while not stop.wait(every_seconds):
            try:
                page = service.scrape()
            except OSError:
                continue
            scrapes.take(page)

    thread = threading.Thread(target=run, name="scrapes", daemon=True)
    thread.start()
    try:
        yield scrapes
    finally:
        stop.set()
        thread.join()
