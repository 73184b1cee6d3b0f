"""How fast records come out of the Kafka source, on one core and a real broker."""

import contextlib
import os
import time
import uuid

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from service.ingest.kafka.client import KafkaParameters
from service.ingest.kafka.source import KafkaSource
from service.kafka.connection import KafkaConnection
from service.values.records import Partition

RECORDS = 200_000
RECORD_BYTES = 558
PARTITIONS = 4


def table(bootstrap: str, records: int = RECORDS) -> list[tuple[str, float, str]]:
    """(what, figure, unit): our source and, for comparison, kafka-python's own consumer."""
    lines = []
    for codec in (None, "lz4", "zstd"):
        topic = _filled(bootstrap, records, codec)
        for name, read in (("KafkaSource.poll", _source), ("KafkaConsumer.poll", _consumer)):
            wall, cpu = _timed(read, bootstrap, topic, records)
            what = f"{name}, {codec or 'uncompressed'}"
            lines.append((what, records / wall, "records/s"))
            lines.append((what, cpu / records * 1e6, "us of CPU a record"))
    return lines


def _filled(bootstrap: str, records: int, codec: str | None) -> str:
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    new = {topic: {"num_partitions": PARTITIONS, "replication_factor": 1}}
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics(new, wait_for_metadata=True)
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type=codec, batch_size=256 * 1024, linger_ms=50
    )
    values = [_value(n) for n in range(1000)]
    for number in range(records):
        producer.send(topic, values[number % 1000], partition=number % PARTITIONS)
    producer.close()
    return topic


def _value(number: int) -> bytes:
    start = b'{"model": "credit-risk", "id": "%016x", "payload": "' % number
    noise = os.urandom((RECORD_BYTES - len(start) - 2) // 4).hex().encode()
    return start + noise.ljust(RECORD_BYTES - len(start) - 2, b"0") + b'"}'


def _timed(read, bootstrap: str, topic: str, records: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    seconds_joining = read(bootstrap, topic, records)
    return time.perf_counter() - wall - seconds_joining, time.process_time() - cpu


def _source(bootstrap: str, topic: str, records: int) -> float:
    parameters = KafkaParameters(
        KafkaConnection((bootstrap,)),
        group=f"bench-{uuid.uuid4().hex[:8]}",
        topics=(topic,),
        start="earliest",
    )
    began = time.perf_counter()
    with contextlib.closing(KafkaSource(parameters)) as source:
        owned: frozenset[Partition] = frozenset()
        while len(owned) < PARTITIONS:
            turn = source.poll(0.2)
            owned = (owned - turn.revoked) | turn.assigned
        joining = time.perf_counter() - began
        source.resume(dict.fromkeys(owned))
        while records > 0:
            records -= sum(len(chunk.records) for chunk in source.poll(0.2).chunks)
        return joining + _closing(source.close)


def _consumer(bootstrap: str, topic: str, records: int) -> float:
    began = time.perf_counter()
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        max_partition_fetch_bytes=8 * 1024 * 1024,
        fetch_max_bytes=64 * 1024 * 1024,
        metrics_enabled=False,
    )
    joining = time.perf_counter() - began
    consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
    consumer.seek_to_beginning()
    while records > 0:
        records -= sum(map(len, consumer.poll(200, max_records=5000).values()))
    return joining + _closing(consumer.close)


def _closing(close) -> float:
    began = time.perf_counter()
    close()
    return time.perf_counter() - began


if __name__ == "__main__":
    for what, figure, unit in table(os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")):
        print(f"{what:40s} {figure:12,.1f} {unit}")
