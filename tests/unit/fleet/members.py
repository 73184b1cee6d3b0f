"""A fleet in memory: its topics and its group outlive its members, as they do outside.

Workers and the judge are the real services; the group is the test, which gives partitions and takes
them. Time is the world's.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from config.settings import Settings
from service.clock import ManualClock
from service.composition.judge import JudgeParts, JudgeService, JudgeShared
from service.composition.wiring import watches
from service.composition.worker import SharedParts, WorkerParts, WorkerService
from service.errors import RecoverableError
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.ingest.memory import MemorySource
from service.loops.judge_snapshot import JudgeTopic
from service.loops.worker_shards import FleetTopics
from service.monitor.references.given import GivenReferences
from service.monitor.references.planning import plan_for
from service.registry.registry import Registry
from service.registry.schedule_book import ScheduleBook
from service.registry.schedules import SchedulePublisher
from service.state.episode_record import EpisodeLog, NoEpisodeRecord
from service.state.shards.store import ShardStore
from service.values.keyed_log import Draft
from service.values.records import Partition, Turn
from service.values.references import Reference
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import T0, Event

STATE_PARTITIONS = 4
TURN_SECONDS = 0.5
POLLS_APART_SECONDS = 0.9


class Log(KeyedLogMemory):
    """A topic on a broker that may be away: `away` True, or after so many more appends."""

    def __init__(self, topic: str, clock: ManualClock) -> None:
        super().__init__(STATE_PARTITIONS, topic)
        self.clock = clock
        self.away = False
        self.appends_left: int | None = None

    def append(self, drafts: Iterable[Draft]) -> float:
        self.now_seconds = self.clock.now()
        drafts = list(drafts)
        if self.appends_left is not None and drafts:
            self.appends_left -= 1
            self.away = self.appends_left < 0
        if self.away:
            raise RecoverableError(f"{self.topic} does not answer")
        return super().append(drafts)

    def read(self, partition: int):
        if self.away:
            raise RecoverableError(f"{self.topic} does not answer")
        return super().read(partition)


class Source(MemorySource):
    """A member's view of the events; the group's commits are the world's."""

    def __init__(self, world: "World") -> None:
        super().__init__(start=world.start, out_of_range=world.out_of_range)
        self.world = world
        self.in_touch = True
        for partition, records in world.events.items():
            self._logs.setdefault(partition, [])
            for value, timestamp in records:
                self.append(partition, value, timestamp)
        self._committed = world.committed

    def poll(self, timeout_seconds: float) -> Turn:
        turn = super().poll(timeout_seconds)
        return Turn(
            turn.chunks,
            turn.assigned,
            turn.revoked,
            in_touch=self.in_touch,
            acknowledged=turn.acknowledged,
        )


class World:
    """`events` are the input's log; `given` the references in everybody's directory."""

    def __init__(
        self,
        partitions: Iterable[Partition],
        given: Iterable[Reference] = (),
        *,
        start: Any = "earliest",
        out_of_range: Any = "stop",
        **sections: Mapping[str, Any],
    ) -> None:
        self.clock = ManualClock(T0 + 10_000.0)
        self.given = tuple(given)
        self.start, self.out_of_range = start, out_of_range
        self.events: dict[Partition, list[tuple[bytes, float]]] = {p: [] for p in partitions}
        self.committed: dict[Partition, int] = {}
        self.topic_ids = {"events": "id-1"}
        self.panes_id = "id-of-panes"
        self.state, self.panes, self.schedules = (
            Log(name, self.clock) for name in ("state", "panes", "schedules")
        )
        self.settings = Settings.model_validate(
            {
                "sources": [{"name": "events", "topics": ["events"]}],
                "state": {"store": "topic"},
                "role": "worker",
                **sections,
            }
        )
        self.workers: list[Worker] = []
        self.judges: list[Judge] = []

    def send(self, partition: Partition, events: Iterable[Event]) -> None:
        log = self.events.setdefault(partition, [])
        for event in events:
            record = event.record(len(log))
            assert record.value is not None
            log.append((record.value, record.timestamp_seconds))
            for worker in self.workers:
                worker.source.append(partition, record.value, record.timestamp_seconds)

    def worker(self, *partitions: Partition, accept_lost_state: bool = False) -> "Worker":
        """A new one that owns these."""
        worker = Worker(self, accept_lost_state=accept_lost_state)
        self.workers.append(worker)
        for partition in partitions:
            worker.source.assign(partition)
        return worker

    def judge(
        self, record: EpisodeLog | None = None, *, accept_lost_state: bool = False
    ) -> "Judge":
        """A new one."""
        record = record or NoEpisodeRecord()
        self.judges.append(Judge(self, record, accept_lost_state=accept_lost_state))
        return self.judges[-1]

    def turns(self, count: int = 1, seconds: float = TURN_SECONDS) -> None:
        """So many turns of everybody, and so much time each; workers poll in between, too, or they
        would have stood still.
        """
        polls = math.ceil(seconds / POLLS_APART_SECONDS)
        for _ in range(count):
            for _ in range(polls):
                self.clock.sleep(seconds / polls)
                for worker in self.workers:
                    worker.loop.turn()
            for judge in self.judges:
                judge.loop.turn()

    def store(self) -> ShardStore:
        return ShardStore(self.state, "cluster-1")

    def given_references(self) -> GivenReferences:
        return GivenReferences((), lambda _: None, watches(self.settings), self.given)

    def registry(self) -> Registry:
        registry = Registry(self.schedules)
        registry.catch_up()
        return registry

    def topic_id(self, topic: str) -> str:
        if topic not in self.topic_ids:
            raise RecoverableError(f"topic {topic} is not there")
        return self.topic_ids[topic]

    def partitions(self) -> frozenset[Partition]:
        return frozenset(self.events)


class Worker:
    """One life of a worker; what is not in the topics ends with it."""

    def __init__(self, world: World, *, accept_lost_state: bool) -> None:
        self.world = world
        self.source = Source(world)
        self.service = WorkerService(
            world.settings,
            "c0ffee",
            WorkerParts(
                source=self.source,
                dead_letters=NoDeadLetters(),
                open_shared=self.shared,
                clock=world.clock,
                sources=world.settings.sources,
                accept_lost_state=accept_lost_state,
            ),
        )
        self.loop = self.service.make_loop(self.shared())

    def shared(self) -> SharedParts:
        world, settings = self.world, self.world.settings
        topics = FleetTopics(world.store(), STATE_PARTITIONS, world.panes, world.topic_id)
        book = ScheduleBook(
            world.registry(),
            world.given_references(),
            watches(settings),
            plan_for,
            settings.limits.models,
        )
        return SharedParts(topics, book, lambda: None)

    @property
    def report(self):
        return self.service.front.report

    @property
    def page(self) -> str:
        return self.service.front.board.current.page.text.decode()

    def dies(self) -> None:
        """Killed: nothing more is heard of it."""
        self.world.workers.remove(self)


class Judge:
    """One life of a judge."""

    def __init__(self, world: World, record: EpisodeLog, *, accept_lost_state: bool) -> None:
        self.world = world
        self.service = JudgeService(
            world.settings,
            "c0ffee",
            JudgeParts(
                open_shared=self.shared,
                inputs=world.partitions,
                episode_record=record,
                clock=world.clock,
                accept_lost_state=accept_lost_state,
            ),
        )
        self.loop = self.service.make_loop(self.shared())

    def shared(self) -> JudgeShared:
        world = self.world
        return JudgeShared(
            panes=world.panes,
            topic=JudgeTopic(world.store(), world.state, lambda: world.panes_id),
            schedules=SchedulePublisher(world.registry()),
            given=world.given_references(),
            close=lambda: None,
        )

    @property
    def report(self):
        return self.service.front.report

    @property
    def page(self) -> str:
        return self.service.front.board.current.page.text.decode()

    def model(self, key):
        (found,) = (model for model in self.report.models if model.key == key)
        return found

    def dies(self) -> None:
        """Killed."""
        self.world.judges.remove(self)
