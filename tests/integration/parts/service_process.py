"""`anchorwatch run` as a process: started, scraped, ended in every way there is."""

import http.client
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess

START_DEADLINE_SECONDS = 60.0
SERIES = re.compile(r"(\w+)(?:\{(.*)\})?")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Series = tuple[str, tuple[tuple[str, str], ...]]


class Page(NamedTuple):
    """One scrape: every series with its value."""

    values: Mapping[Series, float]

    def each(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """The series of a metric (named without the prefix) that carry these labels."""
        for (metric, pairs), value in self.values.items():
            found = dict(pairs)
            if metric == f"anchorwatch_{name}" and labels.items() <= found.items():
                yield found, value

    def get(self, name: str, **labels: str) -> float | None:
        """The one series with these labels, None when there is none."""
        found = [value for _, value in self.each(name, **labels)]
        if len(found) > 1:
            raise LookupError(f"{name}{labels} is not one series but {len(found)}")
        return found[0] if found else None

    def total(self, name: str, **labels: str) -> float:
        """The sum of these series, 0 when there is none."""
        return sum(value for _, value in self.each(name, **labels))

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Their values by one label, zeros left out."""
        return {found[label]: value for found, value in self.each(name, **labels) if value}


def parse(text: str) -> Page:
    """A page in the text format."""
    values: dict[Series, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[_series(series)] = float(value)
    return Page(values)


@lru_cache(10_000)
def _series(text: str) -> Series:
    """Those of a page are those of the page before, mostly."""
    match = SERIES.fullmatch(text)
    if match is None:
        raise ValueError(f"no series: {text!r}")
    return match[1], tuple(sorted(LABEL.findall(match[2] or "")))


def get(port: int, path: str, accept: str = "text/plain") -> tuple[int, str]:
    """GET from 127.0.0.1: the status and the body. Raises OSError while nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def scrape(port: int) -> Page:
    """The metrics now. Raises OSError while there are none."""
    status, text = get(port, "/metrics")
    if status != http.client.OK:
        raise ConnectionError(f"{status}: {text}")
    return parse(text)


class ServiceProcess:
    """One service with a directory and a port of its own. `start` may be called again and again.

    `config` is the configuration as a tree; address and state directory are added to it.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any], name: str = "service") -> None:
        self.port = free_port()
        self.group: str = config["kafka"]["group"]
        self.state = directory / f"{name}-state"
        self.config = directory / f"{name}.yaml"
        self._logs = directory / name
        self._process: ChildProcess | None = None
        self._starts = 0
        web = {"listen": f"127.0.0.1:{self.port}", "flush": "200ms", **config.get("web", {})}
        state = {"path": str(self.state), "every": "1s", **config.get("state", {})}
        self._tree = {"log": {"level": "info"}, **config, "web": web, "state": state}
        self.reconfigure()

    @property
    def address(self) -> str:
        """`host:port`, as Prometheus wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """The process started last."""
        if self._process is None:
            raise RuntimeError("the service was not started")
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.running

    @property
    def log(self) -> str:
        """All that every start has printed."""
        paths = sorted(self._logs.parent.glob(f"{self._logs.name}-*.log"))
        return "".join(path.read_text("utf-8", "replace") for path in paths)

    def reconfigure(
        self, sources: Sequence[Mapping[str, Any]] = (), **sections: Mapping[str, Any]
    ) -> None:
        """Lay sections over the configuration, exchange its sources; the next start reads it."""
        for name, section in sections.items():
            self._tree[name] = {**self._tree.get(name, {}), **section}
        self._tree["sources"] = [*sources] or self._tree["sources"]
        self.config.write_text(json.dumps(self._tree), "utf-8")  # JSON is YAML

    def start(self, *arguments: str) -> None:
        """Start it, and return at once."""
        command = [sys.executable, "-m", "service", "run", "--config", str(self.config)]
        self.launch([*command, *arguments])

    def launch(self, command: Sequence[str]) -> None:
        """Start it by another command, and return at once."""
        self._starts += 1
        log = self._logs.parent / f"{self._logs.name}-{self._starts:02}.log"
        self._process = ChildProcess("anchorwatch", command, log)

    def ended(self, deadline_seconds: float = START_DEADLINE_SECONDS) -> tuple[int, str]:
        """Wait until it ends by itself. Returns its exit code and the end of its log."""
        return self.process.wait(deadline_seconds), self.process.tail()

    def get(self, path: str, accept: str = "text/plain") -> tuple[int, str]:
        """GET: the status and the body. Raises OSError while nothing listens."""
        return get(self.port, path, accept)

    def scrape(self) -> Page:
        """The metrics now. Raises OSError while there are none."""
        return scrape(self.port)

    def wait_for(self, wanted: Callable[[Page], Any], timeout_seconds: float = 60.0) -> Page:
        """Scrape until `wanted` is true of the page; says what the service logged if it ends."""
        deadline = time.monotonic() + timeout_seconds
        page = Page({})
        while time.monotonic() < deadline:
            if not self.process.running:
                raise RuntimeError(f"the service ended. Its log:\n{self.process.tail()}")
            try:
                page = self.scrape()
            except OSError:
                pass
            else:
                if wanted(page):
                    return page
            time.sleep(0.05)
        books = {k: v for k, v in page.values.items() if "records_" in k[0] or "ready" in k[0]}
        raise TimeoutError(f"not in {timeout_seconds} s: {books}\n{self.process.tail()}")

    def wait_for_records(self, count: int, topic: str, timeout_seconds: float = 60.0) -> Page:
        """Scrape until so many records of a topic are in the book; too many are told at once."""

        def reached(page: Page) -> bool:
            consumed = page.get("records_consumed_total", topic=topic) or 0
            if consumed > count:
                raise AssertionError(f"{consumed} records consumed of {count}")
            return consumed == count

        return self.wait_for(reached, timeout_seconds)

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self._process.kill()
