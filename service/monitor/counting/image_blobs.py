"""The images in named pieces for the judge's snapshot, so that only what changed is written.

    image/tally       what was counted of all
    image/at/<...>    one partition: its progress, and what is remembered of its panes
    image/held/<...>  one pane that waits, as it was sent; so are early/ and staged/

A snapshot has to hold the images as of one moment, with the positions in the topic of panes.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

from service.errors import StateCorrupt
from service.monitor.counting.blobs import Blobs, Piece, changed_blobs, short
from service.monitor.counting.image import Image
from service.monitor.counting.images import Images
from service.monitor.counting.model_image import JudgedEarly, ModelImage
from service.monitor.counting.panes import PaneId
from service.monitor.counting.totals import ModelTotals, RecordBook
from service.values.exchange import Decode, Encode, SentPane, Stamp
from service.values.records import Partition
from service.values.streams import ModelKey

PREFIX = "image/"
_TALLY = "image/tally"
_COUNTED = ("conflicts", "repeats", "late", "rows_lost", "unreadable")


def image_blobs(images: Images, known: Mapping[str, Hashable], encode: Encode) -> Blobs:
    """What has changed of the images since `known` was; an empty `known` gives all of it."""
    return changed_blobs(_pieces(images, encode), known)


def restore_images(images: Images, blobs: Mapping[str, bytes], decode: Decode) -> None:
    """Fill empty images from what was written; blobs of others are left alone.

    Raises StateCorrupt or FormatTooNew.
    """
    ours = {name: blob for name, blob in blobs.items() if name.startswith(PREFIX)}
    try:
        for name in sorted(ours):  # partitions come before the panes in them
            _restore(images, name, decode(ours[name]))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise StateCorrupt(f"the judge's images make no sense: {error!r}") from error


def _pieces(images: Images, encode: Encode) -> Iterator[Piece]:
    tally = {name: getattr(images.tally, name) for name in _COUNTED}
    yield Piece(_TALLY, tuple(tally.values()), lambda: encode(tally))
    for image in images:
        core = encode(_image(image))
        version = blake2b(core, digest_size=16).digest()
        yield Piece(f"image/at/{short(*image.partition)}", version, partial(bytes, core))
        for kind, sent in _waiting(image):
            yield Piece(_name(kind, sent), None, _made(encode, sent))


def _waiting(image: Image) -> Iterator[tuple[str, SentPane]]:
    yield from (("staged", sent) for sent in image.staged)
    for model in image.all_models.values():
        yield from (("held", sent) for sent in model.held.values())
        yield from (("early", sent) for sent in model.early.values())


def _name(kind: str, sent: SentPane) -> str:
    stamp = (sent.stamp.writer.hex(), *sent.stamp.reached)
    what = short(*sent.partition, *sent.model, sent.reference_hash, *stamp, sent.early)
    return f"image/{kind}/{what}/{sent.start_seconds!r}"


def _made(encode: Encode, sent: SentPane) -> Callable[[], bytes]:
    return lambda: encode(
        {
            "partition": list(sent.partition),
            "model": list(sent.model),
            "start_seconds": sent.start_seconds,
            "pane_seconds": sent.pane_seconds,
            "reference": sent.reference_hash,
            "early": sent.early,
            "stamp": _stamp(sent.stamp),
            "rows": sent.rows,
            "counts_hash": sent.counts_hash,
            "body": sent.body,
        }
    )


def _sent(state: dict[str, Any]) -> SentPane:
    return SentPane(
        partition=Partition(*state["partition"]),
        model=ModelKey(*state["model"]),
        start_seconds=state["start_seconds"],
        pane_seconds=state["pane_seconds"],
        reference_hash=state["reference"],
        early=state["early"],
        stamp=Stamp(*state["stamp"]),
        rows=state["rows"],
        counts_hash=state["counts_hash"],
        body=state["body"],
    )


def _stamp(stamp: Stamp) -> list[Any]:
    return [stamp.writer, stamp.era, stamp.applied_through]


def _image(image: Image) -> dict[str, Any]:
    return {
        "partition": list(image.partition),
        "stamp": None if image.stamp is None else _stamp(image.stamp),
        "progress": image.body if image.progress is not None else b"",
        "book_before": image.book_before.state(),
        "models": [_model(key, model) for key, model in image.all_models.items()],
    }


def _model(key: ModelKey, model: ModelImage) -> dict[str, Any]:
    forgotten = model.forgotten
    return {
        "model": list(key),
        "closed_through_seconds": model.closed_through_seconds,
        "judged_early": [
            [start, one.rows, one.end_seconds] for start, one in model.judged_early.items()
        ],
        "counts": [[*known, counts] for known, counts in model.counts.items()],
        "accepted_rows": model.accepted_rows,
        "before": model.before.state(),
        "forgotten": None if forgotten is None else forgotten.state(),
        "is_silent": model.is_silent,
    }


def _restore(images: Images, name: str, state: dict[str, Any]) -> None:
    kind = name.split("/")[1]
    if name == _TALLY:
        for counted in _COUNTED:
            setattr(images.tally, counted, state[counted])
    elif kind == "at":
        _restore_image(images, state)
    else:
        sent = _sent(state)
        image = images.image(sent.partition)
        if kind == "staged":
            image.staged.append(sent)
        else:
            model = image.all_models[sent.model]
            panes = model.held if kind == "held" else model.early
            panes[PaneId(sent.start_seconds, sent.reference_hash)] = sent


def _restore_image(images: Images, state: dict[str, Any]) -> None:
    image = images.image(Partition(*state["partition"]))
    image.book_before = RecordBook.from_state(state["book_before"])
    image.stamp = None if state["stamp"] is None else Stamp(*state["stamp"])
    for kept in state["models"]:
        _restore_model(image.model(ModelKey(*kept["model"])), kept)
    if state["progress"]:
        image.body = state["progress"]
        image.progress = images.progress_of(image.body)
        for key, told in image.progress.models.items():
            image.model(key).progress = told
    image.look()


def _restore_model(model: ModelImage, kept: dict[str, Any]) -> None:
    model.closed_through_seconds = kept["closed_through_seconds"]
    model.judged_early = {start: JudgedEarly(*rest) for start, *rest in kept["judged_early"]}
    model.counts = {PaneId(start, known): counts for start, known, counts in kept["counts"]}
    model.accepted_rows = kept["accepted_rows"]
    model.before = ModelTotals.from_state(kept["before"])
    if kept["forgotten"] is not None:
        model.forgotten = ModelTotals.from_state(kept["forgotten"])
    model.is_silent = kept["is_silent"]
