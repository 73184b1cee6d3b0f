"""`anchorwatch check`: is the configuration sound?"""

import os
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import ConfigurationProblems
from config.loader import Loaded
from config.settings import Settings
from config.sources import TopicPattern
from config.units import format_duration
from service.clock import SystemClock
from service.commands import config_option
from service.commands.check_rates import Rates
from service.commands.check_sensitivity import rate_hints, sensitivity
from service.commands.soundness import soundness
from service.monitor.references.directory import ReferenceDirectory
from service.publish.words import several


def _rates(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> Rates:
    try:
        return Rates(("10/s", *texts))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("check", options_metavar="[--config FILE] [--rate RATE]...")
@config_option
@click.option(
    "--rate",
    "rates",
    metavar="RATE",
    multiple=True,
    default=("10/s",),
    show_default=True,
    callback=_rates,
    help="Events of a model: 10/s, 1/min, 200/d; of some models only: churn=1/min, 'credit-*=5/s'. "
    "Can be given more than once. How small a change is noticed how soon depends on it.",
)
def command(config_file: Path | None, *, rates: Rates) -> None:
    """Say whether the configuration is sound, without connecting anywhere.

    Reads the file, those of teams that it includes, and the references and the certificates that
    they name, compiles every mapping and
    builds every detector. Of every reference it says at which evidence detectors alarm, as the
    budget has it, and how small a change they notice after the first days. Exit code 0: sound,
    perhaps with hints. 78: every problem with its line.

    \b
    anchorwatch check --config anchorwatch.yaml
    anchorwatch check --config anchorwatch.yaml --rate 50/s --rate churn=1/min
    """  # noqa: D301 - click reads \b as its paragraph mark
    found = soundness(config_file, os.environ, SystemClock().now())
    if found.every_problem:
        raise ConfigurationProblems(found.every_problem)
    loaded = found.loaded()
    settings = loaded.settings
    console = Console()
    console.print(_verdict(config_file, loaded), markup=False, highlight=False, soft_wrap=True)
    console.print(_summary(settings))
    for line in sensitivity(found.judged, rates):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    hints = (*map(str, found.hints), *_hints(settings), *rate_hints(found.judged, rates))
    for hint in hints:
        console.print(f"Hint: {hint}", markup=False, highlight=False, soft_wrap=True)


def _verdict(config_file: Path | None, loaded: Loaded) -> str:
    if config_file is None:
        return (
            "No file was named with --config. The defaults and what the environment sets are sound:"
        )
    teams = loaded.included.teams
    if teams:
        files = several(len(teams), "file of a team", "files of teams")
        return f"{config_file} and {files} are sound:"
    return f"{config_file} is sound:"


def _summary(settings: Settings) -> Table:
    table = Table(show_header=False, box=None)
    detection = settings.detection
    lines = {
        "Broker": ", ".join(settings.kafka.bootstrap_servers),
        "Sources": "; ".join(f"{s.name} ({_places(s.topics, s.files)})" for s in settings.sources)
        or "none",
        "References": _references(settings),
        "Panes": f"{format_duration(detection.pane)}, windows {', '.join(detection.window_names)}",
        "Detectors": ", ".join(detector.name for detector in detection.detectors) or "none",
        "Budget": str(detection.false_alarm_budget.text()),
        "State": f"{_state(settings)}, every {format_duration(settings.state.every)}",
        "Page": settings.web.listen,
    }
    for name, value in lines.items():
        table.add_row(name, Text(value))  # as it is: brackets in a pattern are no markup
    return table


def _places(topics: TopicPattern | tuple[str, ...] | None, files: tuple[str, ...] | None) -> str:
    if isinstance(topics, TopicPattern):
        return f"topics like {topics.pattern}"
    return ", ".join(topics or files or ())


def _state(settings: Settings) -> str:
    in_topic = settings.state.store == "topic"
    return f"topic {settings.state.topics.state}" if in_topic else str(settings.state.path)


def _references(settings: Settings) -> str:
    told = [f"those in topic {topic}" for topic in sorted(settings.reference_topics)]
    default = settings.reference.directory
    named = [*([] if default is None else [default]), *settings.reference_directories.values()]
    for directory in dict.fromkeys(named):
        if not directory.is_dir():
            told.append(f"none: {directory} is not there")
            continue
        found = [f"{r.model} {r.version or '(any version)'}" for r in ReferenceDirectory(directory)]
        told.append(f"{', '.join(found) or 'none'} in {directory}")
    return "; ".join(told)


def _hints(settings: Settings) -> list[str]:
    hints = []
    if not any(source.topics for source in settings.sources):
        hints.append(
            "no source has topics: `run` has nothing to read until one is named in `sources`."
        )
    if settings.state.store == "topic" and settings.role == "all":
        hints.append("state.store is topic: start each process with --role worker or --role judge.")
    hints += _unwritable(settings)
    learn = settings.reference.learn
    directory = settings.reference.directory
    if directory is not None and not directory.is_dir() and not learn.at_least:
        hints.append(
            f"models will learn what is normal from their first {learn.events:,} events, whatever "
            "these are: set reference.learn.at_least to 24h or more, or build references."
        )
    return hints


def _unwritable(settings: Settings) -> list[str]:
    parent = settings.state.path
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if settings.state.store == "topic" or os.access(parent, os.W_OK):
        return []
    return [f"{settings.state.path} cannot be written by this user; `run` will need it."]
