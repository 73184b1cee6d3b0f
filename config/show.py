"""Settings as YAML for people: every value, and at the end of its line where it comes from."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from config.document import flow
from config.loader import Loaded
from config.resolution import FeatureSettings, ModelSettings
from config.tree import Path, leaves, replaced

Line = tuple[int, str, Path | None]
"""Depth, text, and the path of the value on it (None: a heading)."""

_BUILT_IN = "built in"
"""The origin of a rule that nobody wrote and that is none of a setting's defaults."""


def show(loaded: Loaded, *, origin: bool = False) -> str:
    """The whole configuration in force, secrets as they were written or as `***`.

    Without secrets the text is a configuration file that gives the same settings: what files of
    teams say is among the models.
    """
    data = loaded.shown()
    known = {path for path, _ in leaves(loaded.settings)}
    files = ", ".join(map(_named, loaded.included.teams))
    heading = f"# With the files of teams: {files}\n" if files else ""
    return heading + _text(_lines(data, known), loaded.origin if origin else None)


def show_model(loaded: Loaded, name: str, *, origin: bool = False) -> str:
    """What holds for one model, below a line that names the globs under `models` that match.

    `features` are its rules, first to last.
    """
    settings = loaded.settings.for_model(name)
    data, sources = _model_data(loaded, settings)

    def of(path: Path) -> str:
        source = sources.get(path)
        return loaded.origin(source) if source else _unsaid(path)

    heading = f"# Model {_named(name)}: {_matching(settings.globs, 'under `models`')}\n"
    lines = _explained(_lines(data, set(sources)))
    return heading + _text(lines, of if origin else None)


def show_feature(loaded: Loaded, model: str, name: str, *, origin: bool = False) -> str:
    """What holds for one feature of one model, below a line that names the globs that match."""
    settings = loaded.settings.for_model(model)
    feature = settings.for_feature(name)
    data = _feature_data(loaded, feature)

    def of(path: Path) -> str:
        key = str(path[0])
        if key not in feature.origins:
            return "default: inferred" if key == "kind" else "default"
        source = feature.origins[key]
        return loaded.origin(source) if source else _BUILT_IN

    globs = tuple(dict.fromkeys(line.glob for line in settings.lines_for(name)))
    matching = _matching(globs, "for features")
    heading = f"# Feature {_named(name)} of model {_named(model)}: {matching}\n"
    return heading + _text(_lines(data, {(key,) for key in data}), of if origin else None)


def _named(name: str) -> str:
    """A name that fits into a comment, whatever is in it."""
    return " ".join(flow(name).split())


def _matching(globs: tuple[str, ...], where: str) -> str:
    """Which lines matched a name, in one sentence."""
    if not globs:
        return f"no line {where} matches"
    if len(globs) == 1:
        return f"one line {where} matches: {_named(globs[0])}"
    return f"lines {where} that match, later ones win: {', '.join(map(_named, globs))}"


def _explained(lines: Iterator[Line]) -> Iterator[Line]:
    """A model's lines, its rules for features below a word on how they are meant."""
    for depth, text, path in lines:
        if (depth, text) == (0, "features:"):
            yield (
                0,
                "# Rules for features, later ones win; --feature NAME resolves them for one",
                None,
            )
        yield depth, text, path


def _unsaid(path: Path) -> str:
    """The origin of a model's setting that nobody wrote."""
    return _BUILT_IN if path[0] == "features" else "default"


def _model_data(loaded: Loaded, settings: ModelSettings) -> tuple[dict[str, Any], dict[Path, Path]]:
    """A model's settings as a file would say them, and for each the path that it comes from."""
    data: dict[str, Any] = {
        "team": settings.team,
        "tier": settings.tier,
        "runbook": settings.runbook or None,
        "missing": list(settings.missing),
        "columns": list(settings.columns),
        "tolerance": settings.tolerance.model_dump(mode="json"),
        "season": settings.season.model_dump(mode="json"),
        "windows": list(settings.window_names),
        "policy": None if settings.policy is None else settings.policy.model_dump(mode="json"),
        "reference": settings.reference.model_dump(mode="json", by_alias=True),
        "prediction": settings.prediction.model_dump(mode="json"),
        "segments": list(settings.segments),
    }
    sources: dict[Path, Path] = {
        (key,): () for key in ("team", "tier", "runbook", "missing", "columns", "segments")
    }
    sources["prediction", "cutoffs"] = ()
    sources |= settings.origins
    for path, source in sources.items():
        if source in loaded.written:
            data = replaced(data, path, loaded.written[source])
    rules: list[Any] = []
    for line in settings.feature_lines:
        for key, value in _plain(line.rule).items():
            source = (*line.path, key) if line.path else ()
            sources["features", len(rules)] = source
            rules.append({line.glob: {key: loaded.written.get(source, value)}})
    return data | {"features": rules}, sources


def _feature_data(loaded: Loaded, feature: FeatureSettings) -> dict[str, Any]:
    names = ("ignore", "kind", "missing", "source", "values", "mute")
    data = {name: _plain(getattr(feature, name)) for name in names}
    for name, path in feature.origins.items():
        if path in loaded.written:
            data[name] = loaded.written[path]
    return data


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return list(value) if isinstance(value, tuple) else value


def _lines(data: Mapping[str, Any], known: set[Path], path: Path = ()) -> Iterator[Line]:
    for key, value in data.items():
        here, depth = (*path, key), len(path)
        is_leaf = here in known or not value
        if isinstance(value, dict) and not is_leaf:
            yield depth, f"{flow(key)}:", None
            yield from _lines(value, known, here)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield depth, f"{flow(key)}:", here if here in known else None
            for index, item in enumerate(value):
                yield from _item(item, known, (*here, index))
        else:
            yield depth, f"{flow(key)}: {flow(value)}", here


def _item(item: Mapping[str, Any], known: set[Path], path: Path) -> Iterator[Line]:
    if path in known:
        yield len(path) - 1, f"- {flow(item)}", path
        return
    for position, (depth, text, here) in enumerate(_lines(item, known, path)):
        yield (depth, text, here) if position else (depth - 1, f"- {text}", here)


def _text(lines: Iterator[Line], origin: Callable[[Path], str] | None) -> str:
    rows = [("  " * depth + text, path) for depth, text, path in lines]
    if origin is None:
        return "".join(f"{text}\n" for text, _ in rows)
    width = min(60, max((len(text) for text, path in rows if path is not None), default=0))
    return "".join(
        f"{text}\n" if path is None else f"{text:<{width}}  # {origin(path)}\n"
        for text, path in rows
    )
