"""What a metric family is: name, type, labels, and what may be given up for it."""

from enum import StrEnum

from msgspec import Struct

PREFIX = "anchorwatch_"
MODEL = ("model", "model_version")
STREAM = (*MODEL, "feature", "kind")
WINDOW = (*STREAM, "window")
SEGMENT = (*MODEL, "segmentation", "segment")


class MetricType(StrEnum):
    """What a family is; `untyped` is what the text format calls the unknown type of OpenMetrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"
    UNTYPED = "untyped"


class Detail(StrEnum):
    """How much is exported per stream; each level holds the one before.

    SUMMARY: one score and the quality counters. EPISODE: also the distances of what has drifted.
    FULL: everything. AUTO chooses (`service.publish.budget`).
    """

    SUMMARY = "summary"
    EPISODE = "episode"
    FULL = "full"
    AUTO = "auto"


class Group(StrEnum):
    """Who is asked about, and what the series budget may give up: only DISTANCE, SEGMENT and
    FEATURE, in this order.
    """

    VOLUME = "model"
    FEATURE = "feature"
    SEGMENT = "segment"
    DISTANCE = "distance"
    BOOKS = "books"
    HEALTH = "service"


class Family(Struct, frozen=True):
    """One metric family. `name` is without `prefix`; counters end in `_total`, infos in `_info`.

    `detail` is the least level at which it is exported.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()
    group: Group = Group.HEALTH
    detail: Detail = Detail.SUMMARY
    unit: str = ""
    prefix: str = PREFIX

    @property
    def full_name(self) -> str:
        """The name as it stands before the labels."""
        return self.prefix + self.name

    @property
    def openmetrics_name(self) -> str:
        """The family name of OpenMetrics: without the suffix that its samples carry."""
        suffix = {MetricType.COUNTER: "_total", MetricType.INFO: "_info"}.get(self.type, "")
        return self.full_name.removesuffix(suffix)


def counter(
    name: str,
    text: str,
    labels: tuple[str, ...] = (),
    group: Group = Group.HEALTH,
    unit: str = "",
) -> Family:
    """A family that only grows; `name` without `_total`."""
    return Family(f"{name}_total", MetricType.COUNTER, text, labels, group, unit=unit)


def gauge(
    name: str,
    text: str,
    labels: tuple[str, ...] = (),
    group: Group = Group.HEALTH,
    unit: str = "",
) -> Family:
    """A family that goes up and down."""
    return Family(name, MetricType.GAUGE, text, labels, group, unit=unit)


def histogram(
    name: str,
    text: str,
    labels: tuple[str, ...] = (),
    group: Group = Group.HEALTH,
    unit: str = "",
) -> Family:
    """A family of counts by upper bound, with their sum."""
    return Family(name, MetricType.HISTOGRAM, text, labels, group, unit=unit)


def info(name: str, text: str, labels: tuple[str, ...], group: Group = Group.HEALTH) -> Family:
    """A family of constant 1 whose labels are the message; `name` without `_info`."""
    return Family(f"{name}_info", MetricType.INFO, text, labels, group)


def distance(name: str, text: str, unit: str = "") -> Family:
    """A distance of one stream and window to the reference."""
    return Family(name, MetricType.GAUGE, text, WINDOW, Group.DISTANCE, Detail.EPISODE, unit)
