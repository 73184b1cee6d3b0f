"""What the decoder asks of the rest of the service."""

from typing import Protocol

from service.values.plans import Schedule
from service.values.streams import ModelKey


class Schedules(Protocol):
    """Who knows how each model's rows become columns."""

    def schedule(self, model: ModelKey) -> Schedule | None:
        """The plans of a model version; None when it is one model too many.

        Within one chunk the answer for a model must not change, and while it does not change it
        is the same object.
        """
        ...
