"""The judge on one screen: follow the panes, put them together, judge, write down, publish."""

import threading
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

import structlog

from service.clock import Clock
from service.errors import RecoverableError, StateCorrupt, StateLost
from service.loops.cadence import Cadence
from service.loops.journal import Journal
from service.loops.judge_snapshot import JudgeSnapshot, JudgeState
from service.loops.pane_stream import PaneStream
from service.loops.pickup import Given, Pickup
from service.loops.telling import Telling
from service.loops.vitals import CatchingUp, Checkpoints, Timings, Watchdog
from service.loops.watching import Process, Watching
from service.monitor.counting.image_blobs import restore_images
from service.monitor.counting.images import Images
from service.monitor.judging.judge import Judge
from service.monitor.references.in_force import References
from service.state.episode_record import EpisodeLog
from service.state.snapshot import decode, encode_part
from service.values.records import Partition
from service.values.streams import ModelKey

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2.0
FORGOTTEN_EVERY_SECONDS = 60.0
"""How often it is said again what was forgotten, as long as a worker has not heard of it."""

INPUTS_EVERY_SECONDS = 15.0
"""How often the brokers are asked which partitions there are to be read."""

_NOTHING_LEFT = (
    "the state topic has nothing of the judge, though a judge has published schedules: to begin "
    "anew would forget what it knew. Was the topic deleted, or the name under state.topics.state "
    "changed? Bring it back"
)


class Schedules(Protocol):
    """Where workers hear by which references they are to count."""

    def publish(self, decided: Mapping[ModelKey, References]) -> int:
        """Publish what has changed. Raises RecoverableError."""
        ...

    def known(self) -> AbstractSet[ModelKey]:
        """Of which versions something is published."""
        ...

    def forget(self, keys: Iterable[ModelKey]) -> None:
        """Take back what was published, and say so to whoever has not heard. Raises
        RecoverableError.
        """
        ...


class JudgeLoop:
    """One process: it knows all partitions by what workers tell of them, and reads none itself.

    Positions in the topic of panes and everything that came out of it are one snapshot. What was
    not in it is read again after a crash.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every part by name
        self,
        *,
        panes: PaneStream,
        inputs: Callable[[], frozenset[Partition]],
        judge: Judge,
        images: Images,
        snapshot: JudgeSnapshot,
        schedules: Schedules,
        given: Given,
        episode_record: EpisodeLog,
        process: Process,
        publish: Callable[["JudgeLoop"], None],
        clock: Clock,
        cadence: Cadence,
        watchdog: Watchdog,
    ) -> None:
        self.panes = panes
        self.judge = judge
        self.images = images
        self.clock = clock
        self.timings = Timings(clock)
        self.journal = Journal()
        self.checkpoints = Checkpoints()
        self.telling = Telling(judge.episodes, episode_record, clock)
        self.pickup = Pickup(given, judge, clock)
        self.watching = Watching(judge, episode_record, clock, process)
        self.snapshot = snapshot
        self.missing: frozenset[Partition] = frozenset()
        self.expected: frozenset[Partition] = frozenset()
        self._found: frozenset[Partition] = frozenset()
        self.obstacle = "connecting"
        self._inputs = inputs
        self._schedules = schedules
        self._publish = publish
        self._cadence = cadence
        self._watchdog = watchdog
        self._forgotten: set[ModelKey] = set()
        self._catching_up = CatchingUp()
        self._catching_up.needed = True
        self._changed = False
        now = clock.monotonic()
        self._next_flush = self._next_checkpoint = self._next_judge = self._next_inputs = now
        self._next_forgotten = now
        self._looked = now

    @property
    def caught_up(self) -> bool:
        """False from the start until all was read that the panes held at the start."""
        return self._catching_up.over

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; leaves a snapshot behind. Raises NotAlone when another begins."""
        while not stop.is_set():
            try:
                self.turn()
            except RecoverableError as error:
                self._wait(error, stop)
        try:
            if self.panes.is_open:
                self.checkpoint(stops=True)
        finally:
            self.telling.log()
            self._publish(self)

    def close(self) -> None:
        """Read no more."""
        self.panes.close()
        self.snapshot.close()

    def turn(self) -> None:
        """One round of the loop. Raises RecoverableError while nobody answers."""
        if not self.panes.is_open:
            self._start()
        with self.timings.step("poll"):
            taken = self.panes.read(self._cadence.poll_seconds, self.clock.monotonic())
        self.obstacle = ""
        now = self.clock.monotonic()
        if taken and now >= self._next_judge:
            self._judge()
        if now >= self._next_flush:
            self._next_flush = now + self._cadence.flush_seconds
            self.flush()
            self._next_flush = now + self._cadence.until_flush(self.clock.monotonic() - now)
        if now >= self._next_checkpoint:
            self.checkpoint()
        self._watchdog.turned(taken, self.panes.lag)

    def flush(self) -> None:
        """Judge what is closed and publish what is known. Raises RecoverableError, NotAlone."""
        self.snapshot.look()
        self._look_at_inputs()
        self._look_for_the_end()
        self._judge()
        now = self.clock.now()
        self.judge.note_unknown(self.images.unknown_features())
        gone = self.judge.forget(self.images, now)
        self.journal.forgotten(gone)
        self._forgotten |= set(gone)
        self._changed |= self.pickup.look(self.images)
        self.telling.hear()
        if self._changed or self.telling.is_due:
            # A change that was seen must not be unseen by a crash: state first, then the page.
            self._changed = False
            self.checkpoint()
            self.telling.log()
        self._tell_workers()
        self.journal.look(self.judge.models)
        self.journal.ready(is_ready=self.caught_up)
        with self.timings.step("publish"):
            self._publish(self)

    def checkpoint(self, *, stops: bool = False) -> None:
        """Write all state with its positions; a failure is counted and tried again."""
        begun = self.clock.monotonic()
        self._next_checkpoint = begun + self._cadence.checkpoint_seconds
        with self.timings.step("checkpoint"):
            try:
                self.snapshot.save(self.state(), self.images, self.panes.positions)
            except RecoverableError as error:
                self.checkpoints.failures += 1
                log.error("checkpoint_failed", error=str(error))  # noqa: TRY400 - the message says it
                return
        self.checkpoints.written(self.clock.now(), self.clock.monotonic() - begun)
        self.telling.saved()
        self.watching.saved(self.images, stops=stops)

    def state(self) -> dict[str, Any]:
        """Everything but the images, as a tree for a snapshot."""
        return {
            "judge": self.judge.state(encode_part),
            "panes": self.panes.state(),
            "episode_record": self.telling.state(),
            "watching": self.watching.state(),
        }

    def _start(self) -> None:
        """Take up the last snapshot, if there is one, and go on behind it."""
        kept = self._kept()
        self.panes.start(None if kept is None else kept.tree["panes"])
        if kept is not None:
            self.judge.restore(kept.tree["judge"], self.images.newest_seconds())
            self.telling.restore(kept.tree["episode_record"])
            self.watching.restore(kept.tree["watching"])
            self.journal.restored(self.judge.models, len(self.images.by_partition))
        self._found = frozenset(self.images.by_partition)
        self.checkpoint()

    def _kept(self) -> JudgeState | None:
        """The last snapshot, with its images taken up; None where there is none, or it is lost and
        was given up. A schedule is published only after a snapshot was written.
        """
        kept = self.snapshot.open()
        self.images.clear()
        if kept is None:
            if self._schedules.known():
                self.snapshot.give_up(StateLost(_NOTHING_LEFT))
            return None
        try:
            restore_images(self.images, kept.images, decode)
        except StateCorrupt as error:
            self.snapshot.give_up(error)
            self.images.clear()
            return None
        return kept

    def _judge(self) -> None:
        with self.timings.step("judge"):
            transitions = self.judge.advance(self.images, self.clock.now())
        self._next_judge = self.clock.monotonic() + self._cadence.backlog_judge_seconds
        self._changed |= bool(transitions)
        self.panes.keep_together()

    def _look_at_inputs(self) -> None:
        now = self.clock.monotonic()
        if now < self._next_inputs:
            return
        self._next_inputs = now + INPUTS_EVERY_SECONDS
        with self.timings.step("inputs"):
            found = self._inputs()
        # A broker that has only just started may not know of a topic: gone is what is missed twice.
        self.expected, self._found = found | self._found, found

    def _look_for_the_end(self) -> None:
        """By the ends of the look before, since panes come all the time."""
        now = self.clock.monotonic()
        self.missing = self.images.missing(
            now,
            self.expected,
            at_the_end=self.panes.at_the_end,
            ends_age_seconds=now - self._looked,
        )
        self.panes.look()
        self._looked = now
        positions = {self.panes.named(n): at for n, at in self.panes.positions.items()}
        ends = {self.panes.named(n): end for n, end in self.panes.ends.items()}
        self._catching_up.look(frozenset(positions), positions, ends)

    def _tell_workers(self) -> None:
        """What is decided is in a snapshot by then, but for what was only just admitted."""
        decided = {key: model.references for key, model in self.judge.models.items()}
        with self.timings.step("schedules"):
            self._look_for_forgotten()
            self._schedules.forget(self._forgotten - decided.keys())
            self._forgotten.clear()
            self._schedules.publish(decided)

    def _look_for_forgotten(self) -> None:
        """Some worker may have missed the word, and a judge before may have died before it said it:
        so nothing is known here of what it had published, though all workers have told.
        """
        now = self.clock.monotonic()
        if now < self._next_forgotten or not (self.caught_up and self.panes.at_the_end):
            return
        self._next_forgotten = now + FORGOTTEN_EVERY_SECONDS
        self._forgotten |= self.images.unheard()
        if not self.missing and self.images.all_told(self.expected):
            self._forgotten |= self._schedules.known()

    def _wait(self, error: RecoverableError, stop: threading.Event) -> None:
        """The page stays as it is, and says why."""
        if self.obstacle != str(error):
            log.warning("unreachable", reason=str(error))
        self.obstacle = str(error)
        self._publish(self)
        self._watchdog.turned(0, None)
        stop.wait(RETRY_SECONDS)
