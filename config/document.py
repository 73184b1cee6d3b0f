"""YAML with the line of every value; the scalars of YAML 1.2, so that `no` and `12:30` are text."""

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.error import Mark
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.errors import Problem
from config.tree import Path, dotted

VALUES_MAX = 200_000
DEPTH_MAX = 40

_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_NULL = {"", "~", "null", "Null", "NULL"}
_TAGS = "tag:yaml.org,2002:"
_KINDS = {"str", "null", "bool", "int", "float", "seq", "map"}
_INTEGER = re.compile(r"[-+]?\d{1,4000}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_SECTION = re.compile(r"\w+:(?:\s|$)", re.ASCII)
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class _CoreLoader(yaml.SafeLoader):
    """Reads plain scalars by the core schema of YAML 1.2 (section 10.3.2)."""


class _CoreDumper(yaml.SafeDumper):
    """Quotes what that schema would read as something else than text."""


def _follow_core_schema(*kinds: type[yaml.SafeLoader] | type[yaml.SafeDumper]) -> None:
    for kind in kinds:
        kind.yaml_implicit_resolvers = {}
        for tag, pattern in (
            ("null", r"(?:~|null|Null|NULL|)$"),
            ("bool", r"(?:true|True|TRUE|false|False|FALSE)$"),
            ("int", rf"(?:{_INTEGER.pattern})$"),
            ("float", rf"(?:{_FLOAT.pattern}|{_INFINITE.pattern})$"),
        ):
            regex = re.compile(pattern, re.ASCII)
            kind.add_implicit_resolver(_TAGS + tag, regex, None)


def _float(dumper: _CoreDumper, number: float) -> yaml.ScalarNode:
    """Whole numbers without `.0`, as people write them."""
    if number.is_integer() and abs(number) < 1e15:
        return dumper.represent_int(int(number))
    return dumper.represent_float(number)


_follow_core_schema(_CoreLoader, _CoreDumper)
_CoreDumper.add_representer(float, _float)


@dataclass
class Document:
    """What one file says. `data` is nested dicts, lists and scalars; `lines` count from 1. `unread`
    are the paths whose value could not be read, of which `problems` tell.
    """

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)


def read_document(text: str, file: str) -> Document:
    """Parse one YAML document whose root is a mapping; an empty one says nothing.

    Never raises: what is wrong is in `problems`, and `data` hold what could be read.
    """
    document = Document(file)
    root = _root(text, document)
    if root is None and document.problems:
        return document
    if root is None or (isinstance(root, ScalarNode) and scalar(root.value) is None):
        return document
    if not isinstance(root, MappingNode):
        line = root.start_mark.line + 1
        message = "must be a mapping: sections such as `kafka:` with their keys"
        document.problems.append(Problem(file, line, "", message))
        return document
    document.data = _Reader(document).value(root, ())
    return document


def _root(text: str, document: Document) -> Node | None:
    """The node of the whole text. Where that is no YAML, of those sections that are."""
    try:
        return yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        sound = _sections(text, document)
        if not document.problems:
            document.problems.append(_syntax_problem(error, document.file))
            return None
        start = Mark(document.file, 0, 0, 0, None, 0)
        return MappingNode(f"{_TAGS}map", sound, start, start)
    except (yaml.YAMLError, RecursionError) as error:
        message = f"not YAML: {str(error).splitlines()[0]}"
        document.problems.append(Problem(document.file, None, "", message))
        return None


def _sections(text: str, document: Document) -> list[tuple[Node, Node]]:
    """Keys and values of the sections that can be read each by itself; the others are noted."""
    found: list[tuple[Node, Node]] = []
    lines = text.splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if i == 0 or _SECTION.match(line)]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        try:
            alone = "\n" * start + "".join(lines[start:end])
            node = yaml.compose(alone, Loader=_CoreLoader)
        except (yaml.YAMLError, RecursionError) as error:
            document.unread.append((lines[start].partition(":")[0],))
            # What an alias stands for may be in another section.
            if isinstance(error, yaml.MarkedYAMLError) and not isinstance(error, ComposerError):
                document.problems.append(_syntax_problem(error, document.file))
        else:
            found += node.value if isinstance(node, MappingNode) else []
    return found


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    return Problem(file, mark.line + 1 if mark else None, "", f"not YAML: {_in_words(error)}")


def scalar(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text) if _FLOAT.fullmatch(text) else text


def flow(value: Any) -> str:
    """Data as YAML on one line; `read_document` reads it back."""
    text: str = yaml.dump(
        value,
        Dumper=_CoreDumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _Reader:
    """Walks the nodes of one document, noting lines and problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def value(self, node: Node, path: Path) -> Any:
        self.count += 1
        line = node.start_mark.line + 1
        self.document.lines.setdefault(path, line)
        if self.count > VALUES_MAX or len(path) > DEPTH_MAX:
            if self.count <= VALUES_MAX + 1:
                limits = f"{VALUES_MAX} values, {DEPTH_MAX} levels"
                self.problem(line, path, f"more than a configuration may hold ({limits})")
            self.count = VALUES_MAX + 1
            return None
        if node.tag.removeprefix(_TAGS) not in _KINDS:
            self.problem(line, path, f"the tag {node.tag} is not understood")
            self.document.unread.append(path)
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        is_text = node.tag == f"{_TAGS}str"
        return node.value if is_text else scalar(str(node.value))

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.problem(line, path, "a key must be text")
                continue
            inner = (*path, key.value)
            if key.value in values:
                first = self.document.lines[inner]
                self.problem(line, inner, f"stands here twice; the first is in line {first}")
                continue
            self.document.lines[inner] = line
            values[key.value] = self.value(item, inner)
        return values

    def problem(self, line: int, path: Path, message: str) -> None:
        self.document.problems.append(Problem(self.document.file, line, dotted(path), message))


def _in_words(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)
