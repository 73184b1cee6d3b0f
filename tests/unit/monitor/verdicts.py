"""Verdicts on panes, drawn as timelines: one letter a pane for each stream."""

from collections.abc import Mapping, Sequence

from service.monitor.episodes.book import EpisodeRules, Episodes
from service.monitor.episodes.pane_verdicts import Described, Drifting, PaneVerdict
from service.monitor.episodes.severity import Severities
from service.values.episodes import Category, Episode, OffsetRange, SeenBy, Severity
from service.values.streams import Kind, ModelKey, StreamKey

PANE = 60.0
T0 = 1_795_428_000.0  # 2026-11-23T10:00:00Z
TIERS = Severities(
    (
        dict.fromkeys(Category, Severity.TICKET) | {Category.UPSTREAM: Severity.PAGE},
        dict.fromkeys(Category, Severity.TICKET),
        {},
    )
)
RULES = EpisodeRules(pane_seconds=PANE, severities=TIERS, config_hash="77ab")
CREDIT, LIMIT, OVERDRAFT = (ModelKey(name, "3") for name in ("credit", "limit", "overdraft"))
CANARY = ModelKey("credit", "4")


def stream(name: str) -> StreamKey:
    """`income`, or with its kind before it: `output:prediction`."""
    kind, _, rest = name.rpartition(":")
    return StreamKey(Kind(kind or "input"), rest)


def drifting(
    name: str, pane: int, *, score: float = 1.0, since: int = 0, source: str = ""
) -> Drifting:
    seen = (SeenBy("adwin", T0 + pane * PANE, score, 1.0),)
    return Drifting(
        stream(name), source, score, T0 + since * PANE, T0 + since * PANE, seen if score else ()
    )


def verdict(
    pane: int, *found: Drifting, model: ModelKey = CREDIT, tier: int = 1, **changes: object
) -> PaneVerdict:
    """The verdict on the pane that starts so many panes after T0."""
    values: dict[str, object] = {
        "model": model,
        "team": "retail",
        "tier": tier,
        "start_seconds": T0 + pane * PANE,
        "end_seconds": T0 + (pane + 1) * PANE,
        "rows": 100,
        "reference_hash": "9f2c",
        "drifting": found,
        "offsets": (OffsetRange("t", 0, pane * 100, pane * 100 + 99),),
    }
    return PaneVerdict(**(values | changes))


def describe(keys: Sequence[StreamKey]) -> dict[StreamKey, Described]:
    return {key: Described(f"up, {key.name}") for key in keys}


class Timeline:
    """Feeds models pane by pane and notes what is told."""

    def __init__(self, rules: EpisodeRules = RULES) -> None:
        self.episodes = Episodes(rules)
        self.told: list[Episode] = []

    def take(self, *verdicts: PaneVerdict) -> list[Episode]:
        new = [event for one in verdicts for event in self.episodes.take(one, describe)]
        self.told += new
        return new

    def draw(
        self,
        lines: Mapping[str, str],
        *,
        model: ModelKey = CREDIT,
        tier: int = 1,
        sources: Mapping[str, str] | None = None,
        first: int = 0,
        **changes: object,
    ) -> "Timeline":
        """`.` steady; a digit: drifts with that score. One column a pane."""
        width = max(map(len, lines.values()))
        since: dict[str, int] = {}
        for pane in range(first, first + width):
            found = []
            for name, line in lines.items():
                mark = line[pane - first]
                if mark == ".":
                    since.pop(name, None)
                    continue
                begun = since.setdefault(name, pane)
                source = (sources or {}).get(name, "")
                found.append(drifting(name, pane, score=float(mark), since=begun, source=source))
            self.take(verdict(pane, *found, model=model, tier=tier, **changes))
        return self

    @property
    def phases(self) -> list[str]:
        """`started 3` and so on: phase and the pane it was told in."""
        return [
            f"{event.phase.value} {round((event.updated_seconds - T0) / PANE) - 1}"
            for event in self.told
        ]
