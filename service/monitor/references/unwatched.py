"""What of a reference is not watched, since the settings ignore it, and what follows."""

from msgspec import Struct

from service.values.references import Reference
from service.values.streams import JOINT, Kind, segment_of

_NAMES_SHOWN = 10


class Unwatched(Struct, frozen=True):
    """`features` are ignored; `loses_joint`: how the inputs go together is not watched either.

    `file_hash` is that of the reference as it was given, `hash` that of what is watched of it.
    """

    model: str
    version: str | None
    features: tuple[str, ...]
    loses_joint: bool
    file_hash: str
    hash: str

    def sentences(self) -> str:
        """What is left out, why, what follows, and what to do."""
        shown = ", ".join(self.features[:_NAMES_SHOWN])
        more = len(self.features) - _NAMES_SHOWN
        names = f"{shown} and {more:,} more" if more > 0 else shown
        version = "any version" if self.version is None else f"version {self.version}"
        joint = " So how the features go together is not watched (kind joint)."
        return (
            f"The reference of {self.model}, {version}, holds features that are not watched, since "
            f"the configuration ignores them: {names}.{joint if self.loses_joint else ''} What is "
            f"watched of it has another hash, {self.hash[:12]}, than the file, "
            f"{self.file_hash[:12]}. Build it again without them, or say that they are watched: "
            f"models.{self.model}.features.{self.features[0]}: {{ignore: false}}."
        )


def unwatched(given: Reference, watched: Reference) -> Unwatched | None:
    """Which features of the reference `given` are not in `watched`, that was made of it; None if
    all are. Segments that nobody asks for are missed by nobody.
    """
    kept = {stream.key for stream in watched.streams}
    gone = [stream.key for stream in given.streams if stream.key not in kept]
    if all(segment_of(key) is not None for key in gone):
        return None
    return Unwatched(
        model=given.model,
        version=given.version,
        features=tuple(key.name for key in gone if key.kind is Kind.INPUT),
        loses_joint=JOINT in gone,
        file_hash=given.hash,
        hash=watched.hash,
    )
