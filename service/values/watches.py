"""How one model is to be watched: the settings of a model as the monitor needs them."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from service.values.streams import Kind, StreamKey, ValueType, segment_of


class WindowLength(Struct, frozen=True):
    """A sliding window as configured: its name ("5m") and its length."""

    name: str
    seconds: float


class DetectorChoice(Struct, frozen=True):
    """A change detector by its catalogue name, with the parameters that were set by hand."""

    name: str
    parameters: Mapping[str, float | int | str | bool] = {}


class Budget(Struct, frozen=True):
    """At most `alarms` false ones in `period_seconds`, of each team, of each model or in all."""

    alarms: float
    period_seconds: float
    scope: str


class Sharing(NamedTuple):
    """How many streams share a budget: `streams` of whole models, and `segments` of their
    predictions.
    """

    streams: int = 0
    segments: int = 0

    def plus(self, other: "Sharing") -> "Sharing":
        """Both together."""
        return Sharing(self.streams + other.streams, self.segments + other.segments)


class Segmentation(Struct, frozen=True):
    """Predictions are told apart by a feature: by its categories or, of a numeric one, by the
    ranges between `cuts` (ascending); without any by quarters of its reference.
    """

    feature: str
    cuts: tuple[float, ...] = ()


class SeasonWatch(Struct, frozen=True):
    """The season that streams may follow: `period` is week, day or none. Hours are those of the
    wall clock in `timezone` (an IANA name); a day of `holidays` is taken for a Sunday.
    """

    period: str = "none"
    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()


class Mute(Struct, frozen=True):
    """A feature that is not to count until a time: always with an author and a reason."""

    until_seconds: float
    by: str
    why: str
    ticket: str = ""


class FeatureWatch(Struct, frozen=True):
    """How one feature is watched. `type` None = as the reference says or as inferred. Of a `hidden`
    one no value is told: no name of a category, no edge of a bin, no quantile.
    """

    ignore: bool = False
    type: ValueType | None = None
    missing: tuple[float | str, ...] = ()
    source: str = ""
    mute: Mute | None = None
    hidden: bool = False


class PolicyLimits(Struct, frozen=True):
    """What a policy of model risk holds against a model: one distance to the reference over a long
    window, and the two limits that it names. Nothing alarms at them.

    `method` is psi, jensen_shannon, ks or wasserstein_sd; the first two are taken over `bins` of
    equal share of the reference where values are numeric, and over categories as they are.
    """

    method: str
    bins: int
    window: WindowLength
    amber: float
    red: float


class Watch(Struct, frozen=True):
    """How one model is watched. `tolerance_sd` is the shift of the mean that does not matter, in
    numeric streams and as much in shape in others. A rate r of a share does not matter up to
    max(`tolerance_ratio` r, r + `tolerance_points`).

    `cutoffs` are those of the prediction: the share above each is a stream of its own. So are the
    predictions in each of the largest `segments_max` segments of each of `segmentations`.

    `learn` says whether streams without a reference learn one from their first `learn_events`
    events, spread over at least `learn_seconds`; `inherit`, whether a version without a reference
    first takes over what is normal of the inputs from another version. A drift ends after
    `recover_panes` quiet panes. `hidden`: no values are told of any stream.
    """

    team: str
    tier: int
    runbook: str
    windows: tuple[WindowLength, ...]
    detectors: tuple[DetectorChoice, ...]
    budget: Budget
    tolerance_sd: float
    recover_panes: int
    learn: bool
    learn_events: int
    learn_seconds: float
    missing: tuple[float | str, ...]
    columns: tuple[str, ...]
    features_max: int
    categories_max: int
    ignored: tuple[str, ...]
    feature: Callable[[str], FeatureWatch]
    cutoffs: tuple[float, ...] = ()
    segmentations: tuple[Segmentation, ...] = ()
    segments_max: int = 20
    tolerance_ratio: float = 1.5
    tolerance_points: float = 0.002
    season: SeasonWatch = SeasonWatch()
    policy: PolicyLimits | None = None
    inherit: bool = False
    hidden: bool = False

    def hides(self, stream: StreamKey) -> bool:
        """Whether no value of a stream is to be told: of a hidden feature, of a segment by one, or
        where all are.
        """
        if self.hidden:
            return True
        segment = segment_of(stream)
        if segment is not None:
            return self.feature(segment.segmentation).hidden
        return stream.kind in {Kind.INPUT, Kind.QUALITY} and self.feature(stream.name).hidden

    def mute_of(self, stream: StreamKey, at_seconds: float) -> Mute | None:
        """The mute of a stream that holds at a time (epoch seconds), if any: that of the feature
        whose values or whose quality it is.
        """
        if stream.kind not in {Kind.INPUT, Kind.QUALITY}:
            return None
        mute = self.feature(stream.name).mute
        return mute if mute is not None and at_seconds < mute.until_seconds else None
