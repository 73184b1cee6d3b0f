"""Overrides from the environment: `ANCHORWATCH_KAFKA__GROUP=x` sets `kafka.group`.

Two underscores stand between the parts. Lists and mappings are YAML, set as a whole
(`ANCHORWATCH_DETECTION__WINDOWS="[5m, 1h]"`); everything else is taken as it stands. That is how
pydantic-settings reads an environment. Ours are the YAML in place of its JSON, and what an operator
is told: which variable set what, and which one cannot work.

Variables that name no section are not ours and are ignored: Kubernetes sets ANCHORWATCH_PORT and
ANCHORWATCH_SERVICE_HOST by itself when a Service is called anchorwatch, and ANCHORWATCH_CONFIG and
ANCHORWATCH_REVISION are read elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from config.document import read_document
from config.errors import Problem
from config.section import Atom
from config.settings import Settings
from config.shape import keys_of, kinds_at, sections_at
from config.tree import Path, dotted, find, replaced

PREFIX = "ANCHORWATCH_"
BETWEEN = "__"


@dataclass
class Overridden:
    """Data with values from elsewhere than the file in them. `names`: what set which path, as
    people are told: `environment NAME`, `--set KEY`.
    """

    data: dict[str, Any]
    names: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def variable(path: Path) -> str:
    """The name of the variable that sets `path`."""
    return PREFIX + BETWEEN.join(str(part).upper() for part in path)


def override(data: dict[str, Any], environ: Mapping[str, str]) -> Overridden:
    """Put the values of the environment into `data`, shorter paths first."""
    result = Overridden(data)
    reader = _Reader(_Declared)
    for path, name in sorted((path, name) for name, path in _ours(environ)):
        wrong = _cannot_work(name, path)
        if not wrong:
            try:
                value = reader.value(name, path, environ[name])
            except SettingsError as error:
                wrong = str(error.__cause__)
            else:
                result.data = replaced(result.data, path, value)
                result.names[path] = f"environment {name}"
        if wrong:
            result.problems.append(Problem(f"environment {name}", None, dotted(path), wrong))
    return result


class _Declared(Settings, BaseSettings):
    """The settings in the form that pydantic-settings reads variables for; never instantiated.

    `Settings` themselves are not of that form: they would read the process's environment whenever
    they are made, and lose the validation context by which a file has to say units.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=BETWEEN)


class _Reader(EnvSettingsSource):
    """Reads one variable at a time, so that each keeps its name and its own error."""

    def value(self, name: str, path: Path, text: str) -> Any:
        """What a variable says for its path. Raises SettingsError."""
        self.env_vars = {name.lower(): text}
        there, value = find(self(), path)
        return value if there else text

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: str) -> Any:  # noqa: ARG002 - the library passes them
        """A list or a mapping, as YAML. Raises ValueError."""
        document = read_document("value:\n" + indent(value, "  "), "")
        if document.problems:
            raise ValueError("; ".join(problem.message for problem in document.problems))
        return document.data.get("value")


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Variables that are meant for us, with the path that each sets."""
    joined = {
        f"{section}_{key}": (section, key)
        for section in keys_of(Settings)
        for inner in sections_at(Settings, (section,))
        for key in keys_of(inner)
    }
    for name in environ:
        if not name.startswith(PREFIX):
            continue
        rest = name.removeprefix(PREFIX).lower()
        if BETWEEN in rest or (rest in keys_of(Settings) and rest != "version"):
            yield name, tuple(rest.split(BETWEEN))
        elif rest in joined:
            yield name, joined[rest]


def _cannot_work(name: str, path: Path) -> str:
    """Why a variable cannot set its path; empty when it can."""
    if BETWEEN not in name and len(path) == 2:
        return f"has one underscore where two belong: {variable(path)}"
    for length in range(1, len(path)):
        if any(_is_whole(kind) for kind in kinds_at(Settings, path[:length])):
            return f"is set as a whole: {variable(path[:length])}, as YAML"
    return ""


def _is_whole(kind: Any) -> bool:
    """True for lists, mappings, and values of several parts that are said in one text."""
    return get_origin(kind) is not None or (isinstance(kind, type) and issubclass(kind, Atom))
