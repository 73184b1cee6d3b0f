"""`${file:/path}` and `${env:NAME}` inside values: secrets that do not stand in the file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.tree import Path

FILE_BYTES_MAX = 65_536
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")


@dataclass
class Interpolated:
    """Data with every reference replaced.

    `written` keeps each text that held a reference as it was written: that is what may be shown.
    `faults` are the paths of values that could not be replaced, and why; these are left as written.
    """

    data: Any
    written: dict[Path, str] = field(default_factory=dict)
    faults: list[tuple[Path, str]] = field(default_factory=list)


def interpolate(data: Any, environ: Mapping[str, str]) -> Interpolated:
    """Replace every reference in the string values of nested data; `$${` stands for `${` itself."""
    result = Interpolated(None)
    result.data = _replace(data, (), environ, result)
    return result


def _replace(data: Any, path: Path, environ: Mapping[str, str], result: Interpolated) -> Any:
    if isinstance(data, Mapping):
        return {k: _replace(item, (*path, k), environ, result) for k, item in data.items()}
    if isinstance(data, list):
        return [_replace(item, (*path, i), environ, result) for i, item in enumerate(data)]
    if not isinstance(data, str) or "${" not in data:
        return data
    try:
        replaced = _REFERENCE.sub(lambda match: _resolve(match, environ), data)
    except ValueError as error:
        result.faults.append((path, str(error)))
        return data
    if re.sub(r"\$\$\{", "", data).count("${"):
        result.written[path] = data
    return replaced


def _resolve(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match[0] == "$${":
        return "${"
    kind, colon, name = match[1].partition(":")
    if not match[0].endswith("}") or not colon or kind not in {"file", "env"} or not name:
        raise ValueError(f"{match[0]} must read ${{file:/path}} or ${{env:NAME}} ($${{ = ${{)")
    if kind == "file":
        return _file(name)
    if name not in environ:
        raise ValueError(f"the environment has no {name}; set it, or take {match[0]} out")
    return environ[name]


def _file(name: str) -> str:
    """The text of a file without its last line break."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - read no more than is allowed
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name} holds something else than UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{name} cannot be read: {reason}") from None
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"{name} is larger than {FILE_BYTES_MAX} bytes; is it the right file?")
    return text.removesuffix("\n").removesuffix("\r")
