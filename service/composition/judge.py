"""The judge put together: its parts, and what its page shows."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version

from msgspec import Struct, structs

from config.settings import Settings
from service.clock import Clock
from service.composition.front import Front, Identity
from service.composition.reload import RegistryOf, go_over, judge_by, record, take_up
from service.composition.wiring import episode_rules, time_rules, watches
from service.errors import RecoverableError
from service.loops.cadence import Cadence
from service.loops.judge import JudgeLoop
from service.loops.judge_snapshot import JudgeSnapshot, JudgeTopic
from service.loops.pane_stream import PaneStream
from service.loops.reloading import Reloading, Taken
from service.loops.vitals import Watchdog
from service.loops.waiting import CONNECTING, until_opened
from service.loops.watching import Process
from service.monitor.counting.accounted import models_of
from service.monitor.counting.images import Images
from service.monitor.counting.reading_through import read_through_seconds
from service.monitor.episodes.book import Episodes
from service.monitor.judging.attendance import Attendance
from service.monitor.judging.judge import Judge
from service.monitor.judging.reporting import episode_counts, model_reports, topic_reports
from service.monitor.judging.windows_told import KeptWindows
from service.monitor.references.given import GivenReferences
from service.monitor.references.planning import plan_for
from service.publish.server import Server
from service.registry.schedules import SchedulePublisher
from service.state.episode_record import EpisodeLog
from service.state.snapshot import decode
from service.values.keyed_log import KeyedLog
from service.values.records import Partition
from service.values.reports import ExchangeReport, PartitionReport, Report, ServiceReport

DELAY_SECONDS = 10.0
"""From a decision of the judge until workers count by it, beside what they hold back: what they
did not flush yet may be as much newer than what the judge knows.
"""


class JudgeShared(Struct, frozen=True):
    """What needs a broker to be opened."""

    panes: KeyedLog
    topic: JudgeTopic
    schedules: SchedulePublisher
    given: GivenReferences
    close: Callable[[], None]
    registry_of: RegistryOf | None = None


class JudgeParts(Struct, frozen=True):
    """What a judge is made of. `open_shared` and `inputs` raise RecoverableError while no broker
    answers.
    """

    open_shared: Callable[[], JudgeShared]
    inputs: Callable[[], frozenset[Partition]]
    episode_record: EpisodeLog
    clock: Clock
    episode_options: str | None = None
    settings_text: str = ""
    reloading: Reloading | None = None
    accept_lost_state: bool = False


class JudgeService:
    """One process of role `judge`."""

    def __init__(self, settings: Settings, config_hash: str, parts: JudgeParts) -> None:
        self.settings = settings
        self.parts = parts
        self.rules = time_rules(settings.detection)
        self.watchdog = Watchdog(parts.clock, settings.watchdog.after)
        self.front = Front(settings, parts.clock, self.watchdog)
        self.loop: JudgeLoop | None = None
        self._identity = Identity("judge", config_hash, parts.clock.now())
        self._attendance = Attendance()
        self._kept = KeptWindows()

    def server(self, host: str, port: int) -> Server:
        """A server of the judge's page; the caller starts and stops it."""
        return self.front.server(host, port)

    def alive(self) -> str | None:
        """Why the process is stuck, None while it is not."""
        return self.front.alive()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; then everything is closed."""
        shared: JudgeShared | None = None
        try:
            self._say(CONNECTING)
            shared = until_opened(self.parts.open_shared, stop, self._waits)
            if shared is not None:
                self.loop = self.make_loop(shared)
                self.loop.run(stop)
        finally:
            self.parts.episode_record.close()
            if self.loop is not None:
                self.loop.close()
            if shared is not None:
                shared.close()

    def make_loop(self, shared: JudgeShared) -> JudgeLoop:
        """The loop over what was opened."""
        settings, parts, idle_after = self.settings, self.parts, self.settings.detection.idle_after
        identity = self._identity
        cadence = Cadence(flush_seconds=settings.web.flush, checkpoint_seconds=settings.state.every)
        judge = Judge(
            watches(settings),
            shared.given,
            plan_for,
            self.rules,
            idle_after,
            settings.limits.models,
            episodes=Episodes(episode_rules(settings, identity.config_hash)),
            inherited=shared.given.inherited,
            published=shared.schedules.published,
            ahead_seconds=cadence.longest_checkpoint_seconds + DELAY_SECONDS,
        )
        images = Images(judge, decode, self.rules, idle_after)
        return JudgeLoop(
            panes=PaneStream(shared.panes, images),
            inputs=parts.inputs,
            judge=judge,
            images=images,
            snapshot=JudgeSnapshot(shared.topic, accept_lost_state=parts.accept_lost_state),
            schedules=shared.schedules,
            given=shared.given,
            episode_record=parts.episode_record,
            process=Process(identity.config_hash, parts.settings_text, version("anchorwatch")),
            publish=lambda loop: self._publish(loop, shared),
            clock=parts.clock,
            cadence=cadence,
            watchdog=self.watchdog,
        )

    def _publish(self, loop: JudgeLoop, shared: JudgeShared) -> None:
        take_up(self.parts.reloading, lambda taken: self._follow(taken, loop, shared))
        go_over(loop.judge, list(loop.images))
        self.front.publish(self._report(loop))

    def _follow(self, taken: Taken, loop: JudgeLoop, shared: JudgeShared) -> None:
        judge_by(taken, self.settings, loop.judge, shared.given, shared.registry_of)
        record(taken, loop.watching)
        self.settings = taken.settings
        self.front.follow(taken.settings)
        self._identity = structs.replace(self._identity, config_hash=taken.config_hash)

    def _waits(self, error: RecoverableError) -> None:
        self.watchdog.turned(0, None)
        self._say(str(error))

    def _say(self, why: str) -> None:
        """Show that it is not ready, and why."""
        self.front.publish(
            Report(
                at_seconds=self.parts.clock.now(),
                caught_up=False,
                models=(),
                topics=(),
                partitions=(),
                partitions_missing={},
                service=self._service_report(why),
            )
        )

    def _report(self, loop: JudgeLoop) -> Report:
        now = self.parts.clock.now()
        images, left = loop.images.accounted(), loop.images.left
        models = model_reports(loop.judge, images, self.rules.lateness_seconds, now, self._kept)
        read = models_of(images, left)
        read_through = read_through_seconds(images, self._identity.started_seconds)
        episodes = loop.judge.episodes
        return Report(
            at_seconds=now,
            caught_up=loop.caught_up,
            models=models,
            topics=topic_reports(images),
            partitions=tuple(_partitions(loop)),
            partitions_missing=_missing(loop),
            service=_with_loop(self._service_report(_not_ready_because(loop)), loop),
            episodes=(*episodes.open, *reversed(episodes.ended)),
            episode_counts=episode_counts(episodes, models),
            whole_models=self._attendance.look(
                loop.judge, [m for m in models if m.key in read], read_through, now
            ),
            read_through_seconds=read_through,
        )

    def _service_report(self, because: str) -> ServiceReport:
        identity = self._identity
        return ServiceReport(
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
            out_of_range_total=0,
            dead_letters_total=0,
            dead_letters_failed_total=0,
            state_free_bytes=None,
            state_size_bytes=None,
            episode_options=self.parts.episode_options,
            external_url=self.settings.web.external_url or "",
            role=identity.role,
            exchange=ExchangeReport(0, {}, 0),
            config=None if self.parts.reloading is None else self.parts.reloading.report(),
        )


def _with_loop(report: ServiceReport, loop: JudgeLoop) -> ServiceReport:
    checkpoints, panes = loop.checkpoints, loop.panes
    waits = [loop.obstacle] if report.ready and loop.obstacle else []
    return structs.replace(
        report,
        checkpoint_last_success_seconds=checkpoints.last_success_seconds,
        checkpoint_bytes=loop.snapshot.size_bytes,
        checkpoint_failures_total=checkpoints.failures,
        checkpoint_counts=tuple(checkpoints.took_counts),
        checkpoint_sum_seconds=checkpoints.took_sum_seconds,
        out_of_range_total=panes.gaps_total,
        timings=loop.timings.report(),
        models_over_limit_total=loop.judge.over_limit,
        episode_record_failures_total=loop.telling.failures + loop.watching.failures,
        reference_failures_total=loop.pickup.failures,
        warnings=(*waits, *_missing_words(loop), *loop.pickup.warnings),
        exchange=ExchangeReport(
            loop.images.tally.conflicts, dict(panes.refused_totals), panes.lost_total
        ),
    )


def _partitions(loop: JudgeLoop) -> Iterator[PartitionReport]:
    """Those of the topic of panes: how far behind the workers the judge is."""
    for number, at in sorted(loop.panes.positions.items()):
        end = loop.panes.ends.get(number)
        yield PartitionReport(
            partition=loop.panes.named(number),
            position=at,
            lag_records=0 if end is None else max(0, end - at),
            lag_seconds=0.0 if end is not None and at >= end else math.nan,
        )


def _missing(loop: JudgeLoop) -> dict[str, int]:
    missing = Counter(partition.topic for partition in loop.missing)
    return {topic: missing[topic] for topic in sorted({p.topic for p in loop.expected})}


def _missing_words(loop: JudgeLoop) -> tuple[str, ...]:
    return tuple(
        f"{count} of the partitions of {topic} have not been read for five minutes, and nothing "
        "waits for them: is there a worker for them, and a leader?"
        for topic, count in _missing(loop).items()
        if count
    )


def _not_ready_because(loop: JudgeLoop) -> str:
    if loop.caught_up:
        return ""
    if loop.obstacle:
        return loop.obstacle
    return f"reading what the panes held at the start, {loop.panes.lag:,} records are left"
