"""What was watched as lines of text: CloudEvents beside those of episodes (format 1).

    {"specversion": "1.0", "type": "anchorwatch.watched.model", "source": "anchorwatch",
     "id": "credit-risk/3/1763895600.000", "time": "2026-11-23T11:00:00Z",
     "subject": "credit-risk/3", "format": 1, "data": {...}}

`type` ends in what `data` is (`service.values.watched`): `model`, `service` or `settings`. `time`
is when it was written. What has its default is left out of `data`.
"""

import msgspec

from service.state.episode_events import FORMAT, event_line
from service.values.watched import ModelWatched, ServiceWatched, SettingsWatched, WatchedEntry

PREFIX = "anchorwatch.watched."

_NAMES: dict[type[WatchedEntry], str] = {
    ModelWatched: "model",
    ServiceWatched: "service",
    SettingsWatched: "settings",
}
_TYPES = {PREFIX + name: kind for kind, name in _NAMES.items()}
_MODEL = f'"type":"{PREFIX}model"'.encode()


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    format: int
    data: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Envelope)


def subject_of(entry: WatchedEntry) -> str:
    """What an entry is about: a model version, the service, or settings by their hash."""
    if isinstance(entry, ModelWatched):
        return f"{entry.model}/{entry.version}"
    return "service" if isinstance(entry, ServiceWatched) else f"settings/{entry.config_hash}"


def watched_line(entry: WatchedEntry) -> bytes:
    """One entry, with its line end."""
    subject = subject_of(entry)
    id_ = f"{subject}/{entry.at_seconds:.3f}"
    return event_line(PREFIX + _NAMES[type(entry)], id_, subject, entry.at_seconds, entry)


def parse_watched(line: bytes) -> WatchedEntry | None:
    """The entry of a line; None when it is none: torn, of a newer format, or of an episode."""
    try:
        envelope = _DECODER.decode(line)
        kind = _TYPES.get(envelope.type)
        if kind is None or envelope.format > FORMAT:
            return None
        return msgspec.json.decode(envelope.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_about(line: bytes, model: str | None) -> bool:
    """False of a line about another model than this one: told without reading it, since of a
    thousand models one is asked about. None: any model.
    """
    if model is None or _MODEL not in line:
        return True
    return b'"subject":' + msgspec.json.encode(f"{model}/")[:-1] in line
