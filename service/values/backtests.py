"""What a replay found, frozen, for the terminal, for JSON and for the report."""

import math
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from service.values.episodes import Episode
from service.values.rejects import Reject
from service.values.reports import ModelReport, TopicReport
from service.values.streams import ModelKey, StreamKey, ValueType


class Alarm(Struct, frozen=True):
    """A drift that would have been told. `ended_seconds` None: it was still there at the end."""

    model: ModelKey
    stream: StreamKey
    started_seconds: float
    ended_seconds: float | None
    score: float
    detectors: tuple[str, ...]
    summary: str


class Outcome(Struct, frozen=True):
    """What the judge made of it. `from_seconds` and `to_seconds` span the panes judged.

    `alarms` are of single streams; `episodes` are what people would have heard of, as they stood at
    the end, in order of time. `rejects` is the first of each reason.
    """

    alarms: tuple[Alarm, ...]
    models: tuple[ModelReport, ...]
    books: tuple[TopicReport, ...]
    from_seconds: float
    to_seconds: float
    episodes: tuple[Episode, ...] = ()
    rejects: tuple[Reject, ...] = ()


class Histogram(Struct, frozen=True):
    """Counts of one stream in the reference, and live from `from_seconds` to `to_seconds`.

    Both hold the value cells as `Layout` lays them out (of a categorical stream `categories`, other
    and unseen), then missing and invalid. `minimum` and `maximum` are the reference's, NaN where
    it has none.
    """

    type: ValueType
    edges: tuple[float, ...]
    categories: tuple[str, ...]
    minimum: float
    maximum: float
    reference: tuple[int, ...]
    live: tuple[int, ...]
    from_seconds: float
    to_seconds: float


class ScoreLine(Struct, frozen=True):
    """Scores at the starts of slices of `width_seconds`, ascending; NaN where nothing was judged.

    1 alarms.
    """

    width_seconds: float
    starts_seconds: tuple[float, ...]
    scores: tuple[float, ...]


class Evidence(Struct, frozen=True):
    """What belongs to an alarm: its highest score, its pictures, and how long after the pane of the
    alarm each detector saw it (seconds, 0 = in that pane).
    """

    peak: float
    seen_after_seconds: Mapping[str, float]
    histogram: Histogram
    line: ScoreLine


class NearMiss(Struct, frozen=True):
    """A score below 1 that fell again without an alarm. `detector` is the one that came nearest."""

    model: ModelKey
    stream: StreamKey
    at_seconds: float
    score: float
    detector: str
    histogram: Histogram


class Gap(Struct, frozen=True):
    """A time without any event of a model."""

    from_seconds: float
    to_seconds: float


class HourOfDay(Struct, frozen=True):
    """What one hour of the day (UTC) is like: events a pane, and the smallest shift of a mean, in
    sd, that is noticed within an hour; infinity when none would be, NaN when it is not known.
    """

    hour: int
    events_per_pane: float
    shift_sd: float


class History(Struct, frozen=True):
    """One model version over the whole time.

    `scores` are its worst stream's; `streams` has each stream's own line. `rows` are events in the
    slices of `scores`. `judged_from_seconds` is when the first pane met a reference, NaN if none
    did. `gaps` are the longest of all, `silent_seconds` sums all of them up. `constant` streams
    never changed, `blind` ones could not have alarmed, and of `vague` ones too little was known for
    most of the time to judge their shape.
    """

    key: ModelKey
    scores: ScoreLine
    rows: tuple[int, ...]
    streams: Mapping[StreamKey, ScoreLine]
    first_seconds: float
    judged_from_seconds: float
    gaps: tuple[Gap, ...]
    silent_seconds: float
    hours: tuple[HourOfDay, ...]
    constant: tuple[StreamKey, ...]
    blind: tuple[StreamKey, ...]
    vague: tuple[StreamKey, ...] = ()


class Incident(Struct, frozen=True):
    """A drift that is known of. `model` and `feature` "" hold for any; `what` is for people."""

    start_seconds: float
    end_seconds: float
    model: str = ""
    feature: str = ""
    what: str = ""


class Finding(Struct, frozen=True):
    """A known incident and the alarms (positions in `Outcome.alarms`) that started within it.

    `delay_seconds` from its start to the end of the pane of the first of them; NaN when not found.
    """

    incident: Incident
    alarms: tuple[int, ...]
    delay_seconds: float


class Case(Struct, frozen=True):
    """An episode with its `alarms` (positions in `Outcome.alarms`), none of one over all models.

    `expected` says whether a known incident explains any of them, None when none are known.
    """

    episode: Episode
    alarms: tuple[int, ...]
    expected: bool | None


class Setting(Struct, frozen=True):
    """One cell of the what-if table: how many episodes there would have been, how many alarms of
    single streams in them, and which known incidents (positions in `Backtest.findings`) were
    `missed`. `tolerance_sd` None: each model its own. Episodes over all models are not counted.
    """

    tolerance_sd: float | None
    budget: str
    configured: bool
    episodes: int
    alarms: int
    missed: tuple[int, ...]


class Largest(Struct, frozen=True):
    """The largest evidence that there was, over its alarm level: of which stream, in the pane that
    starts at `at_seconds`, by which detector.
    """

    stream: StreamKey
    at_seconds: float
    score: float
    detector: str


class Answer(Struct, frozen=True):
    """What became of an episode of the record when its time was judged again.

    `would_start_seconds` is when an episode of its kind would have started, None if none would
    have; `configured_start_seconds` the same as configured, if that was replayed too:
    `as_configured`. `largest` is None when nothing of the time could be compared.

    Of the `rows_then` that the record says the episode rests on, the files hold `rows`. They reach
    back `history_seconds` before its onset, where `history_wanted_seconds` are needed to know what
    a judge knew. Hashes are of the references, and of the configurations: those in force `then`,
    and those that it was judged again by.
    """

    episode: Episode
    would_start_seconds: float | None
    configured_start_seconds: float | None
    as_configured: bool
    largest: Largest | None
    rows: int
    rows_then: int
    history_seconds: float
    history_wanted_seconds: float
    reference_hash: str
    reference_hash_then: str
    config_hash: str
    config_hash_then: str


class Fate(StrEnum):
    """What other settings make of an episode."""

    GAINED = "gained"
    LOST = "lost"
    EARLIER = "earlier"
    LATER = "later"
    SAME = "same"


class EpisodeChange(Struct, frozen=True):
    """An episode as configured, and the one in its place under other settings; either may not be
    there. They are of one model version (or source) and category, and overlap in time.
    """

    fate: Fate
    before: Episode | None
    after: Episode | None


class Reconsidered(Struct, frozen=True):
    """What a replay under other settings was asked. `settings` are these, as they were typed.

    `answer` is None when no episode was asked about, `changes` are None without other settings.
    """

    settings: tuple[str, ...]
    answer: Answer | None = None
    changes: tuple[EpisodeChange, ...] | None = None


class InputFile(Struct, frozen=True):
    """A file that was read, so that it can be known again."""

    path: str
    bytes: int
    sha256: str


class TopicRange(Struct, frozen=True):
    """What was read of one partition: offsets `first` <= offset < `end`.

    `missing` are how many records before them were asked for and are deleted; None when only their
    time is known: from `missing_from_seconds` until the log begins, NaN when it holds nothing.
    """

    topic: str
    partition: int
    first: int
    end: int
    missing: int | None = 0
    missing_from_seconds: float = math.nan
    missing_until_seconds: float = math.nan


class Origin(Struct, frozen=True):
    """All it takes to do it again. `versions` by name of the package, and of Python; `topics` is
    empty where files were read.
    """

    command: str
    versions: Mapping[str, str]
    config_hash: str
    config_text: str
    files: tuple[InputFile, ...]
    topics: tuple[TopicRange, ...] = ()


class Backtest(Struct, frozen=True):
    """Everything. `evidence` belongs to `outcome.alarms`, one each; None where none was kept.

    `findings` is None when no incidents were given; `unexpected` are positions of the alarms in
    none of them. `what_if` is empty when it was not asked for. `budget_allows` is how many false
    alarms the budget accepts in this time. `tolerance_sd` None: the models have different ones.
    `warnings` say what was not used or not judged, `notes` what was left out as configured.
    `reconsidered` is None when nothing was asked of an episode or of other settings.
    """

    outcome: Outcome
    cases: tuple[Case, ...]
    evidence: tuple[Evidence | None, ...]
    near_misses: tuple[NearMiss, ...]
    histories: tuple[History, ...]
    findings: tuple[Finding, ...] | None
    unexpected: tuple[int, ...]
    what_if: tuple[Setting, ...]
    pane_seconds: float
    budget: str
    budget_allows: float
    tolerance_sd: float | None
    origin: Origin
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reconsidered: Reconsidered | None = None
