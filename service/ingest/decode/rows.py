"""One value, many rows: the layouts of features and predictions."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from config.sources import RowsSettings
from service.errors import ConfigurationError
from service.ingest.decode.chain import Decode, compile_chain, read_csv
from service.ingest.decode.json_text import MalformedError, read_json
from service.ingest.decode.scalars import text_of
from service.ingest.decode.where import Envelope, Origin, ValuePath, compile_where, inside, parse

WRAPPERS = ("dataframe_split", "dataframe_records", "instances", "inputs", "predictions", "outputs")
"""Keys under which serving protocols put their rows."""


class Items(NamedTuple):
    """The rows of one value, each a map, a list of positions or a scalar.

    `columns` are the value's own names of positions. `text`: numbers are inside strings.
    `single`: the value was one row, not a list of rows.
    """

    rows: list[Any]
    columns: tuple[str, ...] = ()
    text: bool = False
    single: bool = False


Split = Callable[[Any, int], Items]
"""(value, how many columns are known by name) -> its rows. Raises MalformedError."""

ReadItems = Callable[[Envelope, int], Items | None]


def compile_rows(settings: RowsSettings, default: tuple[str, ...], origin: Origin) -> ReadItems:
    """Read one half of a record as rows; None when the value is not there."""
    read = compile_where(settings.rows or default, origin)
    take = _take(settings.take, origin)
    layout = settings.layout
    if isinstance(layout, str):
        split = compile_layout(layout, origin)
        return lambda envelope, width: _taken(read(envelope), width, split, take)
    switch = compile_where((layout["from"],), origin)
    cases = {case: compile_layout(name, origin) for case, name in layout.items() if case != "from"}

    def read_case(envelope: Envelope, width: int) -> Items | None:
        value = read(envelope)
        if value is None:
            return None
        case = text_of(switch(envelope))
        if case not in cases:
            raise MalformedError(f"what says the layout is none of {', '.join(cases)}")
        # Where a case tells the encoding, text is an encoded document and no class name.
        document = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return _taken(document, width, cases[case], take)

    return read_case


def compile_layout(name: str, origin: Origin) -> Split:
    """A layout with decoding stages in front of it: "json+auto". Raises ConfigurationError."""
    *stages, layout = name.split("+")
    if layout not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise ConfigurationError(f"{origin.place}: no layout {layout!r}; there are {known}")
    split = LAYOUTS[layout]
    if not stages:
        return split
    decode = compile_chain(tuple(stages), origin.place)
    text = "csv" in stages
    return lambda value, width: _decoded(value, width, decode, split, text)


def _decoded(value: Any, width: int, decode: Decode, split: Split, text: bool) -> Items:
    items = split(decode(value), width)
    return items._replace(text=True) if text else items


def _take(path: str | None, origin: Origin) -> tuple[str, ...]:
    if path is None:
        return ()
    place = parse(f"value.{path}", origin)
    return place.segments if isinstance(place, ValuePath) else ()


def _taken(value: Any, width: int, split: Split, take: tuple[str, ...]) -> Items | None:
    if value is None:
        return None
    items = split(value, width)
    return items._replace(rows=[inside(row, take) for row in items.rows]) if take else items


def _auto(value: Any, width: int) -> Items:
    if isinstance(value, bytes):
        return _auto(read_json(value), width)
    if isinstance(value, str):
        # Text that is no list and no map is a value itself: the name of a class.
        nests = value.lstrip()[:1] in {"{", "["}
        return _auto(read_json(value), width) if nests else Items([value], single=True)
    if isinstance(value, dict):
        return _auto_map(value, width)
    if isinstance(value, list):
        nested = any(isinstance(row, dict | list) for row in value)
        flat = not nested and width == len(value) and width > 1
        return Items([value]) if flat else Items(value)
    return Items([value], single=True)


def _auto_map(value: dict[str, Any], width: int) -> Items:
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return _split(value, width)
    for wrapper in WRAPPERS:
        inner = value.get(wrapper)
        if isinstance(inner, list) or (wrapper == "dataframe_split" and isinstance(inner, dict)):
            return _auto(inner, width)
    return Items([value], single=True)


def _records(value: Any, _: int) -> Items:
    if isinstance(value, dict):
        return Items([value])
    return Items(_list(value, "records"))


def _matrix(value: Any, width: int) -> Items:
    rows = _list(value, "matrix")
    flat = width > 1 and not any(isinstance(row, list) for row in rows)
    return Items([rows] if flat else rows)


def _split(value: Any, _: int) -> Items:
    inner = value.get("dataframe_split", value) if isinstance(value, dict) else value
    if not isinstance(inner, dict):
        raise MalformedError("layout split needs a map with `columns` and `data`")
    columns = tuple(text_of(name) or "" for name in _list(inner.get("columns"), "split: `columns`"))
    return Items(_list(inner.get("data"), "split: `data`"), columns=columns)


def _csv(value: Any, width: int) -> Items:
    rows: list[Any] = list(value) if isinstance(value, list) else list(read_csv(value))
    if width <= 1:
        rows = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]
    return Items(rows, text=True)


def _list(value: Any, layout: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise MalformedError(f"layout {layout} needs a list, found {type(value).__name__}")


def _single(value: Any, _: int) -> Items:
    return Items([value], single=True)


LAYOUTS: Mapping[str, Split] = {
    "single": _single,
    "auto": _auto,
    "records": _records,
    "matrix": _matrix,
    "split": _split,
    "csv": _csv,
}
