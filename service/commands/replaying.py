"""Runs a replay: from what was asked for to what was found, with a bar for who waits."""

import hashlib
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct, structs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from config.loader import Loaded
from config.settings import Settings
from config.show import show
from config.sources import SourceSettings
from service.backtest.assembly import Asked, backtest_of
from service.backtest.recorder import Recorder
from service.clock import SystemClock
from service.commands.columns import fits
from service.commands.partly_watched import partly_watched
from service.commands.replay_warnings import Material, notes, warnings
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.monitor.episodes.book import Episodes
from service.monitor.judging.judge import GivenReference, Judge
from service.monitor.references.planning import plan_for, watched_part
from service.replay import Replay
from service.values.backtests import Backtest, InputFile, Origin, Outcome
from service.values.references import Reference
from service.values.streams import ModelKey
from service.values.watches import FeatureWatch
from service.wiring import episode_rules, given_references, time_rules, watches

PACKAGES = ("anchorwatch", "numpy", "pyarrow", "river")


class Task(Struct, frozen=True):
    """What to replay. `further` are files that it depends on beside the recorded ones; `command` is
    what to type to do it again.
    """

    files: tuple[str, ...]
    source: SourceSettings
    material: Material
    further: tuple[Path, ...]
    asked: Asked
    command: str


def run(task: Task, loaded: Loaded) -> Backtest:
    """Replay it all, and judge the panes again as often as was asked for."""
    settings = loaded.settings
    references = [one.reference for one in task.material.references]
    rules = time_rules(settings.detection, use_host_clock=False)
    recorder = Recorder(rules.pane_seconds, keep_panes=task.asked.what_if)
    judge = Judge(
        watches(settings),
        _given(task, settings),
        plan_for,
        rules,
        settings.detection.idle_after,
        settings.limits.models,
        judged=recorder.record,
        episodes=Episodes(episode_rules(settings, loaded.hash)),
    )
    decoder = Decoder(task.source, judge, settings.limits, rules.pane_seconds)
    with closing(recorder):
        with _bar("replaying", DownloadColumn()) as progress:
            reader = FilesSource(FilesParameters(task.files), progress)
            outcome = Replay(reader, decoder, judge, rules, SystemClock().now()).run()
        paths = sorted(Path(partition.topic) for partition in reader.partitions())
        with _bar("judging again") as progress:
            backtest = backtest_of(
                outcome,
                recorder,
                watches(settings)("").budget,
                _tolerances(settings, outcome),
                task.asked,
                _origin(task, loaded, (*paths, *task.further)),
                progress,
            )
    return structs.replace(
        backtest,
        warnings=warnings(outcome, task.material, partly_watched(settings, references), settings),
        notes=notes(task.material, settings),
    )


def _given(task: Task, settings: Settings) -> GivenReference:
    """The reference of a model version, without what is left out for this replay alone."""
    watch_for = watches(settings)
    find = given_references(settings, [one.reference for one in task.material.references])

    def ignored(name: str) -> FeatureWatch:
        return FeatureWatch(ignore=any(fits(name, glob) for glob in task.material.ignore))

    def without(key: ModelKey) -> Reference | None:
        found = find(key)
        if found is None or not task.material.ignore:
            return found
        return watched_part(found, structs.replace(watch_for(key.model), feature=ignored))

    return without


@contextmanager
def _bar(words: str, *columns: DownloadColumn) -> Iterator[Callable[[int, int], None]]:
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


def _origin(task: Task, loaded: Loaded, files: Iterable[Path]) -> Origin:
    return Origin(
        command=task.command,
        versions={name: version(name) for name in PACKAGES} | {"Python": platform.python_version()},
        config_hash=loaded.hash,
        config_text=show(loaded),
        files=tuple(_input_file(path) for path in files),
    )


def _input_file(path: Path) -> InputFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return InputFile(str(path), path.stat().st_size, digest)
