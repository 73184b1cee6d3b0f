"""The references of the registry as the service finds them: current, sound, of each version."""

from collections.abc import Iterator, Mapping

from service.errors import ConfigurationError, RecoverableError
from service.monitor.references.file import read
from service.registry.publishing import title
from service.registry.records import BrokenRecord
from service.registry.registry import Identity, Published, Registry
from service.values.references import Reference


class RegistryReferences:
    """Reads each reference once. One that cannot be read is named, and the last that can holds.

    The registry was read to its end before. A broker that does not answer changes nothing.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.unreachable_total = 0
        self._read: dict[Identity, tuple[str, Reference]] = {}

    @property
    def problems(self) -> Mapping[str, str]:
        """What is in the topic and cannot be used, and why."""
        return self.registry.problems

    @property
    def broken_total(self) -> int:
        """How often something could not be used, or the broker did not answer."""
        return self.registry.broken_total + self.unreachable_total

    def find(self, model: str, version: str) -> Reference | None:
        """The reference of exactly this version, else the model's for any version, else None."""
        return self.current(model, version) or self.current(model, None)

    def of_model(self, model: str) -> list[Reference]:
        """The current ones of all versions of a model."""
        versions = [version for name, version in self.registry.shelves if name == model]
        found = [self.current(model, version) for version in versions]
        return [reference for reference in found if reference is not None]

    def current(self, model: str, version: str | None) -> Reference | None:
        """The current one, or the last before it that can be read."""
        shelf = self.registry.shelf(model, version)
        for chosen in shelf.newest_first():
            found = self.read(model, version, shelf.publications[chosen.choice.hash])
            if found is not None:
                return found
        return None

    def earlier(self, model: str, version: str) -> Iterator[Reference]:
        """Every other one that is kept, of this version and of any."""
        for of in (version, None):
            shelf = self.registry.shelf(model, of)
            current = shelf.current
            for chosen in shelf.newest_first():
                if chosen is current:
                    continue
                found = self.read(model, of, shelf.publications[chosen.choice.hash], keep=False)
                if found is not None:
                    yield found

    def read(
        self, model: str, version: str | None, published: Published, *, keep: bool = True
    ) -> Reference | None:
        """A reference that was published, None where it cannot be read: that is named."""
        publication = published.publication
        known = self._read.get((model, version))
        if known is not None and known[0] == publication.blob.id:
            return known[1]
        name = f"reference {publication.hash[:12]} of {title(model, version)}"
        try:
            found = read(self.registry.text(model, publication.blob), name)
            _require((found.model, found.version, found.hash), (model, version, publication.hash))
        except (BrokenRecord, ConfigurationError, RecoverableError) as error:
            self.registry.note_problem(name, str(error).removeprefix(f"{name}: "))
            return None
        self.registry.note_problem(name, None)
        if keep:
            self._read[model, version] = (publication.blob.id, found)
        return found

    def look(self) -> bool:
        """Read what has come; whether anything has."""
        try:
            return self.registry.look()
        except RecoverableError:
            self.unreachable_total += 1
            return False


def _require(found: tuple[str, str | None, str], wanted: tuple[str, str | None, str]) -> None:
    if found != wanted:
        raise BrokenRecord(f"it holds another one, {found[2][:12]} of {title(*found[:2])}")
