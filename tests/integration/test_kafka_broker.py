"""The broker of the tests is a real one: what it is given it keeps, whatever happens to it."""

import pytest

from tests.integration.parts.kafka_broker import ExistingBroker
from tests.integration.parts.topics import create_topic, read, send

VALUES = [b'{"n": %d, "padding": "%s"}' % (n, b"x" * 200) for n in range(50)]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_what_was_sent_with_a_codec_is_read_back(kafka, topic, codec):
    name = topic()
    send(kafka.bootstrap, name, VALUES, codec=codec)
    assert read(kafka.bootstrap, name, len(VALUES)) == VALUES


def test_a_topic_has_the_partitions_and_the_settings_that_were_asked_for(kafka, topic):
    name = topic(3, max_message_bytes="1000")
    send(kafka.bootstrap, name, VALUES[:1], partition=2)
    assert read(kafka.bootstrap, name, 1, partition=2) == VALUES[:1]
    with pytest.raises(Exception, match="MessageSizeTooLarge"):
        send(kafka.bootstrap, name, [b"x" * 2000])


def test_stopping_and_killing_keep_port_and_data(own_kafka):
    bootstrap = own_kafka.bootstrap
    name = create_topic(bootstrap)
    send(bootstrap, name, VALUES[:10])
    own_kafka.restart()
    send(bootstrap, name, VALUES[10:20])
    own_kafka.kill()
    assert not own_kafka.running
    assert own_kafka.segments(name)[0].stat().st_size > 0
    own_kafka.start()
    assert own_kafka.bootstrap == bootstrap
    assert read(bootstrap, name, 20) == VALUES[:20]


def test_a_broker_that_is_not_ours_is_never_ended():
    broker = ExistingBroker("kafka.example:9092")
    for end in (broker.stop, broker.kill, broker.restart):
        with pytest.raises(RuntimeError, match="not ours"):
            end()
