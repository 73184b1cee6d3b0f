"""What a person is shown of the registry of references, and of what two of them differ in."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from service.monitor.references.difference import Difference, StreamDifference
from service.registry.publishing import Outcome, title
from service.registry.registry import Identity, Registry, Shelf
from service.values.references import Reference
from service.values.streams import Kind, StreamKey

HASH_DIGITS = 12
NOTICED_PSI = 0.1
"""A difference of a PSI above this is named in the sentence that sums up."""

_NAMED_MAX = 10
_QUIET_SIZE = 0.01


def shelves(registry: Registry, model: str | None) -> list[tuple[Identity, Shelf]]:
    """Model versions that have a reference, by name; of one model, or of all."""
    found = [
        (identity, shelf)
        for identity, shelf in registry.shelves.items()
        if shelf.current is not None and model in {None, identity[0]}
    ]
    return sorted(found, key=lambda one: (one[0][0], one[0][1] or ""))


def current_table(found: Iterable[tuple[Identity, Shelf]]) -> Table:
    """A line a model version: what is current, since when and by whom."""
    table = _table("model", "version", "current", "since (UTC)", "by", "rows", "streams", "kept")
    for (model, version), shelf in found:
        chosen = shelf.current
        if chosen is None:
            continue
        told = shelf.publications[chosen.choice.hash].publication
        table.add_row(
            Text(model),
            Text("any" if version is None else version),
            chosen.choice.hash[:HASH_DIGITS],
            minute(chosen.at_seconds),
            Text(chosen.choice.by),
            f"{told.rows:,}",
            f"{told.streams:,}",
            str(len(shelf.publications)),
        )
    return table


def history_table(found: Iterable[tuple[Identity, Shelf]]) -> Table:
    """A line for each time that a reference became current, the newest first."""
    table = _table("model", "version", "reference", "at (UTC)", "what", "by", "why", "rows")
    for (model, version), shelf in found:
        for chosen in reversed(shelf.choices.values()):
            known = shelf.publications.get(chosen.choice.hash)
            is_current = chosen is shelf.current
            table.add_row(
                Text(model),
                Text("any" if version is None else version),
                chosen.choice.hash[:HASH_DIGITS] + (" current" if is_current else ""),
                minute(chosen.at_seconds),
                chosen.choice.action,
                Text(chosen.choice.by),
                Text(chosen.choice.why),
                "not kept" if known is None else f"{known.publication.rows:,}",
            )
    return table


def as_documents(found: Iterable[tuple[Identity, Shelf]]) -> list[dict[str, Any]]:
    """For a program: a model version each, with its history, the newest first."""
    return [
        {
            "model": model,
            "version": version,
            "current": None if shelf.current is None else shelf.current.choice.hash,
            "references": [
                {
                    "hash": published.publication.hash,
                    "rows": published.publication.rows,
                    "streams": published.publication.streams,
                    "source": published.publication.source,
                    "published": moment(published.at_seconds),
                }
                for published in shelf.publications.values()
            ],
            "history": [
                {
                    "hash": chosen.choice.hash,
                    "at": moment(chosen.at_seconds),
                    "action": chosen.choice.action,
                    "by": chosen.choice.by,
                    "why": chosen.choice.why,
                }
                for chosen in reversed(shelf.choices.values())
            ],
        }
        for (model, version), shelf in found
    ]


def published_words(reference: Reference, outcome: Outcome) -> str:
    """What became of a reference that was to be published."""
    name, hash_ = title(reference.model, reference.version), reference.hash[:HASH_DIGITS]
    current = outcome.current
    if outcome.done == "unchanged":
        since = f"since {minute(current.at_seconds)} UTC, by {current.choice.by}"
        return f"{name}: {hash_} is the current reference already, {since}"
    done = "published" if outcome.done == "published" else "was there, and is current again"
    before = "" if outcome.replaced is None else f"; before it was {outcome.replaced[:HASH_DIGITS]}"
    text = f"{name}: {hash_} of {reference.rows:,} rows {done}{before}"
    if current.choice.hash != reference.hash:
        text += f". Meanwhile {current.choice.by} published {current.choice.hash[:HASH_DIGITS]}"
    return text


def difference_table(found: Difference, *, everything: bool) -> Table:
    """A line a stream, the most different first; those that hardly differ only if asked for."""
    table = _table("stream", "PSI", "shift, sd", "missing before", "after", "what else")
    for stream in found.streams:
        if everything or stream.size > _QUIET_SIZE or math.isnan(stream.psi):
            table.add_row(
                Text(_name(stream.key)),
                "" if math.isnan(stream.psi) else f"{stream.psi:.3f}",
                "" if math.isnan(stream.shift_sd) else f"{stream.shift_sd:+.2f}",
                f"{100 * stream.missing_before:.2f} %",
                f"{100 * stream.missing_after:.2f} %",
                Text("; ".join(_categories(stream))),
            )
    return table


def difference_sentences(found: Difference, before: str, after: str) -> Iterator[str]:
    """What differs, in words; `before` and `after` are what the two are called."""
    if found.before.hash == found.after.hash:
        yield f"{after} is the same as {before}."
        return
    if found.added:
        yield f"Only {after} has {_names(found.added)}."
    if found.removed:
        yield f"Only {before} has {_names(found.removed)}."
    for retyped in found.retyped:
        yield f"{_name(retyped.key)} was {retyped.before}, and is {retyped.after} in {after}."
    beyond = found.beyond(NOTICED_PSI)
    if not beyond:
        yield f"No stream of {after} has a PSI above {NOTICED_PSI} to {before}."
        return
    named = ", ".join(f"{_name(s.key)} {s.psi:.2f}" for s in beyond[:_NAMED_MAX])
    more = f" and {len(beyond) - _NAMED_MAX} more" if len(beyond) > _NAMED_MAX else ""
    count = "1 stream" if len(beyond) == 1 else f"{len(beyond)} streams"
    yield f"{after} has {count} with a PSI above {NOTICED_PSI} to {before}: {named}{more}."


def difference_document(found: Difference, before: str, after: str) -> dict[str, Any]:
    """For a program."""
    return {
        "before": {"name": before, "hash": found.before.hash, "rows": found.before.rows},
        "after": {"name": after, "hash": found.after.hash, "rows": found.after.rows},
        "added": [_key(key) for key in found.added],
        "removed": [_key(key) for key in found.removed],
        "retyped": [
            _key(one.key) | {"before": str(one.before), "after": str(one.after)}
            for one in found.retyped
        ],
        "streams": [
            _key(stream.key)
            | {
                "psi": _finite(stream.psi),
                "shift_sd": _finite(stream.shift_sd),
                "missing_before": stream.missing_before,
                "missing_after": stream.missing_after,
                "new_categories": dict(stream.new),
                "gone_categories": dict(stream.gone),
            }
            for stream in found.streams
        ],
    }


def minute(seconds: float) -> str:
    """`2026-11-23 10:20`, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def moment(seconds: float) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _table(*headings: str) -> Table:
    table = Table()
    right = {"rows", "streams", "kept", "PSI", "shift, sd", "missing before", "after"}
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def _categories(stream: StreamDifference) -> Iterator[str]:
    for word, shares in (("new", stream.new), ("gone", stream.gone)):
        if shares:
            named = (f"{name} ({100 * share:.1f} %)" for name, share in shares.items())
            yield f"{word}: {', '.join(named)}"


def _names(keys: Sequence[StreamKey]) -> str:
    shown = ", ".join(map(_name, keys[:_NAMED_MAX]))
    return f"{shown} and {len(keys) - _NAMED_MAX} more" if len(keys) > _NAMED_MAX else shown


def _name(key: StreamKey) -> str:
    return key.name if key.kind is Kind.INPUT else f"{key.kind.value} {key.name}"


def _key(key: StreamKey) -> dict[str, str]:
    return {"kind": key.kind.value, "name": key.name}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
