"""`anchorwatch reference accept`: what was seen lately becomes what is normal."""

import difflib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from config.settings import Settings
from service.clock import SystemClock
from service.commands import config_option, load_settings
from service.commands.acceptance_place import HASH_DIGITS, Place, find_place, put
from service.commands.acceptance_source import Drifted, kept_model, read_state
from service.commands.acceptance_view import change_table, moment, warnings
from service.commands.columns import version_option
from service.commands.episode_source import open_record
from service.commands.moments import parse_moment
from service.composition.wiring import watches
from service.errors import ConfigurationError
from service.monitor.references.acceptance import (
    ROWS_MIN,
    Accepted,
    Decision,
    accept,
    named_streams,
    with_derived,
)
from service.monitor.references.kept import Kept, Seen, model_versions
from service.values.streams import ModelKey, StreamKey


@click.command("accept", short_help="Make a real change the new normal.")
@config_option
@click.option("--model", help="The model's name.  [default: that of the episode]")
@version_option(default=None, help="Its version.  [default: the only one that is watched]")
@click.option(
    "--feature",
    "features",
    multiple=True,
    help="A feature, prediction or latency; may be repeated.",
)
@click.option("--since", help="When it became normal: 2h (ago), 10:20 or 2026-11-23T10:20 (UTC).")
@click.option("--episode", help="In place of --since: the onset, and its streams, of an episode.")
@click.option("--by", required=True, help="Who accepts it.")
@click.option("--why", required=True, help="The reason, for those who come later.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: into the model's directory or topic of references]",
)
def command(  # noqa: PLR0913, PLR0917 (an argument an option)
    config_file: Path | None,
    model: str | None,
    version: str | None,
    features: tuple[str, ...],
    since: str | None,
    episode: str | None,
    by: str,
    why: str,
    output: Path | None,
) -> None:
    """Replace streams of a reference by what was seen of them since a change that is real.

    All other streams stay as they are, so the next change is seen. What was seen is read from the
    state of the service, which may go on running. Without --feature it is about every stream of the
    episode, or of the model.

    \b
    anchorwatch reference accept --episode credit-risk-20261123-1020 \\
        --by a.name --why "incomes are reported monthly now"
    anchorwatch reference accept --model credit-risk --feature income --since 10:20 \\
        --by a.name --why "new market"
    """  # noqa: D301 - click reads \b as its paragraph mark
    _require_one_time(since, episode)
    if not (by.strip() and why.strip()):
        raise click.UsageError("--by and --why must say something: both are kept with it")
    settings = load_settings(config_file).settings
    now = SystemClock().now()
    tree = read_state(settings)
    of = None if episode is None else _drifted(settings, episode)
    key, versions = _model_version(tree, model, version, of)
    kept = kept_model(tree, key, settings.detection.pane)
    streams = _streams(kept, features, of)
    start = of.onset_seconds(streams) if of else parse_moment(since or "", now, "--since")
    seen = _seen(kept, start, of)
    place = find_place(settings, kept, output, narrow=version is not None or versions > 1)
    watch = watches(settings)(key.model)
    decision = Decision(place.version, by, why, now, episode or "")
    accepted = accept(
        place.base,
        kept,
        seen,
        with_derived(kept.reference, streams),
        decision,
        rows_min=min(ROWS_MIN, watch.learn_events),
        categories_max=watch.categories_max,
    )
    put(settings, accepted.reference, place, decision)
    _tell(accepted, seen, start, place)


def _drifted(settings: Settings, episode: str) -> Drifted:
    with open_record(settings) as record:
        return Drifted.find(record, episode)


def _require_one_time(since: str | None, episode: str | None) -> None:
    if since is None and episode is None:
        raise click.UsageError("say when it became normal: by --since, or by --episode")
    if since is not None and episode is not None:
        raise click.UsageError(
            "--since and --episode both say when it became normal: with --episode it is the onset "
            "of what drifts. From another time on, give --model, --feature and --since in place "
            "of --episode"
        )


def _model_version(
    tree: Mapping[str, Any], model: str | None, version: str | None, of: Drifted | None
) -> tuple[ModelKey, int]:
    """The model version in the state, and how many there are of this model.

    Raises click.UsageError naming the nearest, or all.
    """
    if of is not None:
        if (model or of.key.model, version or of.key.version) != of.key:
            raise click.UsageError(
                f"{of.name} is about {of.key.model} version {of.key.version}: leave --model and "
                "--model-version out"
            )
        model, version = of.key
    if model is None:
        raise click.UsageError("say which model: by --model, or by --episode")
    known = model_versions(tree)
    models = sorted({key.model for key in known})
    if model not in models:
        raise click.UsageError(f"the state knows no model {model!r}; {_nearest(model, models)}")
    versions = [key.version for key in known if key.model == model]
    if version is None and len(versions) > 1:
        raise click.UsageError(
            f"{model} has the versions {', '.join(versions)}: name one by --model-version"
        )
    wanted = versions[0] if version is None else version
    if wanted not in versions:
        raise click.UsageError(
            f"the state knows no version {wanted!r} of {model}; {_nearest(wanted, versions)}"
        )
    return ModelKey(model, wanted), len(versions)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(known[:20])}" if known else "there is none yet"


def _streams(kept: Kept, features: Sequence[str], of: Drifted | None) -> tuple[StreamKey, ...]:
    if features:
        return named_streams(kept.reference, features)
    every = tuple(stream.key for stream in kept.reference.streams)
    if of is None:
        return every
    drifting = of.streams()
    return tuple(key for key in every if key in drifting)


def _seen(kept: Kept, start: float, of: Drifted | None) -> Seen:
    name = kept.key.model
    if not math.isfinite(kept.from_seconds):
        raise ConfigurationError(f"nothing that was seen of {name} is kept yet: try again later")
    if start < kept.from_seconds:
        since, when = "--since", moment(start)
        if of is not None:
            since = "--model, --feature and --since in place of --episode"
            when = f"the onset of {of.name}, {when},"
        raise ConfigurationError(
            f"what was seen of {name} is kept since {moment(kept.from_seconds)} only, and {when} "
            f"was before: accept from a later time on by {since}, or build a reference from data "
            "by anchorwatch reference build"
        )
    if start >= kept.until_seconds:
        raise ConfigurationError(
            f"nothing was seen of {name} since {moment(start)}: the last that is kept is of "
            f"{moment(kept.until_seconds)}. Accept from an earlier time on"
        )
    return kept.since(start)


def _tell(accepted: Accepted, seen: Seen, start: float, place: Place) -> None:
    reference = accepted.reference
    Console(width=None if os.isatty(1) else 120).print(change_table(accepted, seen))
    for warning in warnings(accepted, seen, start):
        click.echo(f"warning: {warning}", err=True)
    if place.old is not None:
        click.echo(f"{place.old}: what was normal before", err=True)
    click.echo(
        f"{place.name}: reference {reference.hash[:HASH_DIGITS]}\n"
        "A running service that looks there takes it up within seconds. It judges by the new one "
        "from the next pane on that no event has touched.",
        err=True,
    )
