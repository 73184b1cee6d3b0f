"""The members of a fleet on a real broker: which concrete parts a worker and a judge have."""

import shlex
from pathlib import Path

from config.settings import Settings
from service.clock import SystemClock
from service.composition.closing import closed_on_error
from service.composition.fleet_access import TopicIds, input_partitions, open_fleet
from service.composition.judge import JudgeParts, JudgeService, JudgeShared
from service.composition.record import episode_record
from service.composition.registry_access import registry_of
from service.composition.topics_used import names_used
from service.composition.wiring import (
    exchange_references,
    given_references,
    kafka_connection,
    kafka_parameters,
    watches,
)
from service.composition.worker import SharedParts, WorkerParts, WorkerService
from service.ingest.kafka.dead_letters import DeadLetters, NoDeadLetters
from service.ingest.kafka.source import KafkaSource
from service.loops.judge_snapshot import JudgeTopic
from service.loops.reloading import Reloading
from service.loops.worker_shards import FleetTopics
from service.monitor.references.planning import plan_for
from service.registry.schedule_book import ScheduleBook
from service.registry.schedules import SchedulePublisher


def worker_service(
    settings: Settings,
    config_hash: str,
    *,
    accept_lost_state: bool = False,
    reloading: Reloading | None = None,
) -> WorkerService:
    """A worker. Raises ConfigurationError for what the operator has to change."""
    clock = SystemClock()
    sources = tuple(source for source in settings.sources if source.topics)
    parameters = kafka_parameters(settings.kafka, sources, names_used(settings), shares_group=True)
    dead_letters = settings.kafka.dead_letters

    def open_shared() -> SharedParts:
        fleet = open_fleet(settings)
        registries = registry_of(settings)
        with closed_on_error(fleet):
            given = given_references(settings, registry_of=registries)
        book = ScheduleBook(
            fleet.schedules, given, watches(settings), plan_for, settings.limits.models
        )

        def follow(changed: Settings) -> None:
            exchange_references(given, changed, registries)
            book.watch_as(watches(changed))

        return SharedParts(
            topics=FleetTopics(
                fleet.store,
                fleet.state.partition_count,
                fleet.panes,
                TopicIds(parameters.connection, clock),
            ),
            schedules=book,
            close=fleet.close,
            follow=follow,
        )

    return WorkerService(
        settings,
        config_hash,
        WorkerParts(
            source=KafkaSource(parameters, clock),
            dead_letters=(
                NoDeadLetters()
                if dead_letters is None
                else DeadLetters(dead_letters, kafka_connection(settings.kafka))
            ),
            open_shared=open_shared,
            clock=clock,
            sources=sources,
            accept_lost_state=accept_lost_state,
            reloading=reloading,
        ),
    )


def judge_service(
    settings: Settings,
    config_hash: str,
    *,
    accept_lost_state: bool = False,
    config_file: Path | None = None,
    settings_text: str = "",
    reloading: Reloading | None = None,
) -> JudgeService:
    """The judge. `settings_text` is what the settings are, without secrets, for the record.

    Raises ConfigurationError for what the operator has to change.
    """

    def open_shared() -> JudgeShared:
        fleet = open_fleet(settings)
        registries = registry_of(settings)
        with closed_on_error(fleet):
            given = given_references(settings, registry_of=registries)
        return JudgeShared(
            panes=fleet.panes,
            topic=JudgeTopic(fleet.store, fleet.state, lambda: fleet.panes.topic_id),
            schedules=SchedulePublisher(fleet.schedules),
            given=given,
            close=fleet.close,
            registry_of=registries,
        )

    return JudgeService(
        settings,
        config_hash,
        JudgeParts(
            open_shared=open_shared,
            inputs=input_partitions(settings),
            episode_record=episode_record(settings),
            clock=SystemClock(),
            episode_options=(
                "" if config_file is None else f" --config {shlex.quote(str(config_file))}"
            ),
            settings_text=settings_text,
            reloading=reloading,
            accept_lost_state=accept_lost_state,
        ),
    )
