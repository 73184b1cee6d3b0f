"""A real Prometheus for the tests: scrapes what it is told to, and answers queries."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess
from tests.integration.parts.started import Started

START_DEADLINE_SECONDS = 60.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy is set


class Sample(NamedTuple):
    """One series at one instant, as an instant query returns it."""

    labels: dict[str, str]
    value: float


class Prometheus(Started):
    """A server of our own on 127.0.0.1; its data is removed by `close`.

    `scrape_targets` are `host:port`; each is scraped at `/metrics` every `interval` ("1s"), under
    `job="anchorwatch"`. `rule_files` are loaded and evaluated as often; `alertmanagers` are
    `host:port` of those that are told of alerts.
    """

    def __init__(
        self,
        scrape_targets: Sequence[str],
        interval: str = "1s",
        rule_files: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="anchorwatch-prometheus-"))
        self.port = free_port()
        self._process: ChildProcess | None = None
        config = _config(scrape_targets, interval, rule_files)
        config["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]
        }
        # JSON is YAML: quoting is not ours to get wrong.
        (self.directory / "prometheus.yml").write_text(json.dumps(config), "utf-8")

    @property
    def url(self) -> str:
        """The root address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it is ready; raises with the end of its log when it is not."""
        self._process = ChildProcess("Prometheus", self._command(), self.directory / "server.log")
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while self._process.running and time.monotonic() < deadline:
            try:
                self._get("/-/ready")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"Prometheus is not ready. The end of its log:\n{self._process.tail()}")

    def stop(self) -> None:
        """SIGTERM; returns when it has ended. The data stays until `close`."""
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Ends it and removes its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def query(self, expr: str) -> list[Sample]:
        """The instant vector (or scalar, without labels) of a PromQL expression, now."""
        answer = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': expr})}")["data"]
        if answer["resultType"] == "scalar":
            return [Sample({}, float(answer["result"][1]))]
        return [Sample(s["metric"], float(s["value"][1])) for s in answer["result"]]

    def wait_for(self, expr: str, timeout_seconds: float = 30.0) -> list[Sample]:
        """Asks until the expression returns anything; TimeoutError names the targets' state."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if found := self.query(expr):
                return found
            time.sleep(0.2)
        raise TimeoutError(f"{expr} returned nothing in {timeout_seconds} s; {self.targets()}")

    def targets(self) -> dict[str, str]:
        """The health of each target (`up`, `down`, `unknown`), and its last error if any."""
        active = self._get("/api/v1/targets")["data"]["activeTargets"]
        return {t["labels"]["instance"]: f"{t['health']} {t['lastError']}".strip() for t in active}

    def failing_rules(self) -> dict[str, str]:
        """What went wrong with each rule whose last evaluation failed, or that had none."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return {r["name"]: r.get("lastError", "") for r in rules if r["health"] != "ok"}

    def _command(self) -> list[str]:
        return [
            _installed("prometheus"),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            # What fires before Alertmanager is found is else told a minute later.
            "--rules.alert.resend-delay=2s",
            "--log.level=warn",
        ]

    def _get(self, path: str) -> Any:
        with DIRECT.open(self.url + path, timeout=10) as response:
            body = response.read()
        return json.loads(body) if path.startswith("/api/") else body


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs promtool (`promtool("check", "rules", path)`); the caller looks at `returncode`."""
    return subprocess.run(
        [_installed("promtool"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _installed(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(f"{program} is not installed: apt-get install prometheus")
    return path


def _config(targets: Sequence[str], interval: str, rule_files: Sequence[Path]) -> dict[str, Any]:
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": [str(path.resolve()) for path in rule_files],
        "scrape_configs": [
            {
                "job_name": "anchorwatch",
                "honor_labels": True,
                "static_configs": [{"targets": list(targets)}],
            }
        ],
    }
