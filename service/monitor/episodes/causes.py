"""The likely cause of an episode: a table over what is known already."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from service.values.episodes import Category, Episode
from service.values.streams import Kind, segment_of


class Versions(StrEnum):
    """Whether the other versions of the model that are in use drift too."""

    ALIKE = "alike"
    STEADY = "steady"
    NONE = "none"


class Situation(Struct, frozen=True):
    """What is known of a model version: which of its streams drift, and who else drifts.

    `upstream`: other models on the same source began at the same time. `behind`: what was judged
    is long past, since we lag. `segments_only`: of the outputs none but those of segments drift.
    """

    inputs: bool = False
    outputs: bool = False
    segments_only: bool = False
    quality: bool = False
    upstream: bool = False
    versions: Versions = Versions.NONE
    behind: bool = False


def situation_of(
    mine: Iterable[Episode],
    others: Iterable[Episode | None],
    *,
    upstream: bool,
    behind: bool,
) -> Situation:
    """What the open episodes say: those of a model version, and for each of its other versions
    that are in use the one of drift, None where it is steady.
    """
    drifting = [s for episode in mine for s in episode.streams if s.drifts]
    kinds = {stream.kind for stream in drifting}
    outputs = [stream.key for stream in drifting if stream.kind is Kind.OUTPUT]
    return Situation(
        inputs=Kind.INPUT in kinds,
        outputs=bool(outputs),
        segments_only=bool(outputs) and None not in map(segment_of, outputs),
        quality=Kind.QUALITY in kinds,
        upstream=upstream,
        versions=_versions(Kind.INPUT if Kind.INPUT in kinds else Kind.OUTPUT, others),
        behind=behind,
    )


class Cause(StrEnum):
    """What most likely happened."""

    BROKEN_DATA = "broken_data"
    UPSTREAM_SOURCE = "upstream_source"
    NEW_VERSION = "new_version"
    SHARED_INPUTS = "shared_inputs"
    INPUTS_AND_SCORE = "inputs_and_score"
    TOLERATED = "tolerated"
    MODEL = "model"
    SEGMENT = "segment"
    SHARED_SCORE = "shared_score"
    JOINT = "joint"
    SERVING = "serving"
    PRODUCER = "producer"
    LAGGING = "lagging"


LIKELY = {
    Cause.BROKEN_DATA: "schema or pipeline break: values are missing, invalid or of unknown "
    "categories. Do not judge drift until it is mended.",
    Cause.UPSTREAM_SOURCE: "upstream: several models on one source at the same time. A rollback "
    "will not help; ask the owner of the source.",
    Cause.NEW_VERSION: "this version alone: it is sent other traffic or preprocesses otherwise "
    "than the other versions. Roll back the canary.",
    Cause.SHARED_INPUTS: "the inputs of all versions alike, and the score followed: the data "
    "changed, not the model. A rollback will not help.",
    Cause.INPUTS_AND_SCORE: "the inputs changed and the score followed: look at where the data "
    "come from before the model.",
    Cause.TOLERATED: "the population changed and the score did not follow: the model tolerates it "
    "so far. A ticket, not a page.",
    Cause.MODEL: "the model or its artefact: its score moved while its inputs are steady. "
    "Roll back.",
    Cause.SEGMENT: "some segments alone: their score moved while that of all and the inputs are "
    "steady. Look at what is sent of these, and at rules that are theirs.",
    Cause.SHARED_SCORE: "the scores of all versions moved while each input is steady: the inputs "
    "changed together, or preprocessing that versions share. Look at correlations.",
    Cause.JOINT: "how the inputs go together changed, while each alone is steady: look at joins "
    "and at preprocessing.",
    Cause.SERVING: "serving: the model answers slower or faster than it did. Look at its host, "
    "its load and what it calls.",
    Cause.PRODUCER: "the producer sends other amounts than usual: look at who calls the model.",
    Cause.LAGGING: "us: we are behind, so that newer events are not counted yet.",
}
"""What to say, and what to do, for each cause."""


def likely_cause(category: Category, known: Situation) -> Cause:
    """The first row of the table that fits an episode of this category."""
    if category is Category.VOLUME:
        return Cause.LAGGING if known.behind else Cause.PRODUCER
    if category is Category.DRIFT:
        return _of_drift(known)
    return _WHATEVER_ELSE[category]


_WHATEVER_ELSE = {
    Category.UPSTREAM: Cause.UPSTREAM_SOURCE,
    Category.LATENCY: Cause.SERVING,
    Category.QUALITY: Cause.BROKEN_DATA,
}


def _of_drift(known: Situation) -> Cause:
    if known.quality:
        return Cause.BROKEN_DATA
    if known.inputs:
        return _of_inputs(known)
    if known.segments_only:
        return Cause.SEGMENT
    if known.outputs:
        return Cause.SHARED_SCORE if known.versions is Versions.ALIKE else Cause.MODEL
    return Cause.JOINT


def _of_inputs(known: Situation) -> Cause:
    if known.upstream:
        return Cause.UPSTREAM_SOURCE
    if known.versions is Versions.STEADY:
        return Cause.NEW_VERSION
    if not known.outputs:
        return Cause.TOLERATED
    if known.versions is Versions.ALIKE:
        return Cause.SHARED_INPUTS
    return Cause.INPUTS_AND_SCORE


def _versions(kind: Kind, others: Iterable[Episode | None]) -> Versions:
    """Whether streams of `kind` drift in another version too."""
    others = list(others)
    if not others:
        return Versions.NONE
    alike = (s for episode in others if episode for s in episode.streams)
    return Versions.ALIKE if any(s.drifts and s.kind is kind for s in alike) else Versions.STEADY
