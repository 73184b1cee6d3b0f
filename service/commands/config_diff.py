"""In what two configurations differ: files, or what the record says was in force."""

import re
from pathlib import Path
from typing import Any

from config.difference import Change, changes
from config.document import flow, read_document
from config.show import show
from config.tree import dotted
from service.commands import load_settings
from service.commands.episode_source import open_record
from service.errors import ConfigurationError
from service.values.watched import SettingsWatched

_HASH = re.compile(r"[0-9a-f]{6,64}")
_SHOWN_MAX = 200


def difference(config_file: Path | None, before: str | None, after: str | None) -> list[Change]:
    """What differs between two that are named by file or by hash. Without `after` it is the
    configuration file, without `before` what was in force last by its record.

    Raises ConfigurationProblems for a file that cannot be used, ConfigurationError where the record
    has no such configuration.
    """
    newer = _file(config_file) if after is None else _named(config_file, after)
    older = _recorded(config_file, "") if before is None else _named(config_file, before)
    return changes(older, newer)


def as_text(found: list[Change]) -> str:
    """A line each: the setting, what it was, what it is, and whether that needs a restart."""
    return "\n".join(
        f"{dotted(change.path)}: {_value(change.before)} -> {_value(change.after)}"
        f"{'   (needs a restart)' if change.needs_restart else ''}"
        for change in found
    )


def _named(config_file: Path | None, name: str) -> dict[str, Any]:
    is_file = Path(name).exists() or _HASH.fullmatch(name) is None
    return _file(Path(name)) if is_file else _recorded(config_file, name)


def _file(path: Path | None) -> dict[str, Any]:
    return read_document(show(load_settings(path)), str(path)).data


def _recorded(config_file: Path | None, digits: str) -> dict[str, Any]:
    """Those in force last whose hash begins so."""
    with open_record(load_settings(config_file).settings) as record:
        entries = [e for e in record.watched(0.0, None) if isinstance(e, SettingsWatched)]
    found = [entry for entry in entries if entry.config_hash.startswith(digits)]
    if not found:
        known = ", ".join(dict.fromkeys(e.config_hash[:12] for e in reversed(entries))) or "none"
        what = f"whose hash begins with {digits}" if digits else "at all"
        raise ConfigurationError(
            f"the record has no configuration {what}; it has {known}. A service writes it when it "
            "starts, when it changes, and once a month"
        )
    document = read_document(max(found, key=lambda e: e.at_seconds).text, "the record")
    if document.problems:
        raise ConfigurationError(
            f"the configuration in the record cannot be read, perhaps since it was too long to be "
            f"kept whole: {document.problems[0].message}"
        )
    return document.data


def _value(value: Any) -> str:
    if value is None:
        return "none"
    text = flow(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"
