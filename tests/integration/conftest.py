"""Fixtures that start real parts. One broker serves the session; who stops it starts an own one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.integration.parts.kafka_broker import ExistingBroker, KafkaBroker, session_broker
from tests.integration.parts.prometheus_server import Prometheus
from tests.integration.parts.topics import create_topic

TopicFactory = Callable[..., str]
PrometheusFactory = Callable[..., Prometheus]


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker | ExistingBroker]:
    """The session's broker. Do not stop it: others use it."""
    broker = session_broker()
    yield broker
    broker.close()


@pytest.fixture
def own_kafka() -> Iterator[KafkaBroker]:
    """A running broker for this test alone, which may stop, kill, restart and damage it."""
    with KafkaBroker() as broker:
        yield broker


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
