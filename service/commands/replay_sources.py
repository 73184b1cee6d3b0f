"""How the events of a replay are read: as a source of the configuration says, or as native ones."""

from config.settings import Settings
from config.sources import SourceSettings
from service.commands.replay_episode import Remembered, source_of
from service.commands.replay_heads import heads_of
from service.commands.replay_warnings import require_models
from service.errors import ConfigurationError


def events_source(
    settings: Settings, name: str | None, files: tuple[str, ...], asked: Remembered | None
) -> SourceSettings:
    """The source that reads files: that of this name in the configuration; without a name that by
    which the events of the episode came, else native events.

    Raises ConfigurationError when there is none of this name, or the files are tables of no model.
    """
    known_source = None if asked is None else source_of(asked, settings)
    if name is None and known_source is not None:
        return known_source
    if name is None:
        require_models(heads_of(files))
        return SourceSettings(name="replay", files=files)
    return named_source(settings, name)


def named_source(settings: Settings, name: str) -> SourceSettings:
    """That of the configuration. Raises ConfigurationError that tells which there are."""
    for source in settings.sources:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in settings.sources) or "none"
    raise ConfigurationError(f"--source: there is no source {name!r}; there are: {known}")
