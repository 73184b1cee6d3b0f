"""A real Apache Kafka of three brokers for the tests. Ask for the fixture `kafka_cluster`:

    kafka_cluster.servers                   ("127.0.0.1:p1", ...), for KafkaConnection(servers)
    kafka_cluster.bootstrap                 the same, joined by commas
    kafka_cluster.brokers[2]                one of them (1, 2, 3), a `KafkaBroker`
    kafka_cluster.stop(2) | kill(2)         SIGTERM, which hands over leaders first; SIGKILL
    kafka_cluster.freeze(2) | thaw(2)       SIGSTOP, SIGCONT: connected, and it says nothing
    kafka_cluster.start(2) | restart(2)     return once it answers
    kafka_cluster.mend()                    all are up and every replica in sync; done after a test
    kafka_cluster.create_topic(3, **config) a topic of a new name with three replicas; config with
                                            `_` for `.`: min_insync_replicas="2"
    kafka_cluster.add_partitions(topic, 6)  6 in all
    kafka_cluster.leader(topic, 0)          the broker that leads the partition
    kafka_cluster.move_leader(topic, 0, 3)  returns once broker 3 leads it
    kafka_cluster.wait_in_sync()            every replica of every partition is in sync

It is started once a session, with the first test that asks (some 10 s, 1 GB). Two of three brokers
are needed: with less there is no controller, and nothing moves.
"""

import signal
import time
from collections.abc import Callable, Iterator

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.integration.parts.kafka_broker import KafkaBroker, Seat, new_cluster
from tests.integration.parts.ports import free_port
from tests.integration.parts.started import Started
from tests.integration.parts.topics import create_topic

NODES = (1, 2, 3)
DEADLINE_SECONDS = 60.0

_HEAP = ("-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PREFERRED = 0


class KafkaCluster(Started):
    """See the head of this file."""

    def __init__(self, **settings: str) -> None:
        """`settings` as of `KafkaBroker`, the same for each."""
        ports = {node: free_port() for node in NODES}
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in ports.items())
        cluster = new_cluster()
        common = _SETTINGS | settings
        self.brokers = {
            node: KafkaBroker(Seat(node, port, voters, cluster), _HEAP, **common)
            for node, port in ports.items()
        }
        self._frozen: set[int] = set()

    @property
    def servers(self) -> tuple[str, ...]:
        """`host:port` of each."""
        return tuple(broker.bootstrap for broker in self.brokers.values())

    @property
    def bootstrap(self) -> str:
        """Joined by commas."""
        return ",".join(self.servers)

    def start(self, node: int | None = None) -> None:
        """All that do not run, or one; returns once each answers."""
        wanted = [node] if node else [n for n, broker in self.brokers.items() if not broker.running]
        for number in wanted:
            self.brokers[number].launch()
        for number in wanted:
            self.brokers[number].wait_until_it_answers()

    def stop(self, node: int) -> None:
        """SIGTERM."""
        self.brokers[node].stop()

    def kill(self, node: int) -> None:
        """SIGKILL."""
        self.brokers[node].kill()
        self._frozen.discard(node)

    def restart(self, node: int) -> None:
        """Stop and start."""
        self.stop(node)
        self.start(node)

    def freeze(self, node: int) -> None:
        """SIGSTOP."""
        self.brokers[node].signal(signal.SIGSTOP)
        self._frozen.add(node)

    def thaw(self, node: int) -> None:
        """SIGCONT."""
        self.brokers[node].signal(signal.SIGCONT)
        self._frozen.discard(node)

    def mend(self) -> None:
        """Undo what was done to the brokers, and wait until every replica is in sync."""
        for node in [*self._frozen]:
            self.thaw(node)
        self.start()
        self.wait_in_sync()

    def close(self) -> None:
        """End them all and remove their data."""
        for broker in self.brokers.values():
            broker.close()

    def create_topic(self, partitions: int = 1, replication: int = 3, **config: str) -> str:
        """A topic of a new name, once every partition has a leader."""
        return create_topic(self._answering(), partitions, replication=replication, **config)

    def add_partitions(self, topic: str, total: int) -> None:
        """Returns once each has a leader."""
        with self._admin() as admin:
            admin.create_partitions({topic: total})
            _wait_until(lambda: all(leader > 0 for leader in _leaders(admin, topic, total)))

    def leader(self, topic: str, partition: int = 0) -> int:
        """The node that leads the partition, -1 when none does."""
        with self._admin() as admin:
            return next(_leaders(admin, topic, partition + 1, partition))

    def move_leader(self, topic: str, partition: int, node: int) -> None:
        """Make it the first of the replicas, and the leader. All three have to be up."""
        where = TopicPartition(topic, partition)
        with self._admin() as admin:
            admin.alter_partition_reassignments({where: [node, *(n for n in NODES if n != node)]})

            def leads() -> bool:
                admin.elect_leaders(_PREFERRED, {topic: [partition]}, raise_errors=False)
                return next(_leaders(admin, topic, partition + 1, partition)) == node

            _wait_until(leads)

    def wait_in_sync(self) -> None:
        """Of every topic on every broker that is assigned to it."""
        with self._admin() as admin:
            _wait_until(lambda: not any(_lagging(admin)))

    def _admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self._answering())

    def _answering(self) -> list[str]:
        up = [b.bootstrap for n, b in self.brokers.items() if b.running and n not in self._frozen]
        return up or list(self.servers)


_SETTINGS = {
    "offsets_topic_replication_factor": "3",
    "transaction_state_log_replication_factor": "3",
    "controlled_shutdown_enable": "true",
    # A broker that is gone is noticed soon, and so is a follower that stands still.
    "replica_lag_time_max_ms": "5000",
    "replica_socket_timeout_ms": "3000",
    "controller_quorum_election_timeout_ms": "1000",
    "controller_quorum_fetch_timeout_ms": "2000",
}


def _leaders(admin: KafkaAdminClient, topic: str, total: int, first: int = 0) -> Iterator[int]:
    (described,) = admin.describe_topics([topic])
    leaders = {p["partition_index"]: p["leader_id"] for p in described["partitions"]}
    return (leaders.get(number, -1) for number in range(first, total))


def _lagging(admin: KafkaAdminClient) -> Iterator[bool]:
    for topic in admin.describe_topics():
        for partition in topic["partitions"]:
            yield len(partition["isr_nodes"]) < len(partition["replica_nodes"])


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except KafkaError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"the brokers did not come to it within {DEADLINE_SECONDS:.0f} s")
