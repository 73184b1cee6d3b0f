"""The files of teams as they were last in force, so that a restart knows them while one is broken.

One JSON file in the state directory: the text of each by its path. It is replaced whole, so that a
crash leaves the old one or the new one.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from config.team_files import TeamFile, read_team_file

FILE = "accepted-files.json"

log = structlog.get_logger(__name__)


def keep_files(directory: Path, teams: Mapping[str, TeamFile]) -> None:
    """Remember them. A failure is logged: it matters only after a restart, if a file is broken."""
    kept = msgspec.json.encode({file: team.text for file, team in sorted(teams.items())})
    path = directory / FILE
    try:
        if path.exists() and path.read_bytes() == kept:
            return
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as stream:
            stream.write(kept)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except OSError as error:
        log.warning("accepted_files_not_kept", path=str(path), reason=error.strerror)


def kept_files(directory: Path, detection: object) -> dict[str, TeamFile]:
    """Those that are remembered and are sound still, by path; none where nothing is."""
    try:
        texts = msgspec.json.decode((directory / FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
    found = {file: read_team_file(text, file, detection)[0] for file, text in texts.items()}
    return {file: team for file, team in found.items() if team is not None}
