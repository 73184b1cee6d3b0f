"""An audit as files: HTML to read and print, CSV for a spreadsheet, JSON for a program."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from service.commands.audit_tables import tables
from service.commands.whole_file import write_whole
from service.errors import ConfigurationError
from service.publish.audit_page import audit_page
from service.values.audits import Audit

FORMATS = ("html", "csv", "json")

FORMAT = 1

_TIME = "_seconds"


def write_all(audit: Audit, directory: Path, formats: Iterable[str]) -> list[Path]:
    """The files of these formats, and one with their checksums; files of before are replaced.

    Raises ConfigurationError when one cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{directory} cannot be made: {error.strerror}") from error
    written = []
    sums = []
    stem = _stem(audit)
    for ending, text in _contents(audit, tuple(formats)):
        file = directory / f"{stem}{ending}"
        write_whole(file, text)
        written.append(file)
        sums.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {file.name}\n")
    write_whole(directory / f"{stem}.sha256", "".join(sums))
    return [*written, directory / f"{stem}.sha256"]


def as_json(audit: Audit) -> str:
    """The whole audit. Times are RFC 3339; what is not known is null."""
    tree = {"format": FORMAT, **_told(msgspec.to_builtins(audit))}
    return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode() + "\n"


def _contents(audit: Audit, formats: Sequence[str]) -> Iterator[tuple[str, str]]:
    if "html" in formats:
        yield ".html", audit_page(audit).decode()
    if "json" in formats:
        yield ".json", as_json(audit)
    if "csv" in formats:
        for name, rows in tables(audit).items():
            yield f"-{name}.csv", _csv(rows)


def _stem(audit: Audit) -> str:
    """`credit-risk-20260101-20260701`; what is unusual in a file's name becomes an underscore."""
    named = audit.model if audit.version is None else f"{audit.model}-v{audit.version}"
    days = (_day(audit.period.from_seconds), _day(audit.period.to_seconds))
    return "-".join([re.sub(r"[^A-Za-z0-9._-]", "_", named)[:100], *days])


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d")


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """What others wrote must be no formula of a spreadsheet."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value


def _told(tree: Any, *, is_time: bool = False) -> Any:
    """With times as text, under names that have no unit."""
    if isinstance(tree, Mapping):
        return {
            name.removesuffix(_TIME): _told(value, is_time=name.endswith(_TIME))
            for name, value in tree.items()
        }
    if isinstance(tree, list | tuple):
        return [_told(value) for value in tree]
    if is_time and isinstance(tree, int | float):
        return time_text(tree)
    return tree


def time_text(seconds: float) -> str | None:
    """RFC 3339 (UTC); None for what is not known."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
