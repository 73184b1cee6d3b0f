"""All that is known now, frozen, for the publishers. They compute nothing and touch no detector."""

import math
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from service.values.episodes import Category, Episode, EpisodeCount, Severity
from service.values.records import Partition
from service.values.rejects import Reason
from service.values.streams import ModelKey, StreamKey, ValueType
from service.values.watches import Budget, PolicyLimits

LATENCY_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the latency histogram, the same for every model, so that they can be summed."""


CHECKPOINT_BOUNDS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram of how long checkpoints took."""


class ReferenceState(StrEnum):
    """`learning` until enough rows were seen; `none` when learning is off and no file was given."""

    READY = "ready"
    LEARNING = "learning"
    NONE = "none"


class StreamState(StrEnum):
    """What is done with a stream now."""

    WATCHED = "watched"
    LEARNING = "learning"
    MUTED = "muted"


class Knowledge(StrEnum):
    """What is known of how far a stream wanders. While `learning`, judged with wider tolerances; an
    `unstable` one never keeps its shape: it is blind, and never alarms.
    """

    SETTLED = "settled"
    LEARNING = "learning"
    UNSTABLE = "unstable"


class WindowReport(Struct, frozen=True):
    """A stream over one sliding window against its reference. NaN where not defined.

    `window` is the configured name ("5m"). `values` are valid values seen. `covers_seconds` is how
    far back the window really reaches. `mean_shift_sd` is the shift of the mean in reference sd.
    `psi_expected` is the PSI that sampling alone explains: live and in the reference.
    """

    window: str
    values: int
    covers_seconds: float
    psi: float
    jensen_shannon: float
    ks: float
    wasserstein_sd: float
    mean_shift_sd: float
    quantiles: tuple[tuple[float, float], ...] = ()
    psi_expected: float = float("nan")


class PolicyLevel(StrEnum):
    """Where a distance lies between the limits of a policy; `unknown` while it is not defined."""

    WITHIN = "within"
    AMBER = "amber"
    RED = "red"
    UNKNOWN = "unknown"


class PolicyReport(Struct, frozen=True):
    """A stream against the fixed limits of the model's policy, which alarm nobody.

    `distance` by the policy's method, NaN where not defined; `expected` is what of it sampling
    alone explains, live and in the reference. `bins` are those that have anything (cells, where the
    method knows no bins), `values` the valid values seen, `covers_seconds` how far back they reach.
    """

    limits: PolicyLimits
    distance: float
    expected: float
    values: int
    bins: int
    covers_seconds: float

    @property
    def level(self) -> PolicyLevel:
        """From a limit on it is that limit's colour."""
        if self.distance >= self.limits.red:
            return PolicyLevel.RED
        if self.distance >= self.limits.amber:
            return PolicyLevel.AMBER
        return PolicyLevel.UNKNOWN if math.isnan(self.distance) else PolicyLevel.WITHIN

    @property
    def too_few(self) -> bool:
        """Whether sampling alone is expected to reach amber: then the level says nothing."""
        return self.expected >= self.limits.amber

    @property
    def covered_ratio(self) -> float:
        """How much of the window is known yet, from 0 to 1; it drops a thirtieth at a time."""
        return min(1.0, self.covers_seconds / self.limits.window.seconds)


class DetectorReport(Struct, frozen=True):
    """One detector on one stream: it alarms when `evidence` reaches `level`."""

    name: str
    evidence: float
    level: float
    alarms: int


class StreamReport(Struct, frozen=True):
    """One stream. `score` = the largest evidence / level; 1 alarms; held at 1 while drifted.

    `drifted_since_seconds` is the start of the pane in which it alarmed, None when steady.
    `summary` says in words what changed ("up 0.41 sd, PSI 0.31"), empty when steady. Streams of
    quality and volume are counts of rows: they have no values, windows and missing values.
    `muted_until_seconds` is None where it is not muted. `predictions_total` is told of segments.
    """

    key: StreamKey
    type: ValueType
    state: StreamState
    score: float
    drifted_since_seconds: float | None
    missing_total: int
    invalid_total: int
    unseen_total: int
    source: str = ""
    hidden: bool = False
    windows: tuple[WindowReport, ...] = ()
    detectors: tuple[DetectorReport, ...] = ()
    summary: str = ""
    knowledge: Knowledge = Knowledge.SETTLED
    policy: PolicyReport | None = None
    muted_until_seconds: float | None = None
    predictions_total: int = 0


class ModelReport(Struct, frozen=True):
    """One model version now. `latency_counts` has one count a bucket of LATENCY_BOUNDS_SECONDS and
    one above; not cumulative. Times are epoch seconds, NaN before the first event.
    `detectable_shift_sd`: the smallest shift of a mean that would be noticed within an hour, in the
    typical numeric stream at the present rate of events; NaN when it is not known. `segments` are
    the streams of the predictions of segments; they are not among `streams`.
    """

    key: ModelKey
    team: str
    tier: int
    runbook: str
    reference_state: ReferenceState
    reference_learned_ratio: float
    reference_hash: str
    reference_rows: int
    reference_created_seconds: float
    predictions_total: int
    weight_total: float
    late_total: int
    rejected_totals: Mapping[Reason, int]
    latency_counts: tuple[int, ...]
    latency_sum_seconds: float
    last_record_seconds: float
    watermark_seconds: float
    streams: tuple[StreamReport, ...]
    segments: tuple[StreamReport, ...] = ()
    unknown_features: tuple[str, ...] = ()
    absent_features: tuple[str, ...] = ()
    panes_judged_total: int = 0
    unjudged_total: int = 0
    budget: Budget | None = None
    detectable_shift_sd: float = float("nan")
    policy: PolicyLimits | None = None

    @property
    def drifted(self) -> tuple[StreamReport, ...]:
        """The streams, and then the segments, that have drifted."""
        both = (*self.streams, *self.segments)
        return tuple(s for s in both if s.drifted_since_seconds is not None)


class WholeModel(Struct, frozen=True):
    """A model whatever its versions. `record_is_due`: by its own history it is a surprise that no
    record came since its newest one; None while that is not known. `severities` are those of alerts
    about the whole model.
    """

    model: str
    team: str
    record_is_due: bool | None
    severities: Mapping[Category, Severity]


class TopicReport(Struct, frozen=True):
    """The book of records of one topic: consumed = applied + ignored + rejected."""

    topic: str
    consumed: int
    applied: int
    ignored: int
    rejected: Mapping[Reason, int]


class PartitionReport(Struct, frozen=True):
    """One partition we own. `lag_seconds` is now - the newest applied record's timestamp while
    there is lag, 0 when caught up, NaN when unknown.
    """

    partition: Partition
    position: int
    lag_records: int
    lag_seconds: float


class LoopTiming(Struct, frozen=True):
    """Seconds spent in one step of the loop: total, calls and the longest since the start."""

    step: str
    seconds_total: float
    calls_total: int
    seconds_max: float


class ExchangeReport(Struct, frozen=True):
    """What the judge saw of the topic of panes, since its start.

    `conflicts_total`: panes that came twice with other counts, which must never be.
    `refused_totals`: records that could not be read, by reason. `lost_total`: records that
    retention deleted before they were read.
    """

    conflicts_total: int
    refused_totals: Mapping[str, int]
    lost_total: int


class ConfigReport(Struct, frozen=True):
    """The configuration in force. `files` tells of each file whether it is in force as it is now;
    `is_taken_up`, whether all that they say is, but for what is `waiting` for a restart. It was
    last at `success_seconds`, None where it never was.
    """

    hash: str
    files: Mapping[str, bool] = {}
    is_taken_up: bool = True
    success_seconds: float | None = None
    waiting: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ServiceReport(Struct, frozen=True):
    """The service itself. Times are epoch seconds, NaN when it has not happened yet.

    `absent_topics` are configured topics that are not there, with what to do; `warnings` say what
    else a person should know, besides why it is not ready. `episode_options` are what
    `anchorwatch episode` has to be given to find the record, None where none is kept.
    `state_free_bytes` and `state_size_bytes` are of the state directory, None where state is in a
    topic. `checkpoint_counts` has one count a bucket of CHECKPOINT_BOUNDS_SECONDS and one above;
    not cumulative. `state_reloads_total`: how often a worker read its shards again, since they
    could not be written. `exchange` is the judge's. `config` is None where no file is followed.
    """

    version: str
    revision: str
    config_hash: str
    started_seconds: float
    ready: bool
    not_ready_because: str
    checkpoint_last_success_seconds: float
    checkpoint_bytes: int
    checkpoint_failures_total: int
    checkpoint_fallbacks_total: int
    out_of_range_total: int
    dead_letters_total: int
    dead_letters_failed_total: int
    state_free_bytes: int | None
    state_size_bytes: int | None
    timings: tuple[LoopTiming, ...] = ()
    models_over_limit_total: int = 0
    episode_record_failures_total: int = 0
    reference_failures_total: int = 0
    absent_topics: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()
    episode_options: str | None = ""
    role: str = "all"
    external_url: str = ""
    checkpoint_counts: tuple[int, ...] = (0,) * (len(CHECKPOINT_BOUNDS_SECONDS) + 1)
    checkpoint_sum_seconds: float = 0.0
    state_reloads_total: int | None = None
    exchange: ExchangeReport | None = None
    config: ConfigReport | None = None

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Those of the configuration too."""
        return (*self.warnings, *(() if self.config is None else self.config.warnings))


class Report(Struct, frozen=True):
    """Everything, as of `at_seconds`. While `caught_up` is False no model series are published:
    after a restart counters would seem to go back.

    `episodes` are those that last and the last ones that are over; `episode_counts` counts all.
    `read_through_seconds`: when every log had been read to its end, the start of the process while
    one never was; NaN where none is read.
    """

    at_seconds: float
    caught_up: bool
    models: tuple[ModelReport, ...]
    topics: tuple[TopicReport, ...]
    partitions: tuple[PartitionReport, ...]
    partitions_missing: Mapping[str, int]
    service: ServiceReport
    episodes: tuple[Episode, ...] = ()
    episode_counts: tuple[EpisodeCount, ...] = ()
    whole_models: tuple[WholeModel, ...] = ()
    read_through_seconds: float = math.nan
