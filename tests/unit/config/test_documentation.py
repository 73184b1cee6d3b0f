"""`anchorwatch.reference.yaml` names every option, and says of each what is true."""

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

import config
from config.document import flow, read_document
from config.environment import variable
from config.loader import load
from config.models import ModelRule
from config.policy import PolicySettings
from config.section import Atom, Quantity
from config.settings import Settings
from config.shape import keys_of, kinds_at, sections_at
from config.sources import SourceSettings

FILE = Path(config.__file__).parent / "anchorwatch.reference.yaml"
TEXT = FILE.read_text(encoding="utf-8")
DEFAULTS = Settings().model_dump(mode="json", by_alias=True)


def fields(section=Settings, path=()):
    """Every field with one value: path, field."""
    for name, field in section.model_fields.items():
        here = (*path, field.alias or name)
        inner = sections_at(Settings, here)
        if field.default is None and inner:
            yield here, field
        elif inner and len(here) == len([part for part in here if isinstance(part, str)]):
            yield from fields(inner[0], here)
        elif here not in {("sources",), ("models",)}:
            yield here, field


def comment_above(path):
    """The comment right above a key, as one line."""
    document = read_document(TEXT, "f")
    lines = TEXT.splitlines()[: document.lines[path] - 1]
    comment = []
    while lines and lines[-1].strip().startswith("#"):
        comment.insert(0, lines.pop().strip().removeprefix("#").strip())
    return " ".join(comment)


def quantities(annotation, metadata=()):
    yield from (m for m in metadata if isinstance(m, Quantity))
    for inner in get_args(annotation):
        if hasattr(inner, "__metadata__") or get_args(inner):
            yield from quantities(inner, getattr(inner, "__metadata__", ()))


def example(key):
    """An example that is commented out, as the document that it would be."""
    lines = TEXT.splitlines()
    start = lines.index(f"#{key}:")
    taken = []
    for line in lines[start:]:
        if not re.match(r"#\S|#  ", line):
            break
        taken.append(line[1:])
    return "\n".join(taken)


def names_in(value):
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in names_in(item)}
    if isinstance(value, list):
        return {name for item in value for name in names_in(item)}
    return set()


def test_the_file_loads_and_is_the_defaults():
    assert load(FILE, {}).settings == Settings()


@pytest.mark.parametrize(("path", "field"), list(fields()), ids=lambda v: str(v)[:60])
def test_an_option_is_described_with_default_bounds_and_variable(path, field):
    there = read_document(TEXT, "f").data
    for part in path:
        assert part in there, f"{path} is not in the file"
        there = there[part]
    comment = comment_above(path)
    assert " ".join(field.description.split()) in comment
    for quantity in quantities(field.annotation, field.metadata):
        assert quantity.bounds in comment.lower().replace("kib", "KiB").replace("mib", "MiB")
    for kind in kinds_at(Settings, path):
        if get_origin(kind) is Literal:
            assert [c for c in get_args(kind) if str(c) not in comment] == []
    if path != ("version",):
        assert f"[{variable(path)}]" in comment


def test_every_field_of_the_settings_is_documented():
    assert {path for path, _ in fields()} >= {("kafka", "group"), ("kafka", "security", "password")}
    assert len(list(fields())) > 45


def test_the_example_of_sources_names_every_option():
    data = read_document(example("sources"), "f").data
    Settings.model_validate(data, context={})
    said = names_in(data)
    assert all_keys(SourceSettings) - said - {"pattern", "path", "inverse"} == set()
    assert "{pattern: " in example("sources")


def test_the_example_of_models_names_every_option():
    data = read_document(example("models"), "f").data
    Settings.model_validate(data, context={})
    assert all_keys(ModelRule) - names_in(data) - {"learn", "events", "at_least"} == set()


def test_the_example_of_policy_is_its_default_and_describes_every_option():
    text = example("policy")
    data = read_document(text, "f").data
    assert Settings.model_validate(data, context={}).policy == PolicySettings()
    assert set(data["policy"]) == set(keys_of(PolicySettings))
    comments = " ".join(text.replace("#", " ").split())
    for field in PolicySettings.model_fields.values():
        assert " ".join(field.description.split()) in comments
        if field.annotation is float:
            assert all(q.bounds in comments.lower() for q in quantities(None, field.metadata))


def all_keys(section):
    keys = set(keys_of(section))
    for key in keys_of(section):
        for kind in sections_at(section, (key,)):
            keys |= all_keys(kind)
    if section is ModelRule:
        for kind in sections_at(section, ("features", "any")):
            keys |= all_keys(kind)
    return keys


def test_every_field_of_ours_has_a_description():
    def missing(section, seen):
        if section in seen:
            return []
        seen.add(section)
        found = [
            f"{section.__name__}.{n}" for n, f in section.model_fields.items() if not f.description
        ]
        for key in keys_of(section):
            for path in ((key,), (key, "any"), (key, 0)):
                for kind in sections_at(section, path):
                    found += missing(kind, seen)
        return found

    seen = set()
    assert issubclass(Atom, BaseModel)
    assert missing(Settings, seen) == []
    assert SourceSettings in seen


def test_defaults_in_the_file_are_written_as_they_are_shown():
    assert f"windows: {flow(DEFAULTS['detection']['windows'])}" in TEXT
