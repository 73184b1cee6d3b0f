"""Runs a replay: from what was asked for to what was found, with a bar for who waits."""

import hashlib
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct, structs
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from config.loader import Loaded
from config.settings import Settings
from config.show import show
from config.sources import SourceSettings
from service.backtest.assembly import Asked, backtest_of
from service.backtest.changes import changes_of
from service.backtest.recall import Witness
from service.backtest.recorder import Recorder
from service.clock import SystemClock
from service.commands.columns import fits
from service.commands.partly_watched import partly_watched
from service.commands.replay_episode import Question, require_events
from service.commands.replay_topics import Recording, gaps, what_was_read
from service.commands.replay_warnings import Material, notes, warnings
from service.commands.unused_order import unused_order
from service.composition.registry_access import published_references
from service.composition.wiring import episode_rules, given_references, time_rules, watches
from service.ingest.arrival import InOrderOfArrival
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.loops.replay import Replay
from service.monitor.counting.panes import Pane
from service.monitor.episodes.book import Episodes
from service.monitor.judging.comparison import Transition
from service.monitor.judging.judge import Judge, Judged
from service.monitor.judging.model_judge import ModelJudge
from service.monitor.judging.origins import GivenReference, InheritedReference
from service.monitor.references.planning import plan_for, watched_part
from service.values.backtests import Backtest, InputFile, Origin, Outcome, Reconsidered, TopicRange
from service.values.references import Reference
from service.values.watches import FeatureWatch

PACKAGES = ("anchorwatch", "numpy", "pyarrow", "river")


class Task(Struct, frozen=True):
    """What to replay: `files` as `source` says, or topics, where `source` is a recording. `further`
    are files that it depends on beside the recorded ones; `command` is what to type to do it again.
    """

    files: tuple[str, ...]
    source: SourceSettings | Recording
    material: Material
    further: tuple[Path, ...]
    asked: Asked
    command: str
    question: Question = Question()


def run(task: Task, loaded: Loaded) -> Backtest:
    """Replay it all, and judge the panes again as often as was asked for.

    Raises ConfigurationError when an episode is asked about of which the files hold nothing.
    """
    settings, question = loaded.settings, task.question
    references = [one.reference for one in task.material.references]
    recorder = Recorder(settings.detection.pane, keep_panes=task.asked.what_if)
    witness = None if question.episode is None else question.episode.witness(settings)

    def judged(model: ModelJudge, pane: Pane, changed: list[Transition]) -> None:
        recorder.record(model, pane, changed)
        if witness is not None:
            witness.record(model, pane)

    with closing(recorder):
        read = _replayed(task, loaded, judged, "replaying")
        outcome = read.outcome
        reconsidered = _reconsidered(task, loaded, outcome, witness)
        with _bar("judging again") as progress:
            backtest = backtest_of(
                outcome,
                recorder,
                watches(settings)("").budget,
                _tolerances(settings, outcome),
                task.asked,
                _origin(task, loaded, read),
                progress,
            )
    return structs.replace(
        backtest,
        warnings=(
            *warnings(outcome, task.material, partly_watched(settings, references), settings),
            *unused_order(settings, references),
            *gaps(read.ranges),
        ),
        notes=(*notes(task.material, settings), *what_was_read(read.ranges)),
        reconsidered=reconsidered,
    )


class _Read(Struct, frozen=True):
    """What the judge made of it, and the files or the ranges of topics that were read."""

    outcome: Outcome
    paths: Sequence[Path] = ()
    ranges: Sequence[TopicRange] = ()


def _replayed(task: Task, loaded: Loaded, judged: Judged, words: str) -> _Read:
    """What the judge made of it under these settings."""
    settings = loaded.settings
    rules = time_rules(settings.detection, use_host_clock=False)
    given, inherited = _given(task, settings)
    judge = Judge(
        watches(settings),
        given,
        plan_for,
        rules,
        settings.detection.idle_after,
        settings.limits.models,
        judged=judged,
        episodes=Episodes(episode_rules(settings, loaded.hash)),
        inherited=inherited,
    )
    now = SystemClock().now()
    if isinstance(task.source, Recording):
        router = task.source.decoder(judge, settings)
        with (
            _bar(words, MofNCompleteColumn(), TextColumn("records")) as progress,
            closing(task.source.open(progress)) as topics,
        ):
            ordered = InOrderOfArrival(topics, now + rules.future_seconds)
            outcome = Replay(ordered, router, judge, rules, now, in_turn=False).run()
        return _Read(outcome, ranges=topics.ranges)
    decoder = Decoder(task.source, judge, settings.limits, rules.pane_seconds)
    with _bar(words, DownloadColumn()) as progress:
        reader = FilesSource(FilesParameters(task.files), progress)
        outcome = Replay(reader, decoder, judge, rules, now).run()
    return _Read(outcome, sorted(Path(partition.topic) for partition in reader.partitions()))


def _reconsidered(
    task: Task, loaded: Loaded, outcome: Outcome, witness: Witness | None
) -> Reconsidered | None:
    """What was asked of an episode or of other settings, which takes a replay without these."""
    configured = task.question.configured
    if witness is None and configured is None:
        return None
    if witness is not None:
        require_events(witness)
    before = None
    if configured is not None:
        plain = _replayed(task, configured, lambda *_: None, "replaying as configured")
        before = plain.outcome.episodes
    config_hash = (configured or loaded).hash
    return Reconsidered(
        settings=task.question.settings,
        answer=(None if witness is None else witness.answer(outcome.episodes, before, config_hash)),
        changes=None if before is None else changes_of(before, outcome.episodes),
    )


def _given(task: Task, settings: Settings) -> tuple[GivenReference, InheritedReference]:
    """The reference of a model version, given or inherited, without what is left out for this
    replay alone.
    """
    watch_for = watches(settings)
    by_hand = [one.reference for one in task.material.references]
    find = given_references(settings, by_hand, partial(published_references, settings))

    def ignored(name: str) -> FeatureWatch:
        return FeatureWatch(ignore=any(fits(name, glob) for glob in task.material.ignore))

    def without(found: Reference | None) -> Reference | None:
        if found is None or not task.material.ignore:
            return found
        return watched_part(found, structs.replace(watch_for(found.model), feature=ignored))

    return (
        lambda key: without(find(key)),
        lambda key, in_force: without(find.inherited(key, in_force)),
    )


@contextmanager
def _bar(words: str, *columns: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, for a terminal only. It is drawn as it is told and by no thread of
    its own, which a process that is forked would not have.
    """
    with Progress(
        TextColumn(words),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total, refresh=True)


def _tolerances(settings: Settings, outcome: Outcome) -> tuple[float, ...]:
    """Those of the models that had events; the common one without any."""
    watch_for = watches(settings)
    names = {model.key.model for model in outcome.models} or {""}
    return tuple(watch_for(name).tolerance_sd for name in sorted(names))


def _origin(task: Task, loaded: Loaded, read: _Read) -> Origin:
    return Origin(
        command=task.command,
        versions={name: version(name) for name in PACKAGES} | {"Python": platform.python_version()},
        config_hash=loaded.hash,
        config_text=show(loaded),
        files=tuple(_input_file(path) for path in (*read.paths, *task.further)),
        topics=tuple(read.ranges),
    )


def _input_file(path: Path) -> InputFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return InputFile(str(path), path.stat().st_size, digest)
