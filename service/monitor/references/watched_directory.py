"""A directory of references while the service runs: files come, change, and may be broken."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from service.errors import ConfigurationError
from service.monitor.references.directory import ReferenceDirectory, readings
from service.values.references import Reference

_Seen = tuple[tuple[str, int, int], ...]


class WatchedDirectory:
    """The files of a directory, read again when one of them changes.

    When it is opened every file has to be sound, as `ReferenceDirectory` demands; later, of a file
    that is not, what it held before is kept. What was taken away is given no more: what holds
    already stays in force.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken_total = 0
        self.problems: Mapping[str, str] = {}
        self._seen = _files(path)
        self._good: dict[str, Reference] = {}
        ReferenceDirectory(path)
        self.look(again=True)

    def find(self, model: str, version: str) -> Reference | None:
        """The reference of exactly this version, else the model's for any version, else None."""
        found = {r.version: r for r in self.of_model(model)}
        return found.get(version) or found.get(None)

    def of_model(self, model: str) -> list[Reference]:
        """Those of all versions of a model."""
        return [reference for reference in self._good.values() if reference.model == model]

    def earlier(self, model: str, version: str) -> Iterator[Reference]:
        """None: a directory keeps what is in it."""
        del model, version
        return iter(())

    def look(self, *, again: bool = False) -> bool:
        """Read what has changed; whether a reference has."""
        seen = _files(self.path)
        if seen == self._seen and not again:
            return False
        self._seen = seen
        before = {(r.model, r.version): r.hash for r in self._good.values()}
        self._read()
        return before != {(r.model, r.version): r.hash for r in self._good.values()}

    def _read(self) -> None:
        good: dict[str, Reference] = {}
        problems: dict[str, str] = {}
        try:
            for file, outcome in readings(self.path):
                name = str(file)
                if isinstance(outcome, Reference):
                    good[name] = _same_or(self._good.get(name), outcome)
                else:
                    problems[name] = str(outcome).removeprefix(f"{file}: ")
                    good |= {name: self._good[name]} if name in self._good else {}
        except ConfigurationError as error:
            problems[str(self.path)] = str(error)
            good = self._good
        self.broken_total += sum(self.problems.get(name) != why for name, why in problems.items())
        self._good, self.problems = good, problems


def _same_or(known: Reference | None, outcome: Reference) -> Reference:
    """The object that is known, where the file says the same."""
    if known is None:
        return outcome
    told = [(r.model, r.version, r.hash, r.lineage) for r in (known, outcome)]
    return known if told[0] == told[1] else outcome


def _files(path: Path) -> _Seen:
    """Names, times and sizes: what changes when a file does."""
    found = []
    try:
        for file in path.glob("*.json"):
            stat = file.stat()
            found.append((file.name, stat.st_mtime_ns, stat.st_size))
    except OSError:
        return ()
    return tuple(sorted(found))
