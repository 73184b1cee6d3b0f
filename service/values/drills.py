"""A drill: an episode that nothing has drifted for, so that the way to the pager can be tried."""

from enum import StrEnum

from msgspec import Struct

from service.values.episodes import Category, Severity


class DrillKind(StrEnum):
    """What a drill pretends. LAG: that we ourselves are behind."""

    DRIFT = "drift"
    SILENCE = "silence"
    QUALITY = "quality"
    LAG = "lag"


PRETENDED = {
    DrillKind.DRIFT: (Category.DRIFT, "input"),
    DrillKind.SILENCE: (Category.SILENT, "silent"),
    DrillKind.QUALITY: (Category.QUALITY, "quality"),
    DrillKind.LAG: (Category.LAG, "lag"),
}
"""The category and the `kind` of the episode of each."""


class Drill(Struct, frozen=True):
    """What somebody has asked for: a drill that lasts until a time, or the end of one that does.

    `episode` is the name of its episode. `severity` None: as the tier of the model has it.
    """

    episode: str
    kind: DrillKind
    model: str
    version: str
    by: str
    at_seconds: float
    until_seconds: float
    severity: Severity | None = None
    ends: bool = False
