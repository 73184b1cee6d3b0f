"""The composition root: the one place that names concrete parts and puts them together."""

import os
import shlex
import threading
from importlib.metadata import version
from pathlib import Path

import psutil
from msgspec import Struct

from config.settings import Settings
from config.sources import SourceSettings
from service.clock import Clock, SystemClock
from service.composition.fleet import judge_service, worker_service
from service.composition.judge import JudgeService
from service.composition.loop_report import (
    not_ready_because,
    partition_reports,
    partitions_missing,
    warnings,
)
from service.composition.record import episode_record
from service.composition.registry_access import registry_of
from service.composition.reload import RegistryOf, count_by, go_over, judge_by, record, take_up
from service.composition.topics_used import names_used
from service.composition.wiring import (
    episode_rules,
    given_references,
    kafka_connection,
    kafka_parameters,
    time_rules,
    watches,
)
from service.composition.worker import WorkerService
from service.errors import ConfigurationError
from service.ingest.decode.decoder import Decoder
from service.ingest.kafka.dead_letters import DeadLetters, NoDeadLetters
from service.ingest.kafka.source import KafkaSource
from service.ingest.source import Source
from service.loops.alone import Loop
from service.loops.cadence import Cadence
from service.loops.reloading import Reloading, Taken
from service.loops.routing import Router
from service.loops.vitals import Solitude, Watchdog
from service.loops.watching import Process
from service.monitor.counting.accounted import accounted_for, models_of
from service.monitor.counting.reading_through import read_through_seconds
from service.monitor.counting.shard import TimeRules
from service.monitor.episodes.book import Episodes
from service.monitor.judging.attendance import Attendance
from service.monitor.judging.judge import Judge
from service.monitor.judging.reporting import episode_counts, model_reports, topic_reports
from service.monitor.judging.windows_told import KeptWindows
from service.monitor.references.given import GivenReferences
from service.monitor.references.planning import plan_for
from service.publish.access import Access
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from service.publish.server import Server
from service.state.directory import DirectoryStore
from service.state.episode_record import EpisodeLog, NoEpisodeRecord
from service.state.store import Store
from service.values.reports import Report, ServiceReport

_SESSION_END_SECONDS = 5.0
"""After its session timeout a dead member is out of the group and its partitions are given anew."""


class Parts(Struct, frozen=True):
    """What differs between the service, the demo and a replay."""

    source: Source
    store: Store
    dead_letters: DeadLetters | NoDeadLetters
    given: GivenReferences
    clock: Clock
    rules: TimeRules
    sources: tuple[SourceSettings, ...]
    accept_lost_state: bool = False
    episode_record: EpisodeLog = NoEpisodeRecord()
    episode_options: str | None = None
    settings_text: str = ""
    reloading: Reloading | None = None
    registry_of: RegistryOf | None = None


class Service:
    """One process of role `all`: the loop, and what it publishes."""

    def __init__(self, settings: Settings, config_hash: str, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts
        self.board = Board()
        self.report: Report | None = None
        self.judge = Judge(
            watches(settings),
            parts.given,
            plan_for,
            parts.rules,
            settings.detection.idle_after,
            settings.limits.models,
            episodes=Episodes(episode_rules(settings, config_hash)),
            inherited=parts.given.inherited,
        )
        self.watchdog = Watchdog(parts.clock, settings.watchdog.after)
        self.loop = Loop(
            source=parts.source,
            decoder=self._decoder(),
            judge=self.judge,
            store=parts.store,
            dead_letters=parts.dead_letters,
            publish=self._publish,
            clock=parts.clock,
            rules=parts.rules,
            cadence=Cadence(
                flush_seconds=settings.web.flush, checkpoint_seconds=settings.state.every
            ),
            watchdog=self.watchdog,
            solitude=Solitude(parts.clock, settings.kafka.session_timeout + _SESSION_END_SECONDS),
            accept_lost_state=parts.accept_lost_state,
            episode_record=parts.episode_record,
            given=parts.given,
            process=Process(config_hash, parts.settings_text, version("anchorwatch")),
        )
        self._config_hash = config_hash
        self._started_seconds = parts.clock.now()
        self._access = Access(settings.web, parts.clock)
        self._exposition = Exposition(access=self._access)
        self._attendance = Attendance()
        self._kept = KeptWindows()

    def server(self, host: str, port: int) -> Server:
        """A server of this service's board; the caller starts and stops it."""
        page = StatusPage(self.parts.clock, _resident_bytes)
        return Server(self.board, self.alive, page, host=host, port=port, access=self._access)

    def alive(self) -> str | None:
        """Why the process is stuck, None while it is not."""
        return self.watchdog.complaint() or None

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set or there is nothing left to read; then everything is closed."""
        try:
            self.loop.run(stop)
        finally:
            self.parts.dead_letters.close()
            self.parts.source.close()
            self.parts.store.close()
            self.parts.episode_record.close()

    def _decoder(self) -> Router:
        pane_seconds = self.parts.rules.pane_seconds
        limits = self.settings.limits
        return Router(
            (source, Decoder(source, self.judge, limits, pane_seconds))
            for source in self.parts.sources
        )

    def _publish(self, loop: Loop) -> None:
        take_up(self.parts.reloading, lambda taken: self._follow(taken, loop))
        shards = loop.shards.values()
        count_by(self.judge, go_over(self.judge, shards), shards)
        self.report = self._make_report(loop)
        metrics, segments = self.settings.metrics, self.settings.segments
        page = self._exposition.render(self.report, metrics.detail, metrics.series, segments.series)
        self.board.publish(page, self.report)

    def _follow(self, taken: Taken, loop: Loop) -> None:
        parts = self.parts
        judge_by(taken, self.settings, self.judge, parts.given, parts.registry_of)
        record(taken, loop.watching)
        self.settings, self._config_hash = taken.settings, taken.config_hash

    def _make_report(self, loop: Loop) -> Report:
        now = self.parts.clock.now()
        # What a rebalance takes away for a moment still counts, or counters would go back.
        shards = accounted_for((shard for _, shard in sorted(loop.shards.items())), loop.left)
        read = models_of(shards, loop.left)
        models = model_reports(
            self.judge, shards, self.parts.rules.lateness_seconds, now, self._kept
        )
        read_through = read_through_seconds(shards, self._started_seconds)
        episodes = self.judge.episodes
        return Report(
            at_seconds=now,
            caught_up=loop.caught_up,
            models=models,
            topics=topic_reports(shards),
            partitions=partition_reports(loop, now),
            partitions_missing=partitions_missing(loop),
            service=self._service_report(loop),
            episodes=(*episodes.open, *reversed(episodes.ended)),
            episode_counts=episode_counts(episodes, models),
            whole_models=self._attendance.look(
                self.judge, [m for m in models if m.key in read], read_through, now
            ),
            read_through_seconds=read_through,
        )

    def _service_report(self, loop: Loop) -> ServiceReport:
        because = not_ready_because(loop)
        return ServiceReport(
            version=version("anchorwatch"),
            revision=os.environ.get("ANCHORWATCH_REVISION", "unknown"),
            config_hash=self._config_hash,
            started_seconds=self._started_seconds,
            ready=not because,
            not_ready_because=because,
            checkpoint_last_success_seconds=loop.checkpoints.last_success_seconds,
            checkpoint_bytes=self.parts.store.size_bytes,
            checkpoint_failures_total=loop.checkpoints.failures,
            checkpoint_fallbacks_total=loop.checkpoints.fallbacks,
            out_of_range_total=self.parts.source.out_of_range_total,
            dead_letters_total=self.parts.dead_letters.sent_total,
            dead_letters_failed_total=self.parts.dead_letters.failed_total,
            state_free_bytes=self.parts.store.free_bytes,
            state_size_bytes=self.parts.store.size_bytes,
            timings=loop.timings.report(),
            models_over_limit_total=self.judge.over_limit,
            episode_record_failures_total=loop.telling.failures + loop.watching.failures,
            absent_topics=loop.absent,
            reference_failures_total=loop.pickup.failures,
            warnings=warnings(loop),
            episode_options=self.parts.episode_options,
            external_url=self.settings.web.external_url or "",
            role=self.settings.role,
            checkpoint_counts=tuple(loop.checkpoints.took_counts),
            checkpoint_sum_seconds=loop.checkpoints.took_sum_seconds,
            config=None if self.parts.reloading is None else self.parts.reloading.report(),
        )


def service_of(
    settings: Settings,
    config_hash: str,
    *,
    accept_lost_state: bool = False,
    config_file: Path | None = None,
    settings_text: str = "",
    reloading: Reloading | None = None,
) -> Service | WorkerService | JudgeService:
    """The process that the settings' role asks for, on a real broker; as `kafka_service`."""
    _require_sources(settings)
    if settings.role == "all" and settings.state.store == "topic":
        raise ConfigurationError(
            "state.store is topic: there a fleet keeps its state. Say which part of it this "
            "process is, with --role worker or --role judge (or `role` in the configuration), or "
            "set state.store to directory for one process that does everything"
        )
    if settings.role == "worker":
        return worker_service(
            settings, config_hash, accept_lost_state=accept_lost_state, reloading=reloading
        )
    if settings.role == "judge":
        return judge_service(
            settings,
            config_hash,
            accept_lost_state=accept_lost_state,
            config_file=config_file,
            settings_text=settings_text,
            reloading=reloading,
        )
    return kafka_service(
        settings,
        config_hash,
        accept_lost_state=accept_lost_state,
        config_file=config_file,
        settings_text=settings_text,
        reloading=reloading,
    )


def kafka_service(
    settings: Settings,
    config_hash: str,
    *,
    accept_lost_state: bool = False,
    config_file: Path | None = None,
    settings_text: str = "",
    reloading: Reloading | None = None,
) -> Service:
    """The service on a real broker, with its state in a directory.

    `config_file` is where the settings are from, to be named in the commands that the page shows;
    `settings_text` is what they are, without secrets, for the record; `reloading` brings those that
    come later.
    Raises ConfigurationError for what the operator has to change.
    """
    sources = _require_sources(settings)
    clock = SystemClock()
    parameters = kafka_parameters(settings.kafka, sources, names_used(settings))
    registries = registry_of(settings)
    return Service(
        settings,
        config_hash,
        Parts(
            source=KafkaSource(parameters, clock),
            store=DirectoryStore(settings.state.path),
            dead_letters=_dead_letters(settings),
            given=given_references(settings, registry_of=registries),
            clock=clock,
            rules=time_rules(settings.detection),
            sources=sources,
            accept_lost_state=accept_lost_state,
            episode_record=episode_record(settings),
            episode_options=(
                "" if config_file is None else f" --config {shlex.quote(str(config_file))}"
            ),
            settings_text=settings_text,
            reloading=reloading,
            registry_of=registries,
        ),
    )


def _require_sources(settings: Settings) -> tuple[SourceSettings, ...]:
    sources = tuple(source for source in settings.sources if source.topics)
    if not sources:
        raise ConfigurationError(
            "no source with topics is configured: name at least one under `sources` in the file "
            "that --config names, for example {name: mine, topics: [ml.predictions]}; files are "
            "read by `anchorwatch replay`"
        )
    return sources


def _dead_letters(settings: Settings) -> DeadLetters | NoDeadLetters:
    topic = settings.kafka.dead_letters
    if topic is None:
        return NoDeadLetters()
    return DeadLetters(topic, kafka_connection(settings.kafka))


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
