"""A whole program in memory: its log, its disk and its clock outlive it, as they do outside."""

from collections.abc import Callable, Iterable

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.clock import ManualClock
from service.errors import CheckpointFailed
from service.ingest.decode.decoder import Decoder
from service.ingest.memory import MemorySource
from service.loops.alone import Loop
from service.loops.cadence import Cadence
from service.loops.vitals import Solitude, Watchdog
from service.state.episode_record import EpisodeLog
from service.state.memory import MemoryStore
from service.values.records import Partition, Turn
from service.values.references import Reference
from service.values.rejects import Reject
from tests.unit.monitor.events import MODEL, RULES, T0, Event, judge_of, watch

NOW = 100_000.0
"""When a world begins, seconds after T0: long after its events."""

TURN_SECONDS = 0.5
AFTER_SECONDS = 120.0


class Crash(BaseException):
    """The process is gone: nothing of ours may catch it."""


class Letters:
    def __init__(self) -> None:
        self.rejects: list[Reject] = []

    def send(self, rejects: Iterable[Reject]) -> None:
        self.rejects += rejects


class World:
    """What is there whether or not a program runs. Every call into it may be the last one.

    `fuse`: after so many calls of the program into the world it crashes, None = never.
    `full`: the disk takes nothing.
    """

    def __init__(self, partitions: Iterable[Partition], **source: object) -> None:
        self.clock = ManualClock(T0 + NOW)
        self.files: dict[str, bytes] = {}
        self.logs: dict[Partition, list[tuple[bytes, float]]] = {p: [] for p in partitions}
        self.committed: dict[Partition, int] = {}
        self.settings = source
        self.ended = False
        self.full = False
        self.fuse: int | None = None
        self.told: list[tuple[bool, int]] = []

    def append(self, partition: Partition, events: Iterable[Event]) -> None:
        log = self.logs.setdefault(partition, [])
        for event in events:
            record = event.record(len(log))
            assert record.value is not None
            log.append((record.value, record.timestamp_seconds))

    def burn(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                raise Crash


class Source(MemorySource):
    def __init__(self, world: World) -> None:
        super().__init__(**world.settings)
        self.world = world
        self.in_touch = True
        self.resting: frozenset[Partition] = frozenset()
        for partition, log in world.logs.items():
            self.assign(partition)
            for value, timestamp in log:
                self.append(partition, value, timestamp)
        self._committed = world.committed
        if world.ended:
            self.finish()

    def poll(self, timeout_seconds: float) -> Turn:
        self.world.burn()
        self.world.clock.sleep(TURN_SECONDS)
        turn = super().poll(timeout_seconds)
        return Turn(turn.chunks, turn.assigned, turn.revoked, in_touch=self.in_touch)

    def hold(self, partitions: frozenset[Partition]) -> None:
        self.resting = partitions
        super().hold(partitions)

    def commit(self, positions) -> None:
        self.world.burn()
        super().commit(positions)


class Store(MemoryStore):
    def __init__(self, world: World) -> None:
        super().__init__(world.files)
        self.world = world

    def save(self, tree: object) -> None:
        self.world.burn()
        if self.world.full:
            raise CheckpointFailed("no space left")
        super().save(tree)
        self.world.burn()


class Program:
    """One life of the program, from its start to its end or crash."""

    def __init__(
        self,
        world: World,
        given: Reference | None = None,
        *,
        cadence: Cadence | None = None,
        publish: Callable[[Loop], None] = lambda _: None,
        accept_lost_state: bool = False,
        episode_record: EpisodeLog | None = None,
    ) -> None:
        self.world = world
        self.publish = publish
        self.source = Source(world)
        self.letters = Letters()
        self.judge = judge_of(given, watch(), RULES)
        self.watchdog = Watchdog(world.clock, AFTER_SECONDS)
        settings = SourceSettings.model_validate({"name": "test", "topics": ["events"]})
        self.loop = Loop(
            source=self.source,
            decoder=Decoder(settings, self.judge, LimitsSettings(), RULES.pane_seconds),
            judge=self.judge,
            store=Store(world),
            dead_letters=self.letters,
            publish=self._published,
            clock=world.clock,
            rules=RULES,
            cadence=cadence or Cadence(),
            watchdog=self.watchdog,
            solitude=Solitude(world.clock, 20.0),
            accept_lost_state=accept_lost_state,
            episode_record=episode_record,
        )

    def turns(self, count: int) -> "Program":
        for _ in range(count):
            self.loop.turn()
        return self

    def predictions(self) -> int:
        shards = self.loop.shards.values()
        return sum(self.judge.totals(key, shards).predictions for key in self.judge.models)

    def position(self, partition: Partition) -> int:
        return self.loop.shards[partition].next_offset

    def judged(self) -> int:
        return self.judge.models[MODEL].panes_judged

    def _published(self, loop: Loop) -> None:
        self.world.burn()
        self.world.told.append((loop.caught_up, self.predictions()))
        self.publish(loop)
