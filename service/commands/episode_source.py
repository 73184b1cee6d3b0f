"""The record of episodes, as commands read it."""

import difflib
from collections.abc import Mapping
from pathlib import Path

import click

from service.errors import ConfigurationError
from service.state.episode_history import EpisodeHistory, histories
from service.state.episode_record import read_record


def read_histories(directory: Path) -> Mapping[str, EpisodeHistory]:
    """Every episode in a record, by its name.

    Raises ConfigurationError when there is none, or it cannot be read.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"there is no record of episodes at {directory}: the first episode makes it. Name the "
            "configuration of the service by --config, or the directory by --record"
        )
    try:
        return histories(read_record(directory))
    except OSError as error:
        raise ConfigurationError(
            f"the record {directory} cannot be read: {error.strerror}. Run this as the user of the "
            "service"
        ) from error


def find_history(known: Mapping[str, EpisodeHistory], episode: str) -> EpisodeHistory:
    """One of them. Raises click.UsageError that names the nearest."""
    if episode in known:
        return known[episode]
    near = difflib.get_close_matches(episode, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else "anchorwatch episode list says which there are."
    raise click.UsageError(f"no episode {episode!r} is in the record. {hint}")
