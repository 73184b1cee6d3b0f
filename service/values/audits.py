"""An audit of one model: what was watched in a period and what was not, and by what.

All times are epoch seconds (UTC).
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from service.values.episodes import Episode, Verdict
from service.values.watched import ModelFacts, MuteFacts


class Fate(StrEnum):
    """What became of a minute, from the best to the worst.

    WATCHED: its events were compared with a reference. LEARNING, UNREFERENCED: there were events,
    and nothing to compare them with. DOWN: the service did not run, and no event of that minute was
    read afterwards. SILENT: the service had read everything, and there was no event. NOT_YET: the
    model had not sent its first event. UNRECORDED: the record says nothing.
    """

    WATCHED = "watched"
    LEARNING = "learning"
    UNREFERENCED = "unreferenced"
    DOWN = "down"
    SILENT = "silent"
    NOT_YET = "not_yet"
    UNRECORDED = "unrecorded"


BLIND = (Fate.LEARNING, Fate.UNREFERENCED, Fate.DOWN, Fate.SILENT, Fate.UNRECORDED)
"""In which nothing could have been noticed."""


class Period(Struct, frozen=True):
    """From a full minute on, before another."""

    from_seconds: float
    to_seconds: float

    @property
    def minutes(self) -> int:
        """How long it is."""
        return max(0, round((self.to_seconds - self.from_seconds) / 60))


class Minutes(Struct, frozen=True):
    """How many minutes there were of each fate. Of the watched ones: `muted`, of at least one
    feature; `late`, judged more than an hour after they were over, so that nobody was told; and
    `afterwards`, events of a time in which the service was down, read later.
    """

    by_fate: Mapping[Fate, int]
    muted: int = 0
    late: int = 0
    afterwards: int = 0

    def of(self, fate: Fate) -> int:
        """One of them."""
        return self.by_fate.get(fate, 0)

    @property
    def total(self) -> int:
        """All."""
        return sum(self.by_fate.values())

    @property
    def blind(self) -> int:
        """In which nothing could have been noticed."""
        return sum(self.of(fate) for fate in BLIND)


class Day(Struct, frozen=True):
    """One day (UTC) of the model, all versions together. `rows` were judged of its events."""

    day: str
    minutes: Minutes
    rows: int


class Span(Struct, frozen=True):
    """Minutes of one fate on end."""

    from_seconds: float
    to_seconds: float
    fate: Fate


class Rows(Struct, frozen=True):
    """Rows between two entries of the record: `predictions` = judged + unjudged + what was open at
    the end, less what was open at the beginning. `restarts`: so often the counters began anew.
    """

    from_seconds: float
    to_seconds: float
    predictions: int = 0
    judged: int = 0
    unjudged: int = 0
    late: int = 0
    rejected: Mapping[str, int] = {}
    restarts: int = 0


class Version(Struct, frozen=True):
    """One version of the model. `first_seconds` is its first pane, None where none was judged.
    `hours_lost` of its watching could not be recorded.
    """

    version: str
    minutes: Minutes
    first_seconds: float | None
    rows: Rows | None
    hours_lost: int = 0


class Down(Struct, frozen=True):
    """The service did not run. `stopped`: it had been told to; else it ended without a word, and
    `from_seconds` is the last sign of life. `to_seconds` None: it has not come back.
    """

    from_seconds: float
    to_seconds: float | None
    stopped: bool


class Recount(Struct, frozen=True):
    """Records that the broker still holds of the offsets `first` up to `end`, counted again."""

    first: int
    end: int
    records: int


class Broker(Struct, frozen=True):
    """What the broker says of a partition now: the offsets that it holds, and which are of the
    period by its own timestamps. `by_time` None: retention deleted its beginning, so that it cannot
    tell any more.
    """

    first: int
    end: int
    by_time: tuple[int, int] | None
    recount: Recount | None = None


class Book(Struct, frozen=True):
    """Records of one partition between two entries of the record, at offsets `first` up to `end`.

    consumed = applied + ignored + rejected. Offsets that are no records (markers of transactions,
    compacted ones, those that retention deleted before they were read) are `gaps`.
    """

    topic: str
    partition: int
    from_seconds: float
    to_seconds: float
    first: int
    end: int
    applied: int
    ignored: int
    rejected: Mapping[str, int] = {}
    restarts: int = 0
    broker: Broker | None = None

    @property
    def consumed(self) -> int:
        """Records read."""
        return self.applied + self.ignored + sum(self.rejected.values())

    @property
    def gaps(self) -> int:
        """Offsets at which no record was read."""
        return self.end - self.first - self.consumed


class SettingsInForce(Struct, frozen=True):
    """A configuration and from when to when it was in force; `text` None: it is not recorded.
    `changed` are the lines that are not as before, as a diff says them.
    """

    config_hash: str
    from_seconds: float
    to_seconds: float
    text: str | None
    changed: tuple[str, ...] = ()


class WatchedAs(Struct, frozen=True):
    """What was watched of a version, and how, from one entry to the next that says otherwise."""

    version: str
    from_seconds: float
    to_seconds: float
    facts: ModelFacts


class PolicyMonth(Struct, frozen=True):
    """A month (UTC) of a version against its policy, by hourly entries: in how many of `hours` a
    stream was at least amber, or red; and the highest distance, when, and whose it was. In
    `doubtful` hours some level said nothing, for want of events, and the window was covered to
    `covered_ratio` at most.
    """

    version: str
    month: str
    policy: str
    hours: int
    amber_hours: int
    red_hours: int
    doubtful_hours: int
    highest: float | None
    stream: str
    at_seconds: float | None
    covered_ratio: float


class Muted(Struct, frozen=True):
    """A mute, since when the record knows of it."""

    version: str
    from_seconds: float
    mute: MuteFacts


class AuditedEpisode(Struct, frozen=True):
    """An episode with all its events, and what people decided on it."""

    events: tuple[Episode, ...]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def newest(self) -> Episode:
        """As it stands."""
        return self.events[-1]


class Audit(Struct, frozen=True, kw_only=True):
    """Everything. The record begins at `recorded_from_seconds` and its last entry is of
    `recorded_to_seconds`. `notes` say what cannot be known, and why.
    """

    model: str
    version: str | None
    period: Period
    made_seconds: float
    recorded_from_seconds: float
    recorded_to_seconds: float
    minutes: Minutes
    days: tuple[Day, ...]
    blind: tuple[Span, ...]
    versions: tuple[Version, ...]
    down: tuple[Down, ...] = ()
    books: tuple[Book, ...] = ()
    settings: tuple[SettingsInForce, ...] = ()
    watched: tuple[WatchedAs, ...] = ()
    references: tuple[WatchedAs, ...] = ()
    mutes: tuple[Muted, ...] = ()
    policy: tuple[PolicyMonth, ...] = ()
    episodes: tuple[AuditedEpisode, ...] = ()
    notes: tuple[str, ...] = ()
