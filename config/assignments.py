"""Settings that are said on a command line, over those of the file: `tolerance.shift=0.25`.

A key is the dotted path of a setting, a name with dots in it in quotes. One that a model may have
of its own is that of the model which is asked about, or else of every model:
`tolerance.shift`, `features.income.ignore`, `reference.learn.events`. Any other is that of the
file: `detection.false_alarm_budget`, `models.'credit-*'.tier`. Values are YAML.
"""

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from typing import Any

from config.document import read_document
from config.errors import Problem
from config.models import ModelRule
from config.settings import Settings
from config.shape import keys_of, sections_at
from config.tree import Path, replaced

_PART = re.compile(r"""'(?P<quoted>[^']*)'|(?P<plain>[^.\[\]'"= ]+)|\[(?P<index>\d+)\]""")


@dataclass(frozen=True)
class Assignments:
    """What is said, as it is typed; `model` is the one that is asked about, None for all. `option`
    is what people typed, to be told of it: `{key}` stands for the key.
    """

    texts: Sequence[str] = ()
    model: str | None = None
    option: str = "--set {key}"


NOTHING = Assignments()


@dataclass(frozen=True)
class Assigned:
    """Data with the values in them, and which text set which path."""

    data: dict[str, Any]
    names: Mapping[Path, str]
    problems: tuple[Problem, ...] = ()


def assign(data: dict[str, Any], said: Assignments) -> Assigned:
    """Put the values into nested data, in the order in which they are said; the last one wins."""
    names: dict[Path, str] = {}
    problems: list[Problem] = []
    models = data.get("models")
    rule = _last_rule(said.model, models if isinstance(models, Mapping) else {})
    for text in said.texts:
        key, _, value = text.partition("=")
        path, name = parsed(key.strip()), said.option.format(key=key.strip())
        wrong = _fault(text, path) if path is None or "=" not in text else _unknown(path)
        document = read_document(f"value: {value.strip()}", name)
        wrong = wrong or "; ".join(problem.message for problem in document.problems)
        if wrong or path is None:
            problems.append(Problem(name, None, "", wrong))
            continue
        path = (*rule, *path) if path[0] in keys_of(ModelRule) else path
        data = replaced(data, path, document.data.get("value"))
        names[path] = name
    return Assigned(data, names, tuple(problems))


def parsed(text: str) -> Path | None:
    """The path of a dotted key (as `config.tree.dotted` tells one), None where it is none."""
    path: list[str | int] = []
    at = 0
    while at < len(text):
        if path and text[at] == ".":
            at += 1
        elif path and text[at] != "[":
            return None
        part = _PART.match(text, at)
        if part is None or (part["index"] is not None and not path):
            return None
        path.append(int(part["index"]) if part["index"] is not None else _name(part))
        at = part.end()
    return tuple(path) or None


def _name(part: re.Match[str]) -> str:
    return part["quoted"] if part["quoted"] is not None else part["plain"]


def _fault(text: str, path: Path | None) -> str:
    if path is None:
        return (
            "is no dotted path of a setting, such as tolerance.shift or "
            "detection.false_alarm_budget; a name with dots in it stands in quotes"
        )
    return f"says no value: write --set {text.strip()}=VALUE"


def _unknown(path: Path) -> str:
    """What to say of a first part that nothing has, with the nearest that there is; else empty.
    What is wrong below it is found where the whole is validated.
    """
    first = str(path[0])
    known = dict(_sections())
    if first in known and known[first] == first:
        return ""
    nearest = known.get(first) or next(
        (known[name] for name in difflib.get_close_matches(first, known, n=1)), ""
    )
    if nearest:
        return f"unknown key. Did you mean {nearest}?"
    return f"unknown key. Known are, for example: {', '.join([*keys_of(ModelRule), 'detection'])}"


def _sections() -> Iterator[tuple[str, str]]:
    """Names that a key may begin with, and those a level below, by what to write for them."""
    for root in keys_of(Settings):
        for section in sections_at(Settings, (root,)):
            yield from ((name, f"{root}.{name}") for name in keys_of(section))
    yield from ((name, name) for name in (*keys_of(Settings), *keys_of(ModelRule)))


def _last_rule(model: str | None, models: Mapping[str, Any]) -> Path:
    """Where to put what holds for a model, so that it is the last word: a glob of its own."""
    if model is None:
        stars = ("*" * length for length in itertools.count(1))
        return ("models", next(glob for glob in stars if glob not in models))
    plain = escape(model)
    return ("models", f"[{model[:1]}]{escape(model[1:])}" if plain in models else plain)
