"""The rules of the state topic against whatever may happen, and that each of them is needed.

SHARD_SCHEDULES=100000 tries so many schedules.
"""

import os
from uuid import UUID

import pytest

from service.state.shards import layout, recovery, store
from service.state.shards import writer as writing
from service.state.shards.writer import ShardWriter
from service.values.keyed_log import Draft
from tests.unit.state.shards.simulation import Loss, Simulation

SCHEDULES = int(os.environ.get("SHARD_SCHEDULES", "600"))
STEPS = 25


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Most blobs have several parts, and many an index does not fit into its head."""
    monkeypatch.setattr(writing, "PART_MAX_BYTES", 9)
    monkeypatch.setattr(writing, "INDEX_INLINE_MAX_BYTES", 150)


def test_nothing_is_lost_or_mixed_up_whatever_dies_when():
    for seed in range(SCHEDULES):
        Simulation(seed).run(STEPS)


def assert_it_loses(log_of=None):
    for seed in range(1000):
        simulation = Simulation(seed)
        if log_of is not None:
            log_of.append(simulation.log)
        try:
            simulation.run(STEPS)
        except Loss:
            return
    pytest.fail("nothing was lost: is the rule not needed, or the simulation too tame?")


def test_it_loses_when_tombstones_come_before_the_head(monkeypatch):
    parts, head, tombstones = store.STEPS
    monkeypatch.setattr(store, "STEPS", (parts, tombstones, head))
    assert_it_loses()


def test_it_loses_when_the_head_comes_before_its_parts(monkeypatch):
    parts, head, tombstones = store.STEPS
    monkeypatch.setattr(store, "STEPS", (head, parts, tombstones))
    assert_it_loses()


def test_it_loses_when_the_ids_of_parts_are_used_again(monkeypatch):
    done = ShardWriter.done

    def forgetful(self, plan):
        done(self, plan)
        self._next_part = 1

    monkeypatch.setattr(ShardWriter, "done", forgetful)
    assert_it_loses()


def test_it_loses_when_whoever_takes_over_writes_under_the_name_of_the_one_before(monkeypatch):
    monkeypatch.setattr(writing, "uuid4", lambda: UUID(int=7))
    assert_it_loses()


def test_it_loses_when_the_newest_head_wins_however_far_it_had_got(monkeypatch):
    monkeypatch.setattr(recovery, "_rank", lambda written: written.head_offset)
    assert_it_loses()


def test_it_loses_when_the_era_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(
        recovery, "_rank", lambda written: (written.head.applied_through, written.head_offset)
    )
    assert_it_loses()


def test_it_loses_when_a_head_counts_whose_parts_are_not_all_there(monkeypatch):
    def whatever_is_there(written, references):
        pieces = (written.parts.get(reference.part, b"") for reference in references)
        return b"".join(piece[1:] for piece in pieces), ""

    monkeypatch.setattr(recovery, "_blob", whatever_is_there)
    assert_it_loses()


def test_it_loses_when_more_is_removed_than_was_there_at_the_opening(monkeypatch):
    logs = []

    def all_of_others(self, plan):
        for entry in logs[-1].entries[0]:
            key = layout.decode_key(entry.key)
            if key.shard == self.shard and key.writer != self.id:
                yield Draft(self.partition, entry.key, None)

    parts, head, _ = store.STEPS
    monkeypatch.setattr(store, "STEPS", (parts, head, all_of_others))
    assert_it_loses(log_of=logs)


def test_it_loses_when_what_comes_while_a_log_is_read_is_not_read(monkeypatch):
    monkeypatch.setattr(store, "_to_the_end", lambda follower, partition: iter(()))
    assert_it_loses()


def test_it_loses_when_what_others_left_is_removed_before_ownership_is_confirmed(monkeypatch):
    monkeypatch.setattr(ShardWriter, "_left_by_others", lambda self: self._keys_of_others)
    assert_it_loses()
