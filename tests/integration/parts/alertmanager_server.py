"""A real Alertmanager for the tests: the shipped routes, its receivers on loopback."""

import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess
from tests.integration.parts.prometheus_server import DIRECT
from tests.integration.parts.started import Started

START_DEADLINE_SECONDS = 60.0


class Alertmanager(Started):
    """A server of our own on 127.0.0.1; its data is removed by `close`. `config` is a tree."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="anchorwatch-alertmanager-"))
        self.port = free_port()
        self._process: ChildProcess | None = None
        (self.directory / "alertmanager.yml").write_text(json.dumps(config), "utf-8")

    @property
    def address(self) -> str:
        """`host:port`, as Prometheus wants it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it is ready; raises with the end of its log when it is not."""
        log = self.directory / "server.log"
        self._process = ChildProcess("Alertmanager", self._command(), log)
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while self._process.running and time.monotonic() < deadline:
            try:
                self._get("/-/ready")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"Alertmanager is not ready. Its log:\n{self._process.tail()}")

    def close(self) -> None:
        """Ends it and removes its data."""
        if self._process is not None:
            self._process.terminate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def send(self, alerts: Iterable[Mapping[str, str]], annotations: Mapping[str, str]) -> None:
        """Alerts by their labels, firing from now on for some minutes."""
        body = [{"labels": dict(labels), "annotations": dict(annotations)} for labels in alerts]
        request = urllib.request.Request(
            f"http://{self.address}/api/v2/alerts",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        DIRECT.open(request, timeout=10).close()

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The alerts with these labels, with what became of each: `status.inhibitedBy`."""
        alerts: list[dict[str, Any]] = json.loads(self._get("/api/v2/alerts"))
        return [alert for alert in alerts if labels.items() <= alert["labels"].items()]

    def _command(self) -> list[str]:
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if program is None:
            raise FileNotFoundError(
                "Alertmanager is not installed: apt-get install prometheus-alertmanager"
            )
        return [
            program,
            f"--config.file={self.directory / 'alertmanager.yml'}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def _get(self, path: str) -> bytes:
        with DIRECT.open(f"http://{self.address}{path}", timeout=10) as response:
            content: bytes = response.read()
        return content
