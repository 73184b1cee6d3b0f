"""Typed decoding of simple mappings: which records it fits, and the struct for a model's events."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, NamedTuple

import msgspec

from config.sources import SourceSettings
from service.ingest.decode.binding import Binding
from service.ingest.decode.fields import flat_fields
from service.ingest.decode.where import Constant, Origin, Place, ValuePath, parse_all

Path = tuple[str, ...]
Number = float | None
Scalar = str | int | float | bool | None
Answer = str | float | bool | None
Name = str | int | None
Time = Annotated[datetime, msgspec.Meta(tz=True)] | float | None

RECORD_TIMESTAMP = ("record.timestamp",)


class Shape(NamedTuple):
    """A mapping simple enough: JSON, one row a record, every place a path, no filter, no weight.

    `model` is a key at the top of the value, or None when it is `model_constant`. The other paths
    are None when the mapping has no such path. A feature's field is `prefix` + its name, and has to
    match `glob`, at `features`.
    """

    model: str | None
    model_constant: str
    version: Path | None
    version_constant: str | None
    time: Path | None
    prediction: Path
    latency: Path
    features: Path
    prefix: str = ""
    glob: str = "*"
    taken: frozenset[str] = frozenset()

    def feature_path(self, name: str) -> Path | None:
        """Where a feature's field is; None when no field can have this name."""
        field = self.prefix + name
        covered = fnmatchcase(field, self.glob) and field not in self.taken
        return (*self.features, field) if covered else None


def shape_of(settings: SourceSettings, origin: Origin) -> Shape | None:
    """The shape of a mapping, None when it is not simple."""
    model = _path_or_constant(parse_all(settings.model, origin))
    version = _path_or_constant(parse_all(settings.version, origin))
    if _is_involved(settings) or model is None or version is None:
        return None
    model_path, model_constant = model
    version_path, version_constant = version
    time = _only_path(settings.time, origin)
    prediction = _only_path(settings.prediction.rows or (), origin)
    latency = _only_path(settings.latency.path, origin)
    simple = prediction is not None and latency is not None
    simple &= time is not None or settings.time == RECORD_TIMESTAMP
    simple &= (model_path is None) != (model_constant is None)
    if not simple or (model_path is not None and len(model_path) != 1):
        return None
    shape = Shape(
        model=model_path[0] if model_path else None,
        model_constant=model_constant or "",
        version=version_path,
        version_constant=version_constant,
        time=time,
        prediction=prediction or (),
        latency=latency or (),
        features=(),
    )
    return _with_features(shape, settings, origin)


def _is_involved(settings: SourceSettings) -> bool:
    conditional = settings.keep_if or settings.drop_if or settings.weight is not None
    foreign = settings.decode != ("json",) or settings.text_numbers
    layouts = {settings.prediction.layout} if isinstance(settings.prediction.layout, str) else {""}
    if not settings.features.include:
        layouts |= {settings.features.layout} if isinstance(settings.features.layout, str) else {""}
    takes = settings.features.take or settings.prediction.take
    return bool(conditional or foreign or takes or layouts != {"single"})


def _with_features(shape: Shape, settings: SourceSettings, origin: Origin) -> Shape | None:
    if not settings.features.include:
        path = _only_path(settings.features.rows or (), origin)
        return None if path is None else shape._replace(features=path)
    fields = flat_fields(settings, origin)
    if len(fields) != 1:
        return None
    (flat,) = fields
    return shape._replace(
        features=flat.parent, prefix=flat.prefix, glob=flat.glob, taken=flat.taken
    )


def _only_path(expressions: tuple[str, ...], origin: Origin) -> Path | None:
    places = parse_all(expressions, origin)
    found = _path_or_constant(places)
    return found[0] if found and found[1] is None else None


def _path_or_constant(places: tuple[Place, ...]) -> tuple[Path | None, str | None] | None:
    """A path, a constant, or a path and then a constant."""
    *paths, last = places or (None,)
    constant = last.text if isinstance(last, Constant) else None
    if constant is None and last is not None:
        paths.append(last)
    if len(paths) > 1 or (not paths and constant is None):
        return None
    if not paths:
        return None, constant
    (path,) = paths
    return (path.segments, constant) if isinstance(path, ValuePath) and path.segments else None


Leaves = Mapping[Path, Any]
"""The type of what is at the end of each path."""


class EventType(NamedTuple):
    """A generated struct, what it was generated from, and the (dotted) attribute of each leaf."""

    struct: type[msgspec.Struct]
    leaves: Leaves
    attributes: Mapping[Path, str]


class NoType(ValueError):
    """No struct can be generated; the general path takes the model's events."""


def leaves_of(shape: Shape, bindings: Iterable[Binding]) -> Leaves:
    """What has to be read for all bindings of one model. Raises NoType."""
    leaves: dict[Path, Any] = {}
    for path, kind in _leaves(shape, bindings):
        if leaves.setdefault(path, kind) != kind:
            raise NoType(f"{path} is read in two ways")
    return leaves


def event_type(shape: Shape, model: str, leaves: Leaves) -> EventType:
    """The struct of one model's events. Raises NoType."""
    tree: dict[str, Any] = {}
    for path, kind in leaves.items():
        _plant(tree, path, kind)
    attributes: dict[Path, str] = {}
    tag = {} if shape.model is None else {"tag_field": shape.model, "tag": model}
    try:
        struct = _struct(tree, (), "", attributes, **tag)
    except (ValueError, TypeError) as error:  # such as a quote in a field's name
        raise NoType(str(error)) from error
    return EventType(struct, leaves, attributes)


def _leaves(shape: Shape, bindings: Iterable[Binding]) -> list[tuple[Path, Any]]:
    leaves: list[tuple[Path, Any]] = [(shape.latency, Number)]
    leaves += [(shape.version, Name)] if shape.version else []
    leaves += [(shape.time, Time)] if shape.time else []
    for binding in bindings:
        numeric, categorical = binding.prediction_numeric, binding.prediction_categorical
        answer = Number if numeric is not None else Answer
        leaves.append((shape.prediction, answer if categorical is None else Scalar))
        for names, kind in (
            (binding.numeric_inputs, Number),
            (binding.categorical_inputs, Scalar),
        ):
            paths = [shape.feature_path(name) for name in names]
            if None in paths:
                raise NoType("a feature of the plan has no field in this mapping")
            leaves += [(path, kind) for path in paths if path]
    return leaves


def _plant(tree: dict[str, Any], path: Path, kind: Any) -> None:
    for segment in path[:-1]:
        tree = tree.setdefault(segment, {})
        if not isinstance(tree, dict):
            raise NoType(f"{path} goes through a value")
    if path[-1] in tree:
        raise NoType(f"{path} is a value and a map")
    tree[path[-1]] = kind


def _struct(
    tree: dict[str, Any], path: Path, prefix: str, attributes: dict[Path, str], **tag: str
) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = []
    for position, (key, kind) in enumerate(tree.items()):
        name = f"f{position}"
        if isinstance(kind, dict):
            inner = _struct(kind, (*path, key), f"{prefix}{name}.", attributes)
            fields.append((name, inner, msgspec.field(default_factory=inner)))
        else:
            fields.append((name, kind, None))
            attributes[(*path, key)] = prefix + name
    names = {f"f{position}": key for position, key in enumerate(tree)}
    return msgspec.defstruct("Event", fields, rename=names, gc=False, kw_only=True, **tag)  # type: ignore[arg-type]
