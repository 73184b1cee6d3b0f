"""The features and the prediction of each row of a record."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from config.sources import SourceSettings
from service.errors import ConfigurationError
from service.ingest.decode.answers import prediction_of
from service.ingest.decode.rows import Items, ReadItems, compile_rows
from service.ingest.decode.where import Envelope, Origin, ValuePath, inside, parse, parse_all

_MEMO_MAX = 20_000


class Row(NamedTuple):
    """One row, not yet admitted; no features is an empty map, no prediction is None.

    `wrong` says what was wrong with the row as a whole, empty when nothing was.
    """

    features: dict[str, Any]
    prediction: Any
    wrong: str = ""


class Sheet(NamedTuple):
    """All rows of a record, and whether numbers are inside strings on either side.

    `found` is False when neither features nor a prediction are where the mapping looks.
    """

    rows: list[Row]
    features_in_text: bool = False
    prediction_in_text: bool = False
    found: bool = True


ReadSheet = Callable[[Envelope, tuple[str, ...]], Sheet]


def compile_fields(settings: SourceSettings, origin: Origin) -> ReadSheet:
    """(envelope, the plan's column names) -> the rows. Raises MalformedError."""
    read_inputs = _compile_features(settings, origin._replace(place=f"{origin.place}.features"))
    place = origin._replace(place=f"{origin.place}.prediction")
    read_outputs = compile_rows(settings.prediction, ("value.prediction",), place)
    columns, classes = settings.features.columns, settings.prediction.columns

    def read(envelope: Envelope, plan_columns: tuple[str, ...]) -> Sheet:
        names = columns or plan_columns
        inputs = read_inputs(envelope, len(names))
        outputs = read_outputs(envelope, len(classes))
        return _sheet(inputs, outputs, names, classes)

    return read


class FlatFields:
    """The fields of a flat record that are features, by globs; the name of each is remembered."""

    def __init__(
        self, parent: tuple[str, ...], glob: str, prefix: str, taken: frozenset[str] = frozenset()
    ) -> None:
        self.parent = parent
        self.glob = glob
        self.prefix = prefix
        self.taken = taken
        self._names: dict[str, str | None] = {}

    def read(self, value: Any, into: dict[str, Any]) -> None:
        """Add the features found below `value`."""
        found = inside(value, self.parent)
        if type(found) is not dict:
            return
        for field, content in found.items():
            name = self._names[field] if field in self._names else self._name(field)
            if name is not None:
                into[name] = content

    def _name(self, field: str) -> str | None:
        chosen = fnmatchcase(field, self.glob) and field not in self.taken
        name = field.removeprefix(self.prefix) if chosen else None
        if len(self._names) < _MEMO_MAX:
            self._names[field] = name
        return name


def flat_fields(settings: SourceSettings, origin: Origin) -> tuple[FlatFields, ...]:
    """What `features.include` says, parsed. Raises ConfigurationError.

    Fields that the mapping reads as model, version, id, time, prediction, latency or weight are
    no features, even if a glob such as `value.*` covers them.
    """
    paths = _mapped_paths(settings, origin)
    return tuple(
        _flat(glob, settings.features.strip_prefix, paths, origin)
        for glob in settings.features.include
    )


def _flat(
    include: str, prefix: str, paths: frozenset[tuple[str, ...]], origin: Origin
) -> FlatFields:
    parent, _, glob = include.rpartition(".")
    place = parse(parent, origin) if parent else None
    if not isinstance(place, ValuePath):
        problem = "expected a path in the value and a glob, such as 'value.f_*'"
        raise ConfigurationError(f"{origin.place}: include {include!r}: {problem}")
    taken = frozenset(path[-1] for path in paths if path[:-1] == place.segments)
    return FlatFields(place.segments, glob, prefix, taken)


def _mapped_paths(settings: SourceSettings, origin: Origin) -> frozenset[tuple[str, ...]]:
    expressions = settings.model + settings.version + settings.time + settings.latency.path
    expressions += settings.prediction.rows or ()
    expressions += settings.weight.path if settings.weight else ()
    places = parse_all(expressions, origin) + parse_all(settings.id, origin._replace(row=True))
    return frozenset(
        place.segments for place in places if isinstance(place, ValuePath) and place.segments
    )


def _compile_features(settings: SourceSettings, origin: Origin) -> ReadItems:
    if not settings.features.include:
        return compile_rows(settings.features, ("value.features",), origin)
    fields = flat_fields(settings, origin)

    def read(envelope: Envelope, width: int) -> Items | None:
        del width  # every name is in the record
        found: dict[str, Any] = {}
        for field in fields:
            field.read(envelope.value, found)
        return Items([found], single=True) if found else None

    return read


def _sheet(
    inputs: Items | None, outputs: Items | None, names: tuple[str, ...], classes: tuple[str, ...]
) -> Sheet:
    """Features and predictions paired by position; the surplus of the longer side is wrong."""
    if inputs is None and outputs is None:
        return Sheet([Row({}, None)], found=False)
    if inputs is not None and outputs is not None and inputs.single and outputs.single:
        features = _features(inputs.rows[0], names)
        row = Row(features, prediction_of(outputs.rows[0], classes))
        return Sheet([row], inputs.text, outputs.text)
    if inputs is None or outputs is None:
        rows = _one_sided(inputs, outputs, names, classes)
        return Sheet(rows, inputs is not None and inputs.text, outputs is not None and outputs.text)
    if inputs.single and not outputs.single:
        outputs = outputs._replace(rows=[_only(outputs.rows)])
    maps = [_features(row, inputs.columns or names) for row in inputs.rows]
    predictions = [prediction_of(row, outputs.columns or classes) for row in outputs.rows]
    rows = [Row(*pair) for pair in zip(maps, predictions, strict=False)]
    surplus = max(len(maps), len(predictions)) - len(rows)
    wrong = f"{len(maps)} rows of features, {len(predictions)} predictions"
    return Sheet(rows + [Row({}, None, wrong)] * surplus, inputs.text, outputs.text)


def _one_sided(
    inputs: Items | None, outputs: Items | None, names: tuple[str, ...], classes: tuple[str, ...]
) -> list[Row]:
    if inputs is not None:
        return [Row(_features(row, inputs.columns or names), None) for row in inputs.rows]
    found = [] if outputs is None else outputs.rows
    columns = classes if outputs is None else outputs.columns or classes
    return [Row({}, prediction_of(row, columns)) for row in found]


def _only(rows: list[Any]) -> Any:
    """The one prediction of one row of features: of a list of several, the (invalid) list."""
    return rows[0] if len(rows) == 1 else rows


def _features(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """A row as a map of names; empty when it has no names or another number of columns."""
    if type(row) is dict:
        return row
    cells = row if type(row) is list else [row]
    return dict(zip(names, cells, strict=True)) if len(cells) == len(names) else {}
