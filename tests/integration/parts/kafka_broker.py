"""A real Apache Kafka for the tests: one node, broker and controller in one process (KRaft).

Three of them that are one cluster: `kafka_cluster.py`.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from functools import cache
from pathlib import Path
from typing import NamedTuple

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.integration.parts.cached import cached
from tests.integration.parts.kafka_jars import kafka_jars
from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess
from tests.integration.parts.started import Started

HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A broker that lives for seconds or minutes never earns what the second compiler costs."""
START_DEADLINE_SECONDS = 150.0


class Seat(NamedTuple):
    """Who a node is in its cluster; `voters` as in controller.quorum.voters."""

    node: int
    controller_port: int
    voters: str
    cluster: str

    @classmethod
    def alone(cls) -> "Seat":
        """A cluster of one."""
        port = free_port()
        return cls(1, port, f"1@127.0.0.1:{port}", new_cluster())


def new_cluster() -> str:
    """A cluster's id, as Kafka wants it."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class KafkaBroker(Started):
    """A broker of our own on 127.0.0.1, with its own data directory, removed by `close`.

    `start` returns once it answers. `stop` (SIGTERM) and `kill` (SIGKILL) keep the port and the
    data, so `start` after either continues where it was. As a context manager it starts and closes.
    """

    def __init__(
        self,
        seat: Seat | None = None,
        heap: tuple[str, ...] = HEAP,
        classes_to: Path | None = None,
        **settings: str,
    ) -> None:
        """`settings` go into server.properties, with `_` for `.`: `log_segment_bytes="1048576"`.

        With `classes_to` it reads every class anew, and leaves them in this file when it stops.
        """
        self._seat = seat or Seat.alone()
        self._heap = heap
        self._classes_to = classes_to
        self.directory = Path(tempfile.mkdtemp(prefix="anchorwatch-kafka-"))
        self.port = free_port()
        self._settings = {k.replace("_", "."): v for k, v in settings.items()}
        self._process: ChildProcess | None = None

    @property
    def bootstrap(self) -> str:
        """What a client connects to: `host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def log_dir(self) -> Path:
        """Where the partitions are: one directory each, `<topic>-<partition>`."""
        return self.directory / "data"

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.running

    def segments(self, topic: str, partition: int = 0) -> list[Path]:
        """The segment files of a partition, oldest first; damage one only while it is stopped."""
        return sorted((self.log_dir / f"{topic}-{partition}").glob("*.log"))

    def start(self, deadline_seconds: float = START_DEADLINE_SECONDS) -> None:
        """Starts it and waits until it answers; raises with the end of its log when it does not."""
        self.launch()
        self.wait_until_it_answers(deadline_seconds)

    def launch(self) -> None:
        """Starts it and does not wait: it may need others before it answers."""
        if self.running:
            raise RuntimeError(f"the broker on {self.bootstrap} is running already")
        arguments = [*self._heap, "-Dlog4j2.level=WARN", "-cp", f"{kafka_jars()}/*"]
        if self._classes_to is None:
            arguments.append(f"-XX:SharedArchiveFile={read_classes()}")
        if not self._properties.exists():
            self._format([_java(), *arguments])
        if self._classes_to is not None:
            arguments.append(f"-XX:ArchiveClassesAtExit={self._classes_to}")
        command = [_java(), *arguments, "kafka.Kafka", str(self._properties)]
        self._process = ChildProcess("Kafka", command, self.directory / "server.log")

    def wait_until_it_answers(self, deadline_seconds: float = START_DEADLINE_SECONDS) -> None:
        """Raises with the end of its log when it does not in time."""
        deadline = time.monotonic() + deadline_seconds
        process = self._running()
        while process.running and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.1)
        why = "did not answer in time" if process.running else "ended while starting"
        tail = process.tail()
        process.kill()
        raise RuntimeError(f"Kafka on {self.bootstrap} {why}. The end of its log:\n{tail}")

    def stop(self, deadline_seconds: float = 30.0) -> None:
        """SIGTERM; returns when it has ended. Clients see the connection close."""
        self._running().terminate(deadline_seconds)

    def kill(self) -> None:
        """SIGKILL; returns when it has ended."""
        self._running().kill()

    def restart(self) -> None:
        """Stops it if it runs, and starts it on the same port with the same data."""
        if self.running:
            self.stop()
        self.start()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, SIGSTOP and SIGCONT for instance."""
        self._running().signal(number)

    def mend(self) -> None:
        """Undo what was done to it: thaw it, start it. Topics stay as they are."""
        if self.running:
            self.signal(signal.SIGCONT)
        else:
            self.start()

    def close(self) -> None:
        """Ends it and removes its data."""
        if self._process is not None:
            self._process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    def _running(self) -> ChildProcess:
        if self._process is None or not self._process.running:
            raise RuntimeError(f"the broker on {self.bootstrap} is not running")
        return self._process

    def _format(self, java: list[str]) -> None:
        lines = {**_settings(self.port, self._seat, self.log_dir), **self._settings}
        self._properties.write_text(
            "".join(f"{key}={value}\n" for key, value in lines.items()), "utf-8"
        )
        command = [
            *java,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self._seat.cluster}",  # it may begin with a dash
            "-c",
            str(self._properties),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(
                f"Kafka could not format {self.log_dir}:\n{done.stdout}{done.stderr}"
            )

    def _answers(self) -> bool:
        # The client backs off for long when nothing listens, so it is asked once something does.
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            with KafkaAdminClient(bootstrap_servers=self.bootstrap) as admin:
                admin.list_topics()
        except (OSError, KafkaError):
            return False
        return True


class ExistingBroker:
    """A broker that somebody else runs (KAFKA_BOOTSTRAP_SERVERS). The tests never end it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def stop(self) -> None:
        """Refused."""
        self._refuse("stop")

    def kill(self) -> None:
        """Refused."""
        self._refuse("kill")

    def restart(self) -> None:
        """Refused."""
        self._refuse("restart")

    def close(self) -> None:
        """Leaves it as it is."""

    def _refuse(self, what: str) -> None:
        raise RuntimeError(
            f"cannot {what} the broker on {self.bootstrap}: it is not ours. "
            "Unset KAFKA_BOOTSTRAP_SERVERS, or use the fixture `own_kafka`."
        )


@cache
def read_classes() -> Path:
    """Kafka's classes as this Java has read and checked them: with these a broker starts on half of
    the work. Java ignores the file where it does not fit.
    """
    asked = [_java(), "--version"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    version = re.sub(r"\W+", "-", done.stdout.partition("\n")[0])
    return cached(f"classes-of-{kafka_jars().name}-on-{version}", _read_classes) / "classes.jsa"


def session_broker() -> KafkaBroker | ExistingBroker:
    """The broker that KAFKA_BOOTSTRAP_SERVERS names, else a started one of our own."""
    existing = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    return ExistingBroker(existing) if existing else KafkaBroker().__enter__()


def _read_classes(directory: Path) -> None:
    with KafkaBroker(classes_to=directory / "classes.jsa") as broker:
        broker.stop(START_DEADLINE_SECONDS)


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise FileNotFoundError(
            "Java 17 or newer is not installed: apt-get install default-jre-headless"
        )
    return java


def _settings(port: int, seat: Seat, log_dir: Path) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": str(seat.node),
        "controller.quorum.voters": seat.voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{seat.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(log_dir),
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(2 * 1024 * 1024),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Tests replay records of any age: nothing is deleted for it, nothing is too far ahead.
        "log.retention.ms": "-1",
        "log.message.timestamp.after.max.ms": str(2**63 - 1),
        # Quick to start, to rebalance, to compact and to stop.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.backoff.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
        "controlled.shutdown.enable": "false",
        # A broker that comes back is let in when its old session is over.
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
