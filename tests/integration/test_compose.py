"""What compose.yaml starts works together: a drift is seen, alerted about, and on every panel."""

import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from kafka.admin import KafkaAdminClient

from service.commands.demo_events import events
from service.commands.replay import command as replay
from service.ingest.demo_events import DemoEvents, Schedule
from tests.integration.parts.composed import DEPLOY, SERVICES, Composed
from tests.integration.parts.go import module
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.ports import free_port
from tests.integration.parts.prometheus_server import DIRECT, Prometheus
from tests.unit.deploy.boards import asked, boards, filled

COMPOSE_SPEC = (
    "github.com/compose-spec/compose-go/v2",
    "v2.9.1",
    "h1:8UwI+ujNU+9Ffkf/YgAm/qM9/eU7Jn8nHzWG721W4rs=",
)

OF_THE_PLACE = {
    "KAFKA_NODE_ID",
    "KAFKA_PROCESS_ROLES",
    "KAFKA_CONTROLLER_QUORUM_VOTERS",
    "KAFKA_CONTROLLER_LISTENER_NAMES",
    "KAFKA_LISTENERS",
    "KAFKA_ADVERTISED_LISTENERS",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
    "KAFKA_INTER_BROKER_LISTENER_NAME",
    "KAFKA_LOG_DIRS",
    "KAFKA_HEAP_OPTS",
}
MUTED = "age: {mute: {until: 2099-12-31, by: a.name, why: to see one}}"

VARIABLES = {
    "model": "credit-risk",
    "version": ".*",
    "feature": "(income|bureau_score|prediction|state)",
    "team": ".*",
    "instance": ".*",
    "__rate_interval": "10s",
}


class Stack:
    """The services as processes; each waits for those that it depends on."""

    def __init__(self, directory: Any, broker: KafkaBroker, prometheus: Prometheus) -> None:
        self.prometheus = prometheus
        self.port = free_port()
        self.alertmanager = f"127.0.0.1:{free_port()}"
        self._directory = directory
        self._broker = broker
        self._started: list[Composed] = []

    def start_all(self) -> None:
        self._create_topics()
        self._start("alertmanager", {}, f"--web.listen-address={self.alertmanager}")
        self._start("anchorwatch", self._quicker())
        self._wait("anchorwatch", f"http://127.0.0.1:{self.port}/livez")
        self._start(
            "prometheus",
            {
                "scrape_interval: 15s": "scrape_interval: 1s",
                "evaluation_interval: 15s": "evaluation_interval: 1s",
                "alertmanager:9093": self.alertmanager,
                "anchorwatch:9108": f"127.0.0.1:{self.port}",
                "localhost:9090": self.prometheus.url.removeprefix("http://"),
            },
            f"--web.listen-address={self.prometheus.url.removeprefix('http://')}",
        )
        self._wait("prometheus", f"{self.prometheus.url}/-/ready")
        self._start(
            "events",
            {
                "kafka:19092": self._broker.bootstrap,
                "--per-second=20": "--per-second=400",
                "--drift-after=4m": "--drift-after=60s",
            },
        )

    def alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager knows, and whom it tells."""
        with DIRECT.open(f"http://{self.alertmanager}/api/v2/alerts", timeout=10) as answer:
            alerts: list[dict[str, Any]] = json.load(answer)
        return alerts

    def until(self, wanted: Callable[[], Any], what: str, seconds: float = 240.0) -> Any:
        """What `wanted` gives, once it gives anything; says what has ended, or what is missing."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for service in self._started:
                assert service.process.running, f"{service.name}:\n{service.process.tail()}"
            with suppress(OSError):
                if found := wanted():
                    return found
            time.sleep(0.3)
        tails = "\n".join(f"{each.name}:\n{each.process.tail()}" for each in self._started)
        raise TimeoutError(f"{what}: not in {seconds} s\n{tails}")

    def close(self) -> None:
        for service in reversed(self._started):
            service.close()

    def _start(self, name: str, changed: dict[str, str], *more: str) -> None:
        service = Composed(name, self._directory, changed)
        service.start(*more)
        self._started.append(service)

    def _wait(self, name: str, url: str) -> None:
        self.until(lambda: DIRECT.open(url, timeout=10).close() is None, f"{name} is not ready")

    def _quicker(self) -> dict[str, str]:
        return {
            "kafka:19092": self._broker.bootstrap,
            "listen: 0.0.0.0:9108": f"listen: 127.0.0.1:{self.port}",
            "pane: 10s": "pane: 1s",
            "windows: [1m, 10m, 1h]": "windows: [5s, 30s, 2m]",
            "lateness: 5s": "lateness: 1s",
            "idle_after: 20s": "idle_after: 3s",
            "bureau_*: {source: bureau-feed}": "bureau_*: {source: bureau-feed}\n      " + MUTED,
        }

    def _create_topics(self) -> None:
        """As the script of the service `topics` asks for; Kafka's own tool is not there."""
        created = topics_of_the_script(self._directory)
        with KafkaAdminClient(bootstrap_servers=self._broker.bootstrap) as admin:
            admin.create_topics(
                {name: {"num_partitions": n, "replication_factor": r} for name, n, r in created},
                wait_for_metadata=True,
            )


def topics_of_the_script(directory: Any) -> list[tuple[str, int, int]]:
    """Name, partitions and replicas of the topics for which it calls Kafka's tool."""
    tool = directory / "kafka-topics.sh"
    tool.write_text('#!/bin/sh\necho "$@"\n', "utf-8")
    tool.chmod(0o755)
    service = SERVICES["topics"]
    [script] = service["command"]
    script = script.replace("$$", "$").replace("/opt/kafka/bin/kafka-topics.sh", str(tool))
    done = subprocess.run(
        [*service["entrypoint"], script], capture_output=True, text=True, timeout=60, check=True
    )
    found = []
    for line in done.stdout.splitlines():
        words = line.split()
        said = dict(pairwise(words))
        assert said["--bootstrap-server"] == "kafka:19092"
        assert {"--create", "--if-not-exists"} <= set(words)
        counts = int(said["--partitions"]), int(said["--replication-factor"])
        found.append((said["--topic"], *counts))
    return found


def kafka_settings() -> dict[str, str]:
    """Of the broker, but for those that say where it is."""
    environment = SERVICES["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").lower(): str(value)
        for name, value in environment.items()
        if name not in OF_THE_PLACE
    }


@pytest.fixture
def stack(tmp_path) -> Iterator[Stack]:
    with ExitStack() as ended:
        broker = ended.enter_context(KafkaBroker(**kafka_settings()))
        prometheus = Prometheus([])
        ended.callback(prometheus.close)
        running = Stack(tmp_path, broker, prometheus)
        ended.callback(running.close)
        running.start_all()
        yield running


@pytest.mark.timeout(500)  # five programs, and most of a minute until something drifts
def test_a_drift_is_seen_alerted_about_and_on_every_panel(stack):
    server = stack.prometheus
    stack.until(
        lambda: server.query('anchorwatch_episode_active{model="credit-risk", kind="input"} == 1'),
        "no episode",
    )
    [alert] = stack.until(
        lambda: [
            alert
            for alert in stack.alerts()
            if alert["labels"]["alertname"] == "ModelDrift"
            and alert["labels"]["model"] == "credit-risk"
        ],
        "no alert",
    )
    assert [receiver["name"] for receiver in alert["receivers"]] == ["retail-credit-chat"]
    assert "income" in alert["annotations"]["changed"]
    assert "http://localhost:9108/" in alert["annotations"]["page"]

    queries = {query for board in boards().values() for query in asked(board)}

    def without_data():
        return {query for query in queries if not answers(server, query.expr)}

    with suppress(TimeoutError):
        stack.until(lambda: not without_data(), "some panel has no data", 60.0)
    assert without_data() == set()
    variables = [v for board in boards().values() for v in board["templating"]["list"]]
    for variable in variables:
        if variable["type"] == "query":
            assert choices(server, variable["definition"]), variable["name"]
    assert set(server.targets().values()) == {"up"}


def answers(server, expr):
    """Whether a panel with this query shows anything: figures, not just absent ones."""
    return any(not math.isnan(s.value) for s in server.query(filled(expr, VARIABLES)))


def choices(server, definition):
    """What `label_values(metric{...}, label)` lets one choose."""
    selector, label = definition.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
    found = server.query(f"count by ({label}) ({filled(selector, VARIABLES)})")
    return [sample.labels.get(label, "") for sample in found]


def test_the_drifts_of_compose_are_told_by_its_configuration(tmp_path):
    """In the time of the events: as they would come there, until the second drift is seen."""
    said = events.make_context("events", SERVICES["events"]["command"][2:]).params
    schedule = Schedule(said["drift_after"], said["drift_every"], said["drift_for"])
    begun, quarters = 1_790_000_000.0, 4 * (schedule.quiet_seconds + schedule.every_seconds + 60)
    demo = DemoEvents(begun, said["per_second"])
    file, config = tmp_path / "events.jsonl", tmp_path / "anchorwatch.yaml"
    ticks = [tick / 4 for tick in range(int(quarters))]
    records = [one for at in ticks for one in demo.due(begun + at, schedule.story(at))]
    file.write_bytes(b"\n".join(records))
    text = (DEPLOY / "anchorwatch.yaml").read_text("utf-8")
    config.write_text(text.replace("/etc/anchorwatch/references", str(tmp_path)), "utf-8")
    result = CliRunner().invoke(replay, [str(file), "--config", str(config)])
    assert result.exit_code == 0, result.output
    assert "you would have been paged once" in result.output
    assert "income up" in result.output
    assert "bureau_score missing" in result.output


def test_a_query_without_data_is_noticed(prometheus):
    server = prometheus([])
    assert not answers(server, 'anchorwatch_no_such_metric{model="$model"}')
    assert not answers(server, "vector(0) / 0")
    assert answers(server, "vector(0)")


def test_compose_yaml_is_what_the_specification_allows():
    text = (module(*COMPOSE_SPEC) / "schema" / "compose-spec.json").read_text("utf-8")
    checker = jsonschema.Draft202012Validator(json.loads(text))
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert [error.message for error in checker.iter_errors(compose)] == []
    compose["services"]["kafka"]["imge"] = "mistyped"
    assert not checker.is_valid(compose)
