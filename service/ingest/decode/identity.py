"""Which model version a record belongs to."""

import re
from typing import Any

from config.sources import SourceSettings
from service.ingest.decode.admission import Names
from service.ingest.decode.scalars import text_of
from service.ingest.decode.where import Envelope, Origin, compile_where
from service.values.streams import ModelKey

UNVERSIONED = "unversioned"

Pair = tuple[str, str | int | None]
"""A raw model name and a raw version."""

_RAW_VERSIONS = (str, int, type(None))


class Identity:
    """Reads the model's name and version, and admits both."""

    def __init__(self, settings: SourceSettings, origin: Origin) -> None:
        self.read_model = compile_where(
            settings.model, origin._replace(place=f"{origin.place}.model")
        )
        place = f"{origin.place}.version"
        self.read_version = compile_where(settings.version, origin._replace(place=place))
        self._pattern = re.compile(settings.version_pattern) if settings.version_pattern else None
        self._names = Names()
        self._seen: dict[Pair, ModelKey] = {}

    def of(self, envelope: Envelope) -> ModelKey | None:
        """The model version; None when there is no name, or an empty one.

        Notes which raw name and raw version it was, for `taken`.
        """
        model, version = self.read_model(envelope), self.read_version(envelope)
        plain = type(model) is str and type(version) in _RAW_VERSIONS
        key = self._seen.get((model, version)) if plain else None
        if key is None:
            key = self.key(model, version)
            if plain and key is not None:
                self._seen[model, version] = key
        return key

    def taken(self) -> dict[Pair, ModelKey]:
        """The raw names and versions met since the last call."""
        seen, self._seen = self._seen, {}
        return seen

    def key(self, model: Any, version: Any) -> ModelKey | None:
        """The model version of a raw name and a raw version (text, or a number as its text)."""
        name = text_of(model)
        if not name:
            return None
        text = text_of(version) or UNVERSIONED
        if self._pattern is not None:
            match = self._pattern.search(text)
            text = (match[1] if match and match.re.groups else None) or text
        return ModelKey(self._names[name], self._names[text])
