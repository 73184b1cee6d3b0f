"""The service as a process of its own, seen by nothing but its `/metrics`."""

import http.client
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from service.monitor.references.file import write
from tests.benchmarks.events import ModelEvents
from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Page:
    """One scrape: sample lines by name."""

    def __init__(self, text: str) -> None:
        self._lines = [line for line in text.splitlines() if not line.startswith("#")]

    def total(self, name: str, label: str = "") -> float:
        """The sum over the series of a name, of those whose labels hold `label`; 0 if none."""
        return sum(
            float(line.rpartition(" ")[2])
            for line in self._lines
            if line.startswith((name + "{", name + " ")) and label in line
        )


class ServiceProcess:
    """`anchorwatch run` on some topics, from their beginning, with references for some models.

    A context manager. `settings` are sections of the configuration that differ from the default.
    """

    def __init__(
        self, bootstrap: str, topics: list[str], models: list[ModelEvents], **settings: object
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="anchorwatch-bench-"))
        self.port = free_port()
        references = self.directory / "references"
        references.mkdir()
        for model in models:
            (references / f"{model.key.model}.json").write_text(write(model.reference), "utf-8")
        tree = {
            "kafka": {
                "bootstrap_servers": [bootstrap],
                "group": self.directory.name,
                "start": "earliest",
            },
            "sources": [{"name": "events", "topics": topics}],
            "reference": {"from": str(references)},
            "state": {"path": str(self.directory / "state")},
            "web": {"listen": f"127.0.0.1:{self.port}"},
            **settings,
        }
        self._file = self.directory / "anchorwatch.yaml"
        self._file.write_text(json.dumps(tree), "utf-8")  # JSON is YAML

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "service", "run", "--config", str(self._file)]
        self._process = ChildProcess("service", command, self.directory / "log")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def scrape(self) -> Page:
        """The page, not compressed. Raises OSError when nobody answers."""
        return Page(self._get(compressed=False).decode())

    def scrape_seconds(self) -> float:
        """How long a scrape takes as Prometheus does it, compressed, on a new connection."""
        begun = time.perf_counter()
        self._get(compressed=True)
        return time.perf_counter() - begun

    def wait_until(self, name: str, least: float, seconds: float = 60.0) -> Page:
        """The first page on which a sample name adds up to `least`.

        Raises:
            RuntimeError: it did not in time, or the process ended; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.running:
            try:
                page = self.scrape()
            except OSError:
                page = Page("")
            if page.total(name) >= least:
                return page
            time.sleep(0.1)
        raise RuntimeError(f"{name} did not come to {least}. The log ends:\n{self._process.tail()}")

    def _get(self, *, compressed: bool) -> bytes:
        headers = {"Accept": ACCEPT} | ({"Accept-Encoding": "gzip"} if compressed else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/metrics", headers=headers)
            return connection.getresponse().read()
        finally:
            connection.close()
