"""What a new version of a model takes over from the version before: what is normal of the inputs.

Inputs belong to the model, outputs to the version: those are learned.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from service.monitor.references.reference import content_hash
from service.values.references import Reference
from service.values.streams import Kind

INHERITED = "inherited"
"""The source of a reference that another version's inputs were taken from."""


def inherited(candidates: Iterable[Reference], model: str, version: str) -> Reference | None:
    """The inputs of the newest reference of another version, None where there is none.

    The newest is the one that was created last; how its inputs are related is taken over too.
    """
    others = [r for r in candidates if r.model == model and r.version != version and _has_inputs(r)]
    if not others:
        return None
    return _inputs_of(
        max(others, key=lambda r: (r.lineage.created_seconds, r.version or "", r.hash)), version
    )


def _has_inputs(reference: Reference) -> bool:
    return any(stream.key.kind is Kind.INPUT for stream in reference.streams)


def _inputs_of(parent: Reference, version: str) -> Reference:
    streams = tuple(s for s in parent.streams if s.key.kind in {Kind.INPUT, Kind.JOINT})
    told = {k: v for k, v in parent.lineage.metadata.items() if k != "learned"}
    of = {"parent": parent.hash, "parent_version": parent.version or "any"}
    lineage = replace(parent.lineage, source=INHERITED, metadata=told | of)
    return replace(
        parent,
        version=version,
        streams=streams,
        lineage=lineage,
        hash=content_hash(parent.rows, streams, lineage, parent.projection),
    )
