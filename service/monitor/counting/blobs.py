"""A shard's state in named pieces, so that a flush writes only those that have changed.

core            the position's books, clocks and counters, and names of features
open/<...>      one open pane
outbox/<...>    one closed pane that is on its way to the judge
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from service.errors import StateCorrupt
from service.monitor.counting.model_shard import ClosedPane, ModelShard, PlanByHash
from service.monitor.counting.panes import Pane, PaneId
from service.monitor.counting.shard import Shard
from service.monitor.counting.totals import RecordBook
from service.values.exchange import Decode, Encode
from service.values.plans import Plan
from service.values.records import Partition
from service.values.streams import ModelKey

CORE = "core"
_OPEN, _OUTBOX = "open/", "outbox/"


class Blobs(NamedTuple):
    """What to write: `changed` by name, None = gone. Once it is written, `known` is."""

    changed: dict[str, bytes | None]
    known: Mapping[str, Hashable]


class Piece(NamedTuple):
    """A blob that is made when it is needed. Equal `version`: equal content."""

    name: str
    version: Hashable
    make: Callable[[], bytes]


class PlanUnknown(LookupError):
    """The reference that a pane was counted by is found nowhere. The message is its hash."""


_OF_OTHERS = object()


def of_others(names: Iterable[str]) -> Mapping[str, Hashable]:
    """What is `known` where a writer before left blobs: all is written anew, and what is there no
    longer is taken away.
    """
    return dict.fromkeys(names, _OF_OTHERS)


def changed_blobs(pieces: Iterable[Piece], known: Mapping[str, Hashable]) -> Blobs:
    """Those of the pieces that are not `known`, and what is known but no longer there."""
    changed: dict[str, bytes | None] = {}
    now: dict[str, Hashable] = {}
    for piece in pieces:
        now[piece.name] = piece.version
        if piece.name not in known or known[piece.name] != piece.version:
            changed[piece.name] = piece.make()
    changed |= dict.fromkeys(known.keys() - now.keys())
    return Blobs(changed, now)


def shard_blobs(shard: Shard, known: Mapping[str, Hashable], encode: Encode) -> Blobs:
    """What has changed of a shard since `known` was; an empty `known` gives all of it."""
    return changed_blobs(_pieces(shard, encode), known)


def shard_from_blobs(
    partition: Partition,
    next_offset: int,
    blobs: Mapping[str, bytes],
    plan: PlanByHash,
    decode: Decode,
    now_seconds: float,
) -> Shard:
    """The shard that was written; `plan` finds a model's plan by its reference, or raises KeyError.
    Blobs of others are left alone.

    Raises StateCorrupt or FormatTooNew, and PlanUnknown where `plan` does not find a reference.
    """
    if CORE not in blobs:
        raise StateCorrupt(f"the state of {_words(partition)} has no part {CORE!r}")
    shard = Shard(partition, next_offset, now_seconds)
    try:
        _restore_core(shard, decode(blobs[CORE]))
        for name, blob in blobs.items():
            if name.startswith((_OPEN, _OUTBOX)):
                _restore_pane(shard, name, decode(blob), plan)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StateCorrupt(f"the state of {_words(partition)} makes no sense: {error!r}") from error
    return shard


def short(*words: object) -> str:
    """A short name for what may be long."""
    return blake2b("\0".join(map(str, words)).encode(), digest_size=12).hexdigest()


def _pieces(shard: Shard, encode: Encode) -> Iterable[Piece]:
    core = encode(_core(shard))
    yield Piece(CORE, blake2b(core, digest_size=16).digest(), lambda: core)
    for key, model in shard.models.items():
        for known, pane in model.panes.items():
            yield Piece(_name(_OPEN, key, known), pane.changes, _open(encode, key, pane))
        for known, closed in model.outbox.items():
            yield Piece(_name(_OUTBOX, key, known), None, _closed(encode, key, closed))


def _open(encode: Encode, key: ModelKey, pane: Pane) -> Callable[[], bytes]:
    return lambda: encode({"model": key.model, "version": key.version, "pane": pane.state()})


def _closed(encode: Encode, key: ModelKey, closed: ClosedPane) -> Callable[[], bytes]:
    return lambda: encode(
        {
            "model": key.model,
            "version": key.version,
            "start_seconds": closed.id.start_seconds,
            "reference": closed.id.reference_hash,
            "pane_seconds": closed.pane_seconds,
            "rows": closed.rows,
            "counts_hash": closed.counts_hash,
            "body": closed.body,
        }
    )


def _name(kind: str, key: ModelKey, known: PaneId) -> str:
    return f"{kind}{short(*key, known.reference_hash)}/{known.start_seconds!r}"


def _core(shard: Shard) -> dict[str, Any]:
    return {
        "counted_since_era": shard.counted_since_era,
        "newest_record_seconds": shard.newest_record_seconds,
        "book": shard.book.state(),
        "models": [
            model.counters(key) | {"unknown_features": sorted(model.unknown_features)}
            for key, model in shard.models.items()
        ],
    }


def _restore_core(shard: Shard, core: dict[str, Any]) -> None:
    shard.counted_since_era = core["counted_since_era"]
    shard.newest_record_seconds = core["newest_record_seconds"]
    shard.book = RecordBook.from_state(core["book"])
    for state in core["models"]:
        key = ModelKey(state["model"], state["version"])
        shard.models[key] = ModelShard.without_panes(state)
        shard.models[key].unknown_features = set(state["unknown_features"])


def _restore_pane(shard: Shard, name: str, state: dict[str, Any], plan: PlanByHash) -> None:
    key = ModelKey(state["model"], state["version"])
    model = shard.models[key]
    if name.startswith(_OPEN):
        pane = Pane.from_state(_found(plan, key, state["pane"]["reference"]), state["pane"])
        model.panes[pane.id] = pane
        return
    known = PaneId(state["start_seconds"], state["reference"])
    fields = (state["pane_seconds"], state["rows"], state["counts_hash"], state["body"])
    model.outbox[known] = ClosedPane(known, *fields)


def _found(plan: PlanByHash, key: ModelKey, reference_hash: str) -> Plan:
    try:
        return plan(key, reference_hash)
    except KeyError as error:
        raise PlanUnknown(reference_hash) from error


def _words(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
