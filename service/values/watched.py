"""What was watched and what was not, as the record keeps it for audits.

All times are epoch seconds. Counters count since the state of the service began and only grow; a
smaller one than before means that the state began anew. So what lies between two entries is the
difference of their counters, whatever crashed between them.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from service.values.streams import ModelKey

HOUR_SECONDS = 3600
MINUTE_SECONDS = 60
NAMES_MAX = 200
"""So many features, mutes or blind streams are named; how many there are is told in any case."""


class Why(StrEnum):
    """Why there is an entry now. CHANGE: another reference is in force, or a version is new."""

    START = "start"
    HOUR = "hour"
    CHANGE = "change"
    STOP = "stop"


class WatchedHour(Struct, frozen=True, omit_defaults=True):
    """The minutes of one hour of event time in which a model version had events, by what became of
    them: masks in hexadecimal, bit m for minute m of the hour.

    Of `compared` ones some are `muted` (of at least one feature nothing was to be told) or `late`
    (judged more than an hour after they were over, so that nobody was told). `learning` and
    `unreferenced` ones were compared with nothing. A minute in none of the three had no event.
    `panes` were judged, of `rows` rows. A later entry of the same hour holds all of an earlier one.
    """

    start_seconds: int
    compared: str = "0"
    learning: str = "0"
    unreferenced: str = "0"
    muted: str = "0"
    late: str = "0"
    panes: int = 0
    rows: int = 0


class LineageFacts(Struct, frozen=True, omit_defaults=True):
    """Where the reference in force came from; `effective_from_seconds` is None from the first event
    on.
    """

    hash: str
    source: str
    created_seconds: float
    created_by: str
    rows: int
    effective_from_seconds: float | None = None
    data_hash: str = ""
    dataset: str | None = None
    from_seconds: float | None = None
    to_seconds: float | None = None
    metadata: Mapping[str, str] = {}


class MuteFacts(Struct, frozen=True, omit_defaults=True):
    """A mute in force."""

    feature: str
    until_seconds: float
    by: str
    why: str
    ticket: str = ""


class ModelFacts(Struct, frozen=True, omit_defaults=True):
    """What was watched of a model version and how: told when it changes, and once a day.

    `features` names some of `features_total` inputs. `unstable` streams never keep their shape and
    so never alarm; of `unsettled` ones it is not known yet how far they wander. `budget`,
    `tolerance` and `policy` are in words.
    """

    team: str
    tier: int
    features_total: int
    features: tuple[str, ...] = ()
    reference: LineageFacts | None = None
    mutes: tuple[MuteFacts, ...] = ()
    unstable: tuple[str, ...] = ()
    unsettled: int = 0
    budget: str = ""
    tolerance: str = ""
    policy: str = ""


class PolicyWatched(Struct, frozen=True, omit_defaults=True):
    """Streams by where their distance lies between the limits of a policy, the highest distance and
    whose it is. Of `too_few` sampling alone is expected to reach amber: their level says nothing.
    `covered_ratio` of the policy's window is known, from 0 to 1.
    """

    within: int = 0
    amber: int = 0
    red: int = 0
    unknown: int = 0
    too_few: int = 0
    highest: float | None = None
    stream: str = ""
    covered_ratio: float = 0.0


class ModelWatched(Struct, frozen=True, omit_defaults=True):
    """One model version as of `at_seconds`; `hours` are those that something was added to.

    `through_seconds` is the end of the last pane that was judged. `predictions` are rows that were
    counted, open panes included: judged + unjudged + open.
    """

    at_seconds: float
    model: str
    version: str
    config_hash: str
    reference_hash: str = ""
    first_seconds: float | None = None
    through_seconds: float | None = None
    panes: int = 0
    predictions: int = 0
    judged: int = 0
    unjudged: int = 0
    late: int = 0
    rejected: Mapping[str, int] = {}
    hours: tuple[WatchedHour, ...] = ()
    hours_lost: int = 0
    policy: PolicyWatched | None = None
    facts: ModelFacts | None = None

    @property
    def key(self) -> ModelKey:
        """The model version."""
        return ModelKey(self.model, self.version)


class PartitionWatched(Struct, frozen=True, omit_defaults=True):
    """One partition: the offset of the next record, and the book of all before it."""

    topic: str
    partition: int
    position: int
    applied: int = 0
    ignored: int = 0
    rejected: Mapping[str, int] = {}

    @property
    def consumed(self) -> int:
        """Records read."""
        return self.applied + self.ignored + sum(self.rejected.values())


class ServiceWatched(Struct, frozen=True, omit_defaults=True):
    """The service as of `at_seconds`. `alive_until_seconds`, of a START, is when the state was last
    written by the process before: None where there was no state, 0 where it does not say. At
    `read_through_seconds` all logs had been read to their ends; None in a backlog.
    """

    at_seconds: float
    why: Why
    started_seconds: float
    config_hash: str
    version: str = ""
    alive_until_seconds: float | None = None
    read_through_seconds: float | None = None
    models: int = 0
    partitions: tuple[PartitionWatched, ...] = ()


class SettingsWatched(Struct, frozen=True):
    """The settings in force, as a configuration file would say them, without secrets."""

    at_seconds: float
    config_hash: str
    text: str


WatchedEntry = ModelWatched | ServiceWatched | SettingsWatched
