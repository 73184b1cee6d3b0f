"""What is gathered of tables, in parts that merge: in one process, or in many at once."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from service.ingest.files.tables import Table

State: TypeAlias = Mapping[str, Any]
"""Plain values and arrays, as of the summaries of `detectors`."""


class Gathering(Protocol):
    """Is fed tables, in any order and split in any way, and with what others were fed.

    One that has seen nothing is what a copy in another process begins as.
    """

    def add(self, table: Table) -> None:
        """Take the rows of a table."""

    def parts(self) -> Mapping[str, State]:
        """All that was gathered, by part."""

    def absorb(self, part: str, state: State) -> None:
        """Add what another one has gathered in one of its parts."""


Gather: TypeAlias = Callable[[str, Gathering], None]
"""Feeds every table of the data to a gathering, for the purpose given."""
