"""Which reference is in force for a model version, and from when."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from service.monitor.references.file import read, write
from service.values.plans import Plan, Schedule
from service.values.references import Reference

MakePlan = Callable[[Reference | None, bool], Plan]
"""Makes the plan for a reference; the flag says whether streams without one are to be learned."""


class InForce(Struct, frozen=True):
    """One entry: the reference for panes that start at `effective_from_seconds` or later.

    `given_hash` is the hash of the reference file this entry came from ("" when learned from
    nothing), so that a file that was exchanged is noticed. `text` is the reference as a file, kept
    because every snapshot holds it.
    """

    effective_from_seconds: float
    given_hash: str
    reference: Reference | None
    text: str | None
    plan: Plan


class References:
    """The entries in force for one model version, ascending by time; there is always one."""

    def __init__(self, given: Reference | None, make_plan: MakePlan) -> None:
        self._make_plan = make_plan
        self._schedule: Schedule | None = None
        given_hash = "" if given is None else given.hash
        self._entries = [self._entry(-math.inf, given_hash, given, learns=True)]

    @property
    def newest(self) -> InForce:
        """The entry that came last, perhaps not yet in force."""
        return self._entries[-1]

    def schedule(self) -> Schedule:
        """The plans by time, for the decoder; the same object until something changes."""
        if self._schedule is None:
            plans = tuple((e.effective_from_seconds, e.plan) for e in self._entries)
            self._schedule = Schedule(plans)
        return self._schedule

    def knows(self, reference_hash: str) -> bool:
        """Whether there is an entry with this reference."""
        return any(e.plan.reference_hash == reference_hash for e in self._entries)

    def with_hash(self, reference_hash: str) -> InForce:
        """The entry by its plan's reference. Raises KeyError if there is none."""
        for entry in reversed(self._entries):
            if entry.plan.reference_hash == reference_hash:
                return entry
        raise KeyError(reference_hash)

    def add(
        self,
        effective_from_seconds: float,
        given_hash: str,
        reference: Reference | None,
        *,
        learns: bool,
    ) -> None:
        """From that time on `reference` is in force; `learns` says whether the rest is learned.

        Entries that would have come into force then or later never do.
        """
        earlier = [e for e in self._entries if e.effective_from_seconds < effective_from_seconds]
        added = self._entry(effective_from_seconds, given_hash, reference, learns)
        self._entries = [*earlier, added]
        self._schedule = None

    def retire(self, before_seconds: float) -> None:
        """Let go of entries that no pane at or after `before_seconds` can need."""
        while len(self._entries) > 1 and self._entries[1].effective_from_seconds <= before_seconds:
            del self._entries[0]
            self._schedule = None

    def state(self) -> list[dict[str, Any]]:
        """Plain values for a snapshot; references as their human-readable file."""
        return [
            {
                "effective_from_seconds": e.effective_from_seconds,
                "given_hash": e.given_hash,
                "reference": e.text,
                "learns": e.plan.learns,
            }
            for e in self._entries
        ]

    @classmethod
    def from_state(cls, state: Iterable[Mapping[str, Any]], make_plan: MakePlan) -> "References":
        """The entries that `state` was taken of, with plans as the settings want them now."""
        references = cls(None, make_plan)
        references._entries = []
        for entry in state:
            text = entry["reference"]
            reference = None if text is None else read(text, "snapshot")
            references.add(
                entry["effective_from_seconds"],
                entry["given_hash"],
                reference,
                learns=entry["learns"],
            )
        return references

    def _entry(
        self,
        effective_from_seconds: float,
        given_hash: str,
        reference: Reference | None,
        learns: bool,
    ) -> InForce:
        text = None if reference is None else write(reference)
        plan = self._make_plan(reference, learns)
        return InForce(effective_from_seconds, given_hash, reference, text, plan)
