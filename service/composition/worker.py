"""A worker put together: its parts, and what its page shows."""

import math
import threading
from collections.abc import Callable, Iterator

from msgspec import Struct, structs

from config.settings import Settings
from config.sources import SourceSettings
from service.clock import BrokerClock, Clock
from service.composition.front import Front, Identity
from service.composition.reload import take_up
from service.composition.wiring import is_watched_otherwise, time_rules
from service.errors import RecoverableError
from service.ingest.decode.decoder import Decoder
from service.ingest.kafka.dead_letters import DeadLetters, NoDeadLetters
from service.ingest.source import Source
from service.loops.cadence import Cadence
from service.loops.reloading import Reloading, Taken
from service.loops.routing import Router
from service.loops.vitals import Watchdog
from service.loops.waiting import CONNECTING, until_opened
from service.loops.worker import WorkerLoop
from service.loops.worker_shards import FleetTopics, WorkerShards
from service.monitor.counting.reading_through import read_through_seconds
from service.publish.server import Server
from service.registry.schedule_book import ScheduleBook
from service.values.reports import PartitionReport, Report, ServiceReport


class SharedParts(Struct, frozen=True):
    """What needs a broker to be opened: the topics of the fleet, and the schedules in them."""

    topics: FleetTopics
    schedules: ScheduleBook
    close: Callable[[], None]
    follow: Callable[[Settings], None] = lambda _: None


class WorkerParts(Struct, frozen=True):
    """What a worker is made of. `open_shared` raises RecoverableError while no broker answers."""

    source: Source
    dead_letters: DeadLetters | NoDeadLetters
    open_shared: Callable[[], SharedParts]
    clock: Clock
    sources: tuple[SourceSettings, ...]
    accept_lost_state: bool = False
    reloading: Reloading | None = None


class WorkerService:
    """One process of role `worker`."""

    def __init__(self, settings: Settings, config_hash: str, parts: WorkerParts) -> None:
        self.settings = settings
        self.parts = parts
        self.clock = BrokerClock(parts.clock)
        self.watchdog = Watchdog(parts.clock, settings.watchdog.after)
        self.front = Front(settings, parts.clock, self.watchdog)
        self.loop: WorkerLoop | None = None
        self._identity = Identity("worker", config_hash, parts.clock.now())

    def server(self, host: str, port: int) -> Server:
        """A server of this worker's page; the caller starts and stops it."""
        return self.front.server(host, port)

    def alive(self) -> str | None:
        """Why the process is stuck, None while it is not."""
        return self.front.alive()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; then everything is closed."""
        shared: SharedParts | None = None
        try:
            self.front.publish(self._report(None, CONNECTING, 0))
            shared = until_opened(self.parts.open_shared, stop, self._waits)
            if shared is not None:
                self.loop = self.make_loop(shared)
                self.loop.run(stop)
        finally:
            self.parts.dead_letters.close()
            self.parts.source.close()
            if shared is not None:
                shared.close()

    def make_loop(self, shared: SharedParts) -> WorkerLoop:
        """The loop over what was opened."""
        settings, parts = self.settings, self.parts
        rules = time_rules(settings.detection)
        shards = WorkerShards(
            topics=shared.topics,
            source=parts.source,
            plan=shared.schedules.plan,
            clock=self.clock,
            rules=rules,
            idle_after_seconds=settings.detection.idle_after,
            accept_lost_state=parts.accept_lost_state,
        )
        return WorkerLoop(
            source=parts.source,
            decoder=Router(
                (source, Decoder(source, shared.schedules, settings.limits, rules.pane_seconds))
                for source in parts.sources
            ),
            shards=shards,
            schedules=shared.schedules,
            dead_letters=parts.dead_letters,
            publish=lambda loop: self._publish(loop, shared),
            clock=self.clock,
            rules=rules,
            cadence=Cadence(
                flush_seconds=settings.web.flush, checkpoint_seconds=settings.state.every
            ),
            watchdog=self.watchdog,
            session_seconds=settings.kafka.session_timeout,
        )

    def _waits(self, error: RecoverableError) -> None:
        self.watchdog.turned(0, None)
        self.front.publish(self._report(None, str(error), 0))

    def _publish(self, loop: WorkerLoop, shared: SharedParts) -> None:
        schedules = shared.schedules
        take_up(self.parts.reloading, lambda taken: self._follow(taken, loop, shared))
        self.front.publish(self._report(loop, _not_ready_because(loop), schedules.over_limit))

    def _follow(self, taken: Taken, loop: WorkerLoop, shared: SharedParts) -> None:
        is_changed = is_watched_otherwise(self.settings, taken.settings)
        shared.follow(taken.settings)
        for shard in loop.shards.open.values():
            for key, model in shard.models.items():
                if is_changed(key.model):
                    model.follow(key, shared.schedules.plan)
        self.settings = taken.settings
        self.front.follow(taken.settings)
        self._identity = structs.replace(self._identity, config_hash=taken.config_hash)

    def _report(self, loop: WorkerLoop | None, because: str, over_limit: int) -> Report:
        now = self.clock.now()
        partitions = () if loop is None else tuple(_partitions(loop, now))
        shards = () if loop is None else tuple(loop.shards.open.values())
        return Report(
            at_seconds=now,
            caught_up=True,
            models=(),
            topics=(),
            partitions=partitions,
            partitions_missing={},
            service=self._service_report(loop, because, over_limit),
            read_through_seconds=read_through_seconds(shards, self._identity.started_seconds),
        )

    def _service_report(
        self, loop: WorkerLoop | None, because: str, over_limit: int
    ) -> ServiceReport:
        identity, letters = self._identity, self.parts.dead_letters
        report = ServiceReport(
            version=identity.version,
            revision=identity.revision,
            config_hash=identity.config_hash,
            started_seconds=identity.started_seconds,
            ready=not because,
            not_ready_because=because,
            checkpoint_last_success_seconds=math.nan,
            checkpoint_bytes=0,
            checkpoint_failures_total=0,
            checkpoint_fallbacks_total=0,
            out_of_range_total=self.parts.source.out_of_range_total,
            dead_letters_total=letters.sent_total,
            dead_letters_failed_total=letters.failed_total,
            state_free_bytes=None,
            state_size_bytes=None,
            models_over_limit_total=over_limit,
            episode_options=None,
            external_url=self.settings.web.external_url or "",
            role=identity.role,
            state_reloads_total=0,
            config=None if self.parts.reloading is None else self.parts.reloading.report(),
        )
        return report if loop is None else _with_loop(report, loop)


def _with_loop(report: ServiceReport, loop: WorkerLoop) -> ServiceReport:
    checkpoints = loop.checkpoints
    missed = [text for text in loop.absent.values() if text not in loop.obstacle]
    waits = [loop.obstacle] if report.ready and loop.obstacle else []
    return structs.replace(
        report,
        checkpoint_last_success_seconds=checkpoints.last_success_seconds,
        checkpoint_bytes=loop.shards.size_bytes,
        checkpoint_failures_total=checkpoints.failures,
        checkpoint_counts=tuple(checkpoints.took_counts),
        checkpoint_sum_seconds=checkpoints.took_sum_seconds,
        state_reloads_total=loop.reloads,
        timings=loop.timings.report(),
        absent_topics=loop.absent,
        warnings=(*waits, *missed),
    )


def _partitions(loop: WorkerLoop, now: float) -> Iterator[PartitionReport]:
    ends = loop.source.ends()
    for partition, shard in sorted(loop.shards.open.items()):
        lag = max(0, ends.get(partition, shard.next_offset) - shard.next_offset)
        behind = max(0.0, now - shard.newest_record_seconds)
        yield PartitionReport(
            partition=partition,
            position=shard.next_offset,
            lag_records=lag,
            lag_seconds=(behind if lag else 0.0) if partition in ends else math.nan,
        )


def _not_ready_because(loop: WorkerLoop) -> str:
    """A worker without a partition stands by, ready to take over from one that ends."""
    if not loop.owned:
        return loop.obstacle
    if not loop.is_placed:
        return f"taking over {len(loop.owned) - len(loop.shards.open)} partitions"
    return ""
