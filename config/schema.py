"""JSON Schema of the configuration file, for editors and for checks in others' pipelines."""

from typing import Any

from pydantic import BaseModel, ValidationError

from config.environment import variable
from config.settings import Settings
from config.shape import keys_of, sections_at
from config.tree import Path

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 that accepts what a file may say: `30d`, `1MiB`, `${env:NAME}`.

    Every description ends with bounds, default and the environment variable.
    """
    schema = Settings.model_json_schema(by_alias=True)
    _describe(schema, schema, Settings, ())
    return {"$schema": DIALECT, **schema, "title": "Anchorwatch configuration, version 1"}


def _describe(
    schema: dict[str, Any], part: dict[str, Any], section: type[BaseModel], path: Path
) -> None:
    """Put defaults as a file says them, bounds and variables into one section and those below."""
    try:
        defaults = section().model_dump(mode="json", by_alias=True)
    except ValidationError:
        defaults = {}
    for key in keys_of(section):
        said = part["properties"][key]
        here = (*path, key)
        inner = sections_at(Settings, here)
        if "default" in said:
            said["default"] = defaults.get(key, said["default"])
        if inner and "$ref" in said:
            said.pop("default", None)
            _describe(schema, schema["$defs"][said["$ref"].rpartition("/")[2]], inner[0], here)
        else:
            said["description"] = " ".join(_sentences(said, here))


def _sentences(said: dict[str, Any], path: Path) -> list[str]:
    sentences = [said.get("description", "")]
    if "x-bounds" in said:
        bounds = said.pop("x-bounds")
        sentences.append(f"{bounds[:1].upper()}{bounds[1:]}.")
    if "default" in said:
        sentences.append(f"Default: {said['default']}.")
    sentences.append(f"Environment: {variable(path)}.")
    return sentences
