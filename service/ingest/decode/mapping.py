"""All that is wrong with the mapping of a source at once, each with the setting that says it.

A `Decoder` is built of the same parts and refuses the first of these faults.
"""

from collections.abc import Callable, Iterator

from config.sources import RowsSettings, SourceSettings
from service.errors import ConfigurationError
from service.ingest.decode.chain import compile_chain
from service.ingest.decode.fields import flat_fields
from service.ingest.decode.rows import compile_layout
from service.ingest.decode.where import Origin, compile_where

Fault = tuple[tuple[str | int, ...], str]
"""The path of a setting within the source, and what is wrong with it."""


def mapping_faults(settings: SourceSettings) -> Iterator[Fault]:
    """Every place, stage and layout that cannot be read; nothing for a sound mapping."""
    origin = Origin("", *settings.patterns)
    yield from _stages(settings.decode)
    for key in ("model", "version", "time"):
        yield from _places((key,), getattr(settings, key), origin)
    yield from _places(("id",), settings.id, origin._replace(row=True))
    yield from _places(("latency", "path"), settings.latency.path, origin)
    if settings.weight is not None:
        yield from _places(("weight", "path"), settings.weight.path, origin)
    for key in ("keep_if", "drop_if"):
        for where in getattr(settings, key):
            yield from _fault((key, where), compile_where, (where,), origin)
    yield from _rows("features", settings.features, origin)
    yield from _rows("prediction", settings.prediction, origin)
    for i, glob in enumerate(settings.features.include):
        yield from _fault(("features", "include", i), _included, glob, origin)


def _rows(key: str, settings: RowsSettings, origin: Origin) -> Iterator[Fault]:
    yield from _places((key, "rows"), settings.rows or (), origin)
    if settings.take is not None:
        taken = f"value.{settings.take}"
        yield from _fault((key, "take"), compile_where, (taken,), origin)
    if isinstance(settings.layout, str):
        layout = settings.layout
        yield from _fault((key, "layout"), compile_layout, layout, origin)
        return
    for case, name in settings.layout.items():
        if case == "from":
            yield from _fault((key, "layout", case), compile_where, (name,), origin)
        else:
            yield from _fault((key, "layout", case), compile_layout, name, origin)


def _stages(names: tuple[str, ...]) -> Iterator[Fault]:
    """Of each stage: is there such a one, and may another follow it?"""
    for i, name in enumerate(names):
        alone = list(_fault(("decode", i), compile_chain, (name,), ""))
        yield from alone
        if not alone and i + 1 < len(names):
            following = (name, "gzip")  # any stage that there is
            yield from _fault(("decode", i), compile_chain, following, "")


def _places(path: tuple[str, ...], places: tuple[str, ...], origin: Origin) -> Iterator[Fault]:
    for i, place in enumerate(places):
        yield from _fault((*path, i), compile_where, (place,), origin)


def _included(glob: str, origin: Origin) -> object:
    alone = SourceSettings.model_validate(
        {"name": "-", "topics": "-", "features": {"include": glob}}
    )
    return flat_fields(alone, origin)


def _fault(
    path: tuple[str | int, ...], build: Callable[..., object], *what: object
) -> Iterator[Fault]:
    try:
        build(*what)
    except ConfigurationError as error:
        yield path, str(error).removeprefix(": ")
