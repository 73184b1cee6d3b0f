"""Fixtures that start real parts. One broker serves the session; who stops it starts an own one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.parts.kafka_broker import ExistingBroker, KafkaBroker, session_broker
from tests.integration.parts.kafka_cluster import KafkaCluster
from tests.integration.parts.prometheus_server import Prometheus
from tests.integration.parts.service_process import ServiceProcess
from tests.integration.parts.topics import create_topic
from tests.integration.parts.watched_topic import References, build_references, configuration

TopicFactory = Callable[..., str]
PrometheusFactory = Callable[..., Prometheus]
ServiceFactory = Callable[..., ServiceProcess]


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker | ExistingBroker]:
    """The session's broker. Do not stop it: others use it."""
    broker = session_broker()
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def troubled_kafka() -> Iterator[KafkaBroker]:
    """A second broker of the session; tests ask for `own_kafka`."""
    with KafkaBroker() as broker:
        yield broker


@pytest.fixture
def own_kafka(troubled_kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A running broker that nobody else uses meanwhile: a test may stop, kill and restart it, and
    damage topics of its own.
    """
    yield troubled_kafka
    troubled_kafka.mend()


@pytest.fixture(scope="session")
def three_brokers() -> Iterator[KafkaCluster]:
    """The session's cluster of three brokers; tests ask for `kafka_cluster`."""
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def kafka_cluster(three_brokers: KafkaCluster) -> Iterator[KafkaCluster]:
    """Three brokers, all up. What a test stopped, killed or froze is mended after it."""
    yield three_brokers
    three_brokers.mend()


@pytest.fixture
def topic(kafka: KafkaBroker | ExistingBroker) -> TopicFactory:
    """`topic(partitions=1, **config)` creates a topic on the session's broker and returns its name.

    `config` is the topic's, with `_` for `.`: `topic(3, cleanup_policy="compact")`.
    """
    return partial(create_topic, kafka.bootstrap)


@pytest.fixture
def prometheus() -> Iterator[PrometheusFactory]:
    """`prometheus(["127.0.0.1:9108"], interval="1s")` starts a server; all end with the test."""
    with ExitStack() as servers:
        yield lambda *args, **kwargs: servers.enter_context(Prometheus(*args, **kwargs))


@pytest.fixture(scope="session")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    """The reference files of the models in `parts/events.py`."""
    return build_references(tmp_path_factory.mktemp("references"))


@pytest.fixture
def service_on(references: References, tmp_path: Path) -> Iterator[ServiceFactory]:
    """`service_on(bootstrap, topic, name="service", **sections)`: a service, not yet started.

    `sections` of the configuration go on top of the usual ones. All end with the test.
    """
    made: list[ServiceProcess] = []

    def make(bootstrap: str, topic: str, name: str = "service", **sections: Any) -> ServiceProcess:
        config = configuration(bootstrap, topic, references.directory, **sections)
        made.append(ServiceProcess(tmp_path, config, name))
        return made[-1]

    yield make
    for service in made:
        service.close()
