"""What the decoder asks of the rest of the service."""

from typing import Protocol

from service.values.plans import Schedule
from service.values.streams import ModelKey


class Schedules(Protocol):
    """Who knows how each model's rows become columns."""

    def schedule(self, model: ModelKey) -> Schedule | None:
        """The plans of a model version; None when it is one model too many.

        Within one chunk the answer for a model must not change.
        """
        ...


class Limits(Protocol):
    """How much one record may bring."""

    @property
    def record_bytes(self) -> int:
        """Longest value of a record, in bytes, before decoding."""
        ...

    @property
    def rows_per_record(self) -> int:
        """Most rows in one record."""
        ...
