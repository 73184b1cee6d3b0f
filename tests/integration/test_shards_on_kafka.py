"""Shards in a topic of a real broker, whose cleaner compacts it while it is written and read."""

import random
import time
from contextlib import closing

import pytest

from service.kafka.connection import KafkaConnection
from service.kafka.topic_log import TopicLog
from service.state.shards.store import Flush, Opening, ShardStore

ROUNDS_MAX = 60
COMPACTED = {
    "cleanup_policy": "compact",
    "segment_ms": "500",
    "min_cleanable_dirty_ratio": "0.01",
    "delete_retention_ms": "100",
}


@pytest.fixture
def log_of(kafka):
    """Logs of a topic that are closed at the end, each a process of its own."""
    opened = []

    def log(name):
        opened.append(TopicLog(KafkaConnection((kafka.bootstrap,)), name))
        return opened[-1]

    yield log
    for each in opened:
        each.close()


def changed(random_, applied):
    """Totals, and one of twenty panes; one in ten is gone."""
    pane = f"pane/{random_.randrange(20)}"
    body = random_.randbytes(random_.choice((50, 5_000, 700_000)))
    return {"core": b"%d" % applied, pane: None if random_.random() < 0.1 else body}


def test_a_state_outlives_its_writers_while_the_brokers_cleaner_works(topic, log_of):
    name = topic(1, **COMPACTED)
    log, random_ = log_of(name), random.Random(3)
    store = ShardStore(log, "cluster")
    appended, kept = 0, []
    writer, _ = store.open("predictions/0", 0, "id")
    blobs = {}
    for applied in range(ROUNDS_MAX):
        if applied % 7 == 6:  # somebody else takes over
            before = writer
            writer, state = ShardStore(log_of(name), "cluster").open("predictions/0", 0, "id")
            assert (state.applied_through, state.blobs) == (applied - 1, blobs)
            store.flush([Flush(before, {"core": b"of a zombie"}, 0, applied - 1)])
            writer.confirm()
        changes = changed(random_, applied)
        store.flush([Flush(writer, changes, 0, applied)])
        blobs |= changes
        blobs = {blob: body for blob, body in blobs.items() if body is not None}
        with closing(log.follow({0: 0})) as follower:
            appended = follower.ends()[0]
        kept = list(log.read(0))
        if applied > 20 and len(kept) < appended / 2:
            break
        time.sleep(0.3)
    assert len(kept) < appended / 2, "the cleaner never came"
    state = ShardStore(log_of(name), "cluster").open("predictions/0", 0, "id")[1]
    assert (state.blobs, state.passed_over) == (blobs, ())


def test_many_shards_come_back_from_few_partitions(topic, log_of):
    name = topic(2, **COMPACTED)
    store = ShardStore(log_of(name), "cluster")
    openings = [Opening(f"predictions/{n}", n % 2, "id") for n in range(12)]
    bodies = {o.shard: random.Random(o.shard).randbytes(800_000) for o in openings}
    writers = [writer for writer, _ in store.open_all(openings)]
    before = time.time()
    clock = store.flush([Flush(w, {"core": bodies[w.shard]}, 0, 5) for w in writers])
    assert abs(clock - before) < 60
    with closing(log_of(name)) as log:
        again = ShardStore(log, "cluster").open_all(openings)
    assert {w.shard: state.blobs["core"] for w, state in again} == bodies
