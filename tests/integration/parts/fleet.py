"""Workers and a judge as real processes over one topic, with topics of state of their own.

fleet.start(workers=3)          the judge and workers 0, 1, 2
fleet.workers[1].process.kill() any of them, by its process id
fleet.wait_until_all_flow()     every partition was read on since now
fleet.end()                     SIGTERM; every exit code has to be 0
"""

import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.parts.service_process import Page, ServiceProcess

SESSION_SECONDS = 6.0
PANE_SECONDS = 1.0
LATENESS_SECONDS = 1.0
IDLE_AFTER_SECONDS = 3.0
STATE_PARTITIONS = 3
"""Fewer than a topic of events has, so that shards share them."""

PATIENCE_SECONDS = 120.0
"""For what takes a few seconds where nothing else runs. How long it may take is measured by
`make bench`."""

LOOK_SECONDS = 0.3
"""To look costs the processes that are looked at, too."""

DYING = (sys.executable, "-m", "tests.integration.fleet.dying_worker")


def fleet_configuration(
    bootstrap: str | Sequence[str],
    topic: str,
    references: Path,
    **sections: Mapping[str, Any],
) -> dict[str, Any]:
    """Short panes, frequent flushes, names that nobody else has. `sections` go on top."""
    name = uuid.uuid4().hex[:12]
    servers = [bootstrap] if isinstance(bootstrap, str) else list(bootstrap)
    tree: dict[str, Any] = {
        "kafka": {
            "bootstrap_servers": servers,
            "group": f"fleet-{name}",
            "start": "earliest",
            "session_timeout": f"{SESSION_SECONDS:.0f}s",
        },
        "detection": {
            "pane": f"{PANE_SECONDS:.0f}s",
            "lateness": f"{LATENESS_SECONDS:.0f}s",
            "idle_after": f"{IDLE_AFTER_SECONDS:.0f}s",
            "windows": ["10s", "24h"],
        },
        "reference": {"from": str(references)},
        "metrics": {"detail": "summary"},
        "state": {
            "store": "topic",
            "every": "1s",
            "topics": {
                "state": f"{name}.state",
                "panes": f"{name}.panes",
                "schedules": f"{name}.references",
                "partitions": STATE_PARTITIONS,
            },
            "episodes": {"topic": f"{name}.episodes"},
        },
        "sources": [{"name": "predictions", "topics": [topic]}],
    }
    for section, settings in sections.items():
        tree[section] = {**tree.get(section, {}), **settings}
    return tree


class Fleet:
    """Processes that share one configuration but for their roles, addresses and logs."""

    def __init__(self, directory: Path, config: Mapping[str, Any]) -> None:
        self.config = config
        self.directory = directory
        self.topic: str = config["sources"][0]["topics"][0]
        self.group: str = config["kafka"]["group"]
        self.bootstrap: list[str] = config["kafka"]["bootstrap_servers"]
        self.topics: Mapping[str, Any] = config["state"]["topics"]
        self.judge = self._member("judge", "judge")
        self.workers: list[ServiceProcess] = []
        self.doomed: set[int] = set()
        self._former: list[ServiceProcess] = []

    @property
    def members(self) -> list[ServiceProcess]:
        """All that were ever made."""
        return [*self.workers, *self._former, self.judge]

    @property
    def running(self) -> list[ServiceProcess]:
        """The workers that run now."""
        return [worker for worker in self.workers if worker.is_running]

    @property
    def log(self) -> str:
        """What all of them have printed, for a failed test."""
        return "\n".join(f"--- {m.config.stem}\n{m.log}" for m in self.members)

    def start(self, workers: int) -> None:
        """The judge and so many new workers; returns at once."""
        self.judge.start()
        for _ in range(workers):
            self.add_worker()

    def add_worker(self, *, dies_at: str = "", **sections: Mapping[str, Any]) -> ServiceProcess:
        """One more; see `dying_worker` for `dies_at`."""
        number = len(self.workers)
        self.workers.append(self._member("worker", f"worker-{number}", sections))
        self.start_worker(number, dies_at=dies_at)
        return self.workers[number]

    def start_worker(self, number: int, *, dies_at: str = "") -> None:
        """Start one that has ended once more."""
        worker = self.workers[number]
        self.doomed.discard(number)
        if dies_at:
            self.doomed.add(number)
            worker.launch([*DYING, "--config", str(worker.config), "--at", dies_at])
        else:
            worker.start()

    def replace_judge(self) -> None:
        """Start another judge beside the one that runs."""
        self._former.append(self.judge)
        self.judge = self._member("judge", f"judge-{len(self._former)}")
        self.judge.start()

    def owned(self) -> dict[int, int]:
        """Input partitions by the worker (its number) whose page says it has them."""
        owned = {}
        for number, worker in enumerate(self.workers):
            if worker.is_running:
                try:
                    page = worker.scrape()
                except OSError:
                    continue
                for labels, _ in page.each("partition_owned", topic=self.topic):
                    owned[int(labels["partition"])] = number
        return owned

    def wait_until(
        self, wanted: Callable[[], Any], what: str, timeout_seconds: float = PATIENCE_SECONDS
    ) -> float:
        """Until it is so; returns how long that took. TimeoutError says what was waited for."""
        begun = time.monotonic()
        while time.monotonic() - begun < timeout_seconds:
            if wanted():
                return time.monotonic() - begun
            time.sleep(LOOK_SECONDS)
        raise TimeoutError(f"not in {timeout_seconds:.0f} s: {what}\n{self.log[-20_000:]}")

    def wait_until_owned(self, partitions: int, timeout_seconds: float = PATIENCE_SECONDS) -> float:
        """Until each partition has an owner; returns how long that took."""
        return self.wait_until(
            lambda: len(self.owned()) == partitions, "every partition is owned", timeout_seconds
        )

    def wait_until_serving(self) -> None:
        """Until all that run have come so far that SIGTERM is a request to them."""

        def answers(member: ServiceProcess) -> bool:
            try:
                return bool(member.get("/livez"))
            except OSError:
                return not member.is_running

        self.wait_until(lambda: all(map(answers, self.members)), "all that run answer")

    def judge_page(self) -> Page:
        """The judge's metrics, empty while it does not answer."""
        try:
            return self.judge.scrape()
        except OSError:
            return Page({})

    def end(self) -> None:
        """SIGTERM to all that run, workers first. RuntimeError where one does not end in order."""
        for member in self.members:
            if member.is_running:
                code = member.process.terminate(25)
                if code:
                    raise RuntimeError(f"{member.config.stem} ended with {code}:\n{member.log}")

    def close(self) -> None:
        """End what still runs, at once."""
        for member in self.members:
            member.close()

    def _member(
        self, role: str, name: str, sections: Mapping[str, Mapping[str, Any]] | None = None
    ) -> ServiceProcess:
        config = {**self.config, "role": role}
        for section, settings in (sections or {}).items():
            config[section] = {**config.get(section, {}), **settings}
        return ServiceProcess(self.directory, config, name)
