"""The Kafka source on a real broker."""

import uuid

import pytest

from service.ingest.kafka import KafkaSource
from service.ingest.kafka_client import KafkaParameters
from service.values.records import Partition
from tests.integration.parts.topics import send
from tests.unit.ingest.sources.suite import SourceSuite


def values(count, first=0):
    return [b'{"row": %d}' % n for n in range(first, first + count)]


def parameters(kafka, *topics, **settings):
    settings = {"group": f"g-{uuid.uuid4().hex[:8]}", "start": "earliest"} | settings
    return KafkaParameters((kafka.bootstrap,), topics=topics, **settings)


class TestKafkaSource(SourceSuite):
    @pytest.fixture(autouse=True)
    def world(self, kafka, topic):
        self.kafka, self.topic = kafka, topic

    def fill(self, counts):
        self.name = self.topic(len(counts))
        for number, count in enumerate(counts):
            send(self.kafka.bootstrap, self.name, values(count), number)
        return [Partition(self.name, number) for number in range(len(counts))]

    def open(self):
        return KafkaSource(parameters(self.kafka, self.name))
