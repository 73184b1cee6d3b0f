"""A drift as people hear of it: one episode, from the first alarm until all is well again."""

from enum import StrEnum

from msgspec import Struct

from service.values.streams import Kind, ModelKey, StreamKey

UPSTREAM = "upstream"
"""The `kind` of an episode of a source, which belongs to no single model."""


class Phase(StrEnum):
    """What happened to an episode.

    ESCALATED: it became worse, and `escalated_because` says in what. ONGOING: it goes on, and
    something else that is known of it changed.
    """

    STARTED = "started"
    ESCALATED = "escalated"
    ONGOING = "ongoing"
    RECOVERED = "recovered"


class Category(StrEnum):
    """What streams drift together as one episode of a model version.

    DRIFT holds inputs, outputs and the joint stream: one change of the world shows in all of them.
    UPSTREAM is over all models on one source. SILENT and STALE are no episodes but alerts about a
    whole model, whose severity is found in the same way: no records although some are due, and a
    reference that is old or lacking for long. SILENT and LAG, that we are behind, are episodes of
    drills only.
    """

    DRIFT = "drift"
    LATENCY = "latency"
    QUALITY = "quality"
    VOLUME = "volume"
    UPSTREAM = "upstream"
    SILENT = "silent"
    STALE = "stale"
    LAG = "lag"


class Severity(StrEnum):
    """Whom it may reach. LOG: nobody, it is logged and recorded only."""

    PAGE = "page"
    TICKET = "ticket"
    LOG = "log"


CATEGORIES = {
    Kind.INPUT: Category.DRIFT,
    Kind.OUTPUT: Category.DRIFT,
    Kind.JOINT: Category.DRIFT,
    Kind.LATENCY: Category.LATENCY,
    Kind.QUALITY: Category.QUALITY,
    Kind.VOLUME: Category.VOLUME,
}
"""The category of every kind of stream."""


class SeenBy(Struct, frozen=True):
    """A detector that alarmed: in the pane that starts at `at_seconds`, by which evidence."""

    name: str
    at_seconds: float
    evidence: float
    level: float


class ChangedCell(Struct, frozen=True):
    """One cell of a stream: its name for people, and its share of the stream's rows before (in the
    reference) and after.
    """

    name: str
    before: float
    after: float


class EpisodeStream(Struct, frozen=True):
    """One stream of an episode.

    `score` is the evidence over the alarm level, as of the last pane, `peak` its highest.
    `since_seconds` is the start of the pane in which it alarmed first, `onset_seconds` when the
    change began by estimate. `words` say what changed, `cells` which of them most.
    `recovered_because` says why it drifts no more: it recovered, was muted, was accepted as normal,
    is compared with another reference, or is no longer watched.
    """

    kind: Kind
    name: str
    source: str
    score: float
    peak: float
    since_seconds: float
    onset_seconds: float
    recovered_seconds: float | None = None
    recovered_because: str = ""
    detectors: tuple[SeenBy, ...] = ()
    words: str = ""
    cells: tuple[ChangedCell, ...] = ()

    @property
    def key(self) -> StreamKey:
        """Which stream it is."""
        return StreamKey(self.kind, self.name)

    @property
    def drifts(self) -> bool:
        """False once it has recovered."""
        return self.recovered_seconds is None


class StreamDistance(Struct, frozen=True):
    """A stream over one window against the reference; None where not defined."""

    kind: Kind
    name: str
    window: str
    values: int
    psi: float | None
    jensen_shannon: float | None
    ks: float | None
    wasserstein_sd: float | None
    mean_shift_sd: float | None


class StreamCounts(Struct, frozen=True):
    """The cells of one stream, to be drawn: rows of the reference and rows of the episode.

    Numeric: `edges` are the k interior edges of k + 1 cells. Else `categories` name the cells; then
    come the rare ones and the unseen. Last are missing and invalid in both.
    """

    kind: Kind
    name: str
    edges: tuple[float, ...]
    categories: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


class OffsetRange(Struct, frozen=True):
    """Records of one partition, first to last, both included."""

    topic: str
    partition: int
    first: int
    last: int


class Evidence(Struct, frozen=True):
    """What an episode rests on, as of the event that holds it.

    The panes from `from_seconds` to `to_seconds` are those since its first alarm: `rows` of them,
    from the records of `offsets`. Distances and counts are of the streams with the highest scores.
    """

    from_seconds: float
    to_seconds: float
    rows: int
    offsets: tuple[OffsetRange, ...]
    reference_hash: str
    config_hash: str
    distances: tuple[StreamDistance, ...] = ()
    counts: tuple[StreamCounts, ...] = ()


class Member(Struct, frozen=True):
    """A model version in an upstream episode, and the episode of its own."""

    model: str
    version: str
    tier: int
    team: str
    episode: str
    since_seconds: float

    @property
    def key(self) -> ModelKey:
        """The model version."""
        return ModelKey(self.model, self.version)


class Episode(Struct, frozen=True, kw_only=True):
    """An episode as it stands after the event that `phase` and `sequence` (from 1) name.

    Identity (`id`, `category`, `kind`, `model`, `version`) never changes. An upstream episode has
    `kind` "upstream", no model, and `members`. `onset_seconds`: when the change began by estimate;
    `started_seconds`: the start of the pane of the first alarm; `updated_seconds`: the end of the
    last pane judged; `ended_seconds` None while it lasts. `escalated_because` says of an event that
    ESCALATED what became worse since it was last told so; as of then are `told_score`, and
    `told_size`: how many streams, of an upstream episode models, there were.
    `streams` are all that ever drifted in it, `streams_total` how many, where not all are kept.
    `upstream` links to the episode of the source. `backlog`: it was already past when it was
    judged, so nobody was told. `drill`: nothing has happened, the way to the pager is tried.
    """

    id: str
    sequence: int
    phase: Phase
    escalated_because: str = ""
    category: Category
    kind: str
    model: str
    version: str
    team: str
    tier: int
    severity: Severity = Severity.LOG
    source: str
    onset_seconds: float
    started_seconds: float
    updated_seconds: float
    ended_seconds: float | None = None
    ended_because: str = ""
    score: float
    peak: float
    told_score: float = 0.0
    told_size: int = 0
    streams: tuple[EpisodeStream, ...]
    streams_total: int
    members: tuple[Member, ...] = ()
    upstream: str = ""
    cause: str = ""
    likely: str = ""
    words: str = ""
    backlog: bool = False
    evidence: Evidence | None = None
    drill: bool = False

    @property
    def is_open(self) -> bool:
        """True while it lasts."""
        return self.ended_seconds is None

    @property
    def key(self) -> ModelKey:
        """The model version; of an upstream episode two empty names."""
        return ModelKey(self.model, self.version)


class Verdict(Struct, frozen=True):
    """What somebody decided on an episode: was it real? `previous` is what was decided before.

    The labels are those of the episode, so that it is counted though the episode is forgotten.
    """

    episode: str
    real: bool
    by: str
    why: str
    at_seconds: float
    model: str
    version: str
    kind: str
    severity: Severity
    team: str
    previous: bool | None = None


class EpisodeLabels(Struct, frozen=True):
    """What episodes and verdicts are counted by."""

    model: str
    version: str
    kind: str
    severity: Severity
    team: str


class EpisodeCount(Struct, frozen=True):
    """How many episodes started under these labels, and what was decided on them.

    `real` and `false` count verdicts, those that were changed later among them; `decided_real` and
    `decided_false` count episodes by their latest verdict.
    """

    labels: EpisodeLabels
    started: int = 0
    real: int = 0
    false: int = 0
    decided_real: int = 0
    decided_false: int = 0
