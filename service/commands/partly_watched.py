"""Which references are not watched as a whole, as the settings are."""

from collections.abc import Iterable, Iterator

from config.settings import Settings
from service.composition.wiring import watches
from service.monitor.references.planning import watched_part
from service.monitor.references.unwatched import Unwatched, unwatched
from service.values.references import Reference


def partly_watched(settings: Settings, references: Iterable[Reference]) -> Iterator[Unwatched]:
    """What is left out of each, since its features are ignored; nothing of those that are whole."""
    watch_for = watches(settings)
    for reference in references:
        found = unwatched(reference, watched_part(reference, watch_for(reference.model)))
        if found is not None:
            yield found
