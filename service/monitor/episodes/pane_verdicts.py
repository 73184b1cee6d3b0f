"""What judging one closed pane of a model version said of its streams."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from service.values.episodes import ChangedCell, OffsetRange, SeenBy, StreamCounts, StreamDistance
from service.values.streams import ModelKey, StreamKey


class Drifting(Struct, frozen=True):
    """A stream that drifts as of the pane. `seen_by` are the detectors that alarm in it."""

    key: StreamKey
    source: str
    score: float
    since_seconds: float
    onset_seconds: float
    seen_by: tuple[SeenBy, ...] = ()


class PaneVerdict(Struct, frozen=True):
    """One closed pane of one model version, judged. Panes come in order of time.

    `drifting` are all streams that drift now and are not muted, `muted` those that are. `afresh`
    are those that begin anew or are gone, since another reference holds from this pane on, with the
    reason. Offsets and `rows` are of this pane. `age_seconds`: how long ago it ended when it was
    judged, 0 in a replay. `other_versions` of the model are those in use.
    """

    model: ModelKey
    team: str
    tier: int
    start_seconds: float
    end_seconds: float
    rows: int
    reference_hash: str
    drifting: tuple[Drifting, ...] = ()
    muted: frozenset[StreamKey] = frozenset()
    afresh: Mapping[StreamKey, str] = {}
    offsets: tuple[OffsetRange, ...] = ()
    age_seconds: float = 0.0
    other_versions: tuple[str, ...] = ()


class Described(Struct, frozen=True):
    """What changed in a stream, in words and figures."""

    words: str
    cells: tuple[ChangedCell, ...] = ()
    distances: tuple[StreamDistance, ...] = ()
    counts: StreamCounts | None = None


Describe = Callable[[Sequence[StreamKey]], Mapping[StreamKey, Described]]
"""Describes streams of the pane that is being taken; asked only when there is something to tell."""
