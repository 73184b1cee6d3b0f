"""Faults that a fleet gets over: writes that fail, brokers that lose or forget, lives of others."""

import msgspec
import pytest
from msgspec import structs

from config.settings import Settings
from service.errors import RecoverableError, StateCorrupt, StateLost
from service.loops.judge_snapshot import SHARD
from service.monitor.counting import image_blobs
from service.state.shards.layout import HEAD, decode_key
from service.values.keyed_log import Draft
from service.values.records import Partition
from tests.unit import keyed_log_memory
from tests.unit.fleet.members import World
from tests.unit.fleet.test_judge_loop import FAST, NORMAL, balances, world_of
from tests.unit.monitor.events import MODEL, OTHER, P0, P1, P2, T0, Event, stream_of

OUTAGE_SECONDS = 360.0
DAY_SECONDS = 86_400.0
FORGETFUL = {"detection": {"forget_after": "10m"}}
OTHER_TOPIC = Partition("more", 0)
SEVERAL = tuple(Partition("events", number) for number in range(60))


def try_turns(judge, world, count, seconds=0.5):
    for _ in range(count):
        world.clock.sleep(seconds)
        try:
            judge.loop.turn()
        except RecoverableError:
            continue


def test_what_is_judged_while_the_judge_cannot_write_is_not_judged_again_after_a_restart():
    world = world_of(P0, P1)
    world.worker(P0)
    judge = world.judge()
    world.turns(20)  # panes of P0 are held, and written, since nobody tells of P1
    other = world.worker(P1)
    for _ in range(4):
        other.loop.turn()
        world.clock.sleep(0.5)
    other.loop.flush()
    world.state.away = True
    judge.loop.checkpoint()
    try_turns(judge, world, 6)
    assert judge.loop.checkpoints.failures
    world.state.away = False
    world.turns(120)
    assert judge.loop.judge.models[MODEL].rows_judged == 100
    judge.dies()
    again = world.judge()
    world.turns(60)
    model = again.loop.judge.models[MODEL]
    assert (model.rows_judged, model.rows_unjudged) == (100, 0)
    assert balances(again)


def test_panes_that_a_shorter_lateness_closes_are_not_closed_again_at_each_takeover():
    world = World([P0], [NORMAL], detection={"lateness": "5m"}, **FAST)
    world.send(P0, [Event(60.0 * minute, x=None) for minute in range(9)])
    worker = world.worker(P0)
    world.turns(20)
    lives = []
    for _ in range(3):
        worker.dies()
        world.settings = Settings.model_validate(
            {
                "sources": [{"name": "events", "topics": ["events"]}],
                "role": "worker",
                "detection": {"lateness": "1m"},
                **FAST,
            }
        )
        worker = world.worker(P0)
        world.turns(20)
        totals = worker.loop.shards.open[P0].models[MODEL].totals
        lives.append({key.name: counts.tolist() for key, counts in totals.quality.items()})
    assert lives[0] == lives[1] == lives[2]


class Live:
    """Two workers and a judge in the middle of traffic, one of whom has yet to tell of a minute."""

    def __init__(self):
        self.world = World([P0, P1], [NORMAL], **FAST)
        self.at = self.world.clock.now() - T0
        self.first, self.judge = self.world.worker(P0), None
        self.world.worker(P1)
        self.judge = self.world.judge()
        self.goes_on(10)
        self._send(61)
        self.first.loop.turn()
        self.first.loop.flush()
        try_turns(self.judge, self.world, 2)

    def goes_on(self, times):
        for _ in range(times):
            self._send(30)
            self.world.turns(10, seconds=3.0)

    @property
    def unjudged(self):
        return self.judge.loop.judge.models[MODEL].rows_unjudged

    @property
    def missing(self):
        return sum(self.judge.report.partitions_missing.values())

    def _send(self, seconds):
        second = int(self.at)
        for partition in (P0, P1):
            times = range(second, second + seconds)
            self.world.send(partition, [Event(float(s), arrived=float(s)) for s in times])
        self.at += seconds


def outage(live, monkeypatch):
    def away(*_):
        raise RecoverableError("no broker")

    with monkeypatch.context() as patched:
        patched.setattr(keyed_log_memory.FollowerMemory, "poll", away)
        patched.setattr(keyed_log_memory.FollowerMemory, "ends", away)
        try_turns(live.judge, live.world, int(OUTAGE_SECONDS / 2), seconds=2.0)


def standstill(live, monkeypatch):
    live.world.clock.sleep(OUTAGE_SECONDS)


def clock_step(live, monkeypatch):
    clock = live.world.clock
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + OUTAGE_SECONDS)


@pytest.mark.parametrize("fault", [outage, standstill, clock_step])
def test_after_minutes_in_which_the_judge_heard_nobody_nobody_is_missing(fault, monkeypatch):
    live = Live()
    fault(live, monkeypatch)
    try_turns(live.judge, live.world, 2)
    assert live.missing == 0
    monkeypatch.undo()
    live.goes_on(6)
    assert (live.unjudged, live.missing) == (0, 0)


def test_a_partition_of_which_brokers_know_nothing_for_a_moment_is_not_gone():
    live = Live()
    loop, known = live.judge.loop, live.world.partitions
    live.world.clock.sleep(60.0)
    loop._inputs = frozenset
    loop.turn()
    assert live.judge.report.topics
    loop._inputs = known
    live.goes_on(6)
    assert live.unjudged == 0


def test_a_judge_goes_on_when_brokers_have_lost_the_end_of_the_panes():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    world.turns(12)
    judge.dies()
    world.workers.clear()
    world.panes.entries[0] = world.panes.entries[0][:-2]
    world.panes._ends[0] -= 2
    for _ in range(2):
        judge = world.judge()
        world.turns(12)
        assert judge.loop.checkpoints.failures == 0
        judge.dies()


def test_a_judge_alone_whose_state_lost_its_end_takes_it_over_anew():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    world.turns(12)
    world.state.entries[3] = world.state.entries[3][:-1]
    world.state._ends[3] -= 1
    world.turns(12)
    assert judge.report.service.ready


def test_a_record_of_panes_whose_key_is_no_text_is_refused_in_each_life():
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    key = msgspec.msgpack.encode([["progress", "xx", 1], 0]).replace(b"xx", b"\xff\xfe")
    world.panes.append([Draft(0, key, b"\x01x")])
    world.turns(12)
    judge.dies()
    judge = world.judge()
    world.turns(12)
    assert judge.model(MODEL).predictions_total == 50


def test_what_was_read_of_a_partition_that_left_before_it_began_is_let_go():
    world = world_of(P0)
    world.worker(P0).dies()
    world.workers.clear()
    worker = world.worker(P0)
    resume = worker.source.resume
    worker.source.resume = lambda positions: {}
    world.turns(1)
    worker.source.resume = resume
    worker.source.revoke(P0)
    world.turns(2)
    assert not worker.loop.shards._taken


def test_a_first_start_asks_for_what_is_committed_a_few_times_and_not_for_each_pair():
    world = World(SEVERAL, [NORMAL])
    worker = world.worker(*SEVERAL)
    committed, asked = worker.source.committed, []

    def counted(partitions):
        asked.extend(partitions)
        return committed(partitions)

    worker.source.committed = counted
    world.turns(1)
    assert 0 < len(asked) <= 4 * len(SEVERAL)


def test_lost_state_that_was_accepted_does_not_stop_a_partition_that_was_added():
    world = world_of(P0, P1)
    world.worker(P0, P1)
    world.turns(12)
    world.workers.clear()
    for number, entries in enumerate(world.state.entries):
        world.state.entries[number] = [e for e in entries if not is_part_of(e.key, "events/0")]
    world.send(P2, [Event(1.0)])
    worker = world.worker(P0, P1, P2, accept_lost_state=True)
    world.turns(2)
    assert set(worker.loop.shards.open) == {P0, P1, P2}


def is_part_of(key, shard):
    decoded = decode_key(key)
    return decoded is not None and decoded.shard == shard and decoded.part != HEAD


def two_topics(**sections):
    """A model in both of two topics, and another in the second one alone."""
    sources = [{"name": "events", "topics": ["events", "more"]}]
    world = World([P0, OTHER_TOPIC], [NORMAL], sources=sources, **FAST, **sections)
    world.topic_ids["more"] = "id-2"
    for partition in (P0, OTHER_TOPIC):
        world.send(partition, stream_of(0.0, 5, 10))
    world.send(OTHER_TOPIC, stream_of(0.0, 5, 10, model=OTHER))
    return world


def figures(judge):
    """Predictions by model, and what was applied by topic: the same rows in all, where each record
    holds one and none is late.
    """
    models = {model.key: model.predictions_total for model in judge.report.models}
    topics = {topic.topic: topic.applied for topic in judge.report.topics}
    assert sum(models.values()) == sum(topics.values())
    return models, topics


def test_counters_of_a_model_keep_what_it_counted_in_a_topic_that_left():
    world = two_topics()
    world.worker(P0, OTHER_TOPIC)
    judge = world.judge()
    world.turns(20)
    told = figures(judge)
    assert told == ({MODEL: 100, OTHER: 50}, {"events": 50, "more": 100})
    del world.events[OTHER_TOPIC]
    for _ in range(100):
        world.turns(1)
        assert figures(judge) == told
    judge.dies()
    judge = world.judge()
    world.turns(100)
    assert figures(judge) == told


def test_of_a_model_whose_topics_all_left_no_record_is_due():
    world = two_topics()
    world.worker(P0, OTHER_TOPIC)
    judge = world.judge()
    world.turns(20)
    assert {model.model for model in judge.report.whole_models} == {MODEL.model, OTHER.model}
    del world.events[OTHER_TOPIC]
    world.turns(100)
    assert {model.model for model in judge.report.whole_models} == {MODEL.model}


def test_a_topic_that_left_is_told_no_more_once_its_models_are_forgotten():
    world = two_topics(detection={"forget_after": "1d"})
    worker = world.worker(P0, OTHER_TOPIC)
    judge = world.judge()
    world.turns(20)
    del world.events[OTHER_TOPIC]
    worker.source.revoke(OTHER_TOPIC)
    world.turns(100)
    world.clock.sleep(DAY_SECONDS)
    world.turns(100)
    assert [topic.topic for topic in judge.report.topics] == ["events"]


def test_models_and_topics_are_about_the_same_partitions_while_some_are_added():
    world = world_of(P0)
    worker = world.worker(P0)
    judge = world.judge()
    world.turns(20)
    judge.loop._inputs = lambda: frozenset({P0})  # brokers tell the judge later than the worker
    world.send(P1, stream_of(0.0, 5, 10))
    worker.source.assign(P1)
    for _ in range(40):
        world.turns(1)
        figures(judge)
    judge.loop._inputs = world.partitions
    for _ in range(60):
        world.turns(1)
        figures(judge)
    assert judge.model(MODEL).predictions_total + judge.model(MODEL).late_total == 100


def silent_for(world, seconds):
    world.turns(int(seconds / 5), seconds=5.0)


def held(world):
    """What workers hold of models, and what is published."""
    shards = [shard for worker in world.workers for shard in worker.loop.shards.open.values()]
    return {key for shard in shards for key in shard.models} | world.registry().schedules.keys()


def test_a_worker_that_took_over_after_a_version_was_forgotten_hears_of_it_all_the_same():
    world = world_of(P0, **FORGETFUL)
    worker = world.worker(P0)
    judge = world.judge()
    world.turns(12)
    worker.loop._schedules.look = frozenset  # it is about to die, and hears nothing
    silent_for(world, 660)
    assert judge.report.models == ()
    assert held(world) == {MODEL}
    worker.dies()
    world.worker(P0)
    silent_for(world, 180)
    assert held(world) == set()
    world.send(P0, [Event(world.clock.now() - T0, arrived=world.clock.now() - T0)])
    world.turns(24)
    assert judge.model(MODEL).predictions_total == 1


def test_a_judge_takes_back_what_the_one_before_had_forgotten_and_did_not_live_to_say():
    world = world_of(P0, **FORGETFUL)
    worker = world.worker(P0)
    judge = world.judge()
    world.turns(12)
    judge.loop._schedules.forget = lambda keys: None
    silent_for(world, 660)
    judge.dies()
    worker.dies()
    world.worker(P0)
    world.judge()
    silent_for(world, 180)
    assert held(world) == set()


def test_a_version_that_is_not_published_yet_is_not_forgotten():
    world = world_of(P0, **FORGETFUL)
    world.worker(P0)
    world.turns(12)  # no judge has ever been there
    silent_for(world, 1200)
    assert held(world) == {MODEL}


def test_what_is_published_is_not_taken_back_before_every_partition_was_told_of():
    world = world_of(P0, P1, given=())
    workers = [world.worker(P0), world.worker(P1)]
    judge = world.judge()
    world.turns(24)
    assert held(world) == {MODEL}
    judge.dies()
    for worker in workers:
        worker.dies()
    for log in (world.state, world.panes):
        for number in range(4):
            log.retain_from(number, log.ends()[number])
    world.committed.clear()
    world.judge(accept_lost_state=True)
    silent_for(world, 120)
    assert held(world) == {MODEL}


def without(world):
    world.state.entries[3] = []


def cut_short(world):
    world.state.entries[3] = [
        structs.replace(e, value=e.value[: len(e.value) // 2])
        if is_part_of(e.key, SHARD) and e.value
        else e
        for e in world.state.entries[3]
    ]


def of_another_topic(world):
    world.panes_id = "id-of-others"


@pytest.mark.parametrize(
    ("lose", "error"),
    [(without, StateLost), (cut_short, StateCorrupt), (of_another_topic, StateLost)],
)
def test_a_judge_whose_state_is_lost_says_what_to_do_and_begins_anew_on_request(lose, error):
    world = world_of(P0)
    world.worker(P0)
    judge = world.judge()
    world.turns(24)
    before = judge.model(MODEL)
    judge.dies()
    lose(world)
    refused = world.judge()
    with pytest.raises(error, match=r"--accept-lost-state"):
        refused.loop.turn()
    refused.dies()
    for _ in range(2):  # once it has begun anew, the word changes nothing
        judge = world.judge(accept_lost_state=True)
        world.turns(24)
        model = judge.model(MODEL)
        assert model.predictions_total == before.predictions_total == 50
        assert model.panes_judged_total == before.panes_judged_total
        assert judge.report.service.ready
        assert balances(judge)
        judge.dies()
    judge = world.judge()
    world.turns(12)
    assert judge.model(MODEL).panes_judged_total == before.panes_judged_total


def test_images_of_a_judge_that_make_no_sense_are_given_up_on_request(monkeypatch):
    world = world_of(P0)
    world.worker(P0)
    world.judge().loop.turn()
    world.turns(24)
    world.judges[0].dies()
    with monkeypatch.context() as patched:
        patched.setattr(image_blobs, "_restore_model", lambda *_: {}["nothing"])
        refused = world.judge()
        with pytest.raises(StateCorrupt, match=r"make no sense.*--accept-lost-state"):
            refused.loop.turn()
        refused.dies()
        judge = world.judge(accept_lost_state=True)
        world.turns(24)
    assert judge.model(MODEL).predictions_total == 50
    assert balances(judge)


class LeaderAway:
    """Two partitions; a model was idle in the second one before its leader is away."""

    def __init__(self):
        self.world = World([P0, P1], [NORMAL], **FAST)
        self.world.worker(P0)
        self.worker, self.judge = self.world.worker(P1), self.world.judge()
        self.sent = dict.fromkeys((P0, P1), self.world.clock.now())
        self.goes_on(180, P0, P1)
        self.goes_on(150, P0)
        self.sent[P1] = self.world.clock.now()
        self.ends, self.worker.source.ends = self.worker.source.ends, dict

    def is_back(self):
        self.worker.source.ends = self.ends
        self.send(P1)

    def goes_on(self, seconds, *partitions):
        for _ in range(int(seconds / 15)):
            self.world.turns(5, seconds=3.0)
            for partition in partitions:
                self.send(partition)

    def send(self, partition):
        since, now = self.sent[partition], self.world.clock.now()
        times = range(int(since - T0), int(now - T0))
        self.world.send(partition, [Event(float(s), arrived=float(s)) for s in times])
        self.sent[partition] = now

    @property
    def missing(self):
        return sum(self.judge.report.partitions_missing.values())

    @property
    def model(self):
        return self.judge.loop.judge.models[MODEL]


def test_a_partition_whose_leader_is_away_is_waited_for_though_its_model_was_idle():
    play = LeaderAway()
    play.goes_on(240, P0)
    play.is_back()
    play.goes_on(240, P0, P1)
    assert play.model.rows_unjudged == 0
    assert play.model.panes_judged > 8


def test_a_partition_whose_leader_is_away_for_long_is_missing_and_nothing_waits_for_it():
    play = LeaderAway()
    play.goes_on(240, P0)
    judged = play.model.panes_judged
    assert play.missing == 0
    play.goes_on(240, P0)
    assert play.missing == 1
    assert play.model.panes_judged > judged
    play.is_back()
    play.goes_on(60, P0, P1)
    assert play.missing == 0
