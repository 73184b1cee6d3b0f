"""Events of episodes as lines of text: one CloudEvent a line, in JSON (format 1).

    {"specversion": "1.0", "type": "anchorwatch.episode.started", "source": "anchorwatch",
     "id": "credit-risk-20261123-1020/1", "time": "2026-11-23T10:23:00Z",
     "subject": "credit-risk-20261123-1020", "format": 1, "data": {...}}

`type` ends in the phase (started, escalated, ongoing, recovered), in `verdict`, or in `drill`: what
somebody has asked for, of which the service makes an episode whose `drill` is true. `id` is the
episode and the number of its event, so that an event that was written twice can be told. `time` is
event time: the end of the pane that it was judged by; of a verdict, when it was given. `data` is
the whole episode as of then (`service.values.episodes.Episode`) or the verdict (`Verdict`), times
in epoch seconds, what is not known null. Fields may be added within a format.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from service.values.drills import Drill
from service.values.episodes import Episode, Verdict

FORMAT = 1

RecordedEvent = Episode | Verdict | Drill

_TYPE = "anchorwatch.episode."
_VERDICT = _TYPE + "verdict"
_DRILL = _TYPE + "drill"


class _Envelope(Struct, frozen=True):
    type: str
    format: int
    data: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Envelope)


def event_id(episode: Episode) -> str:
    """The same for an event however often it is written."""
    return f"{episode.id}/{episode.sequence}"


def episode_line(episode: Episode) -> bytes:
    """One event, with its line end."""
    return event_line(
        _TYPE + episode.phase.value,
        event_id(episode),
        episode.id,
        episode.updated_seconds,
        episode,
    )


def verdict_line(verdict: Verdict) -> bytes:
    """One verdict, with its line end."""
    return event_line(
        _VERDICT,
        f"{verdict.episode}/verdict-{verdict.at_seconds:.3f}",
        verdict.episode,
        verdict.at_seconds,
        verdict,
    )


def drill_line(drill: Drill) -> bytes:
    """One drill that somebody asks for, or its end, with its line end."""
    what = "end" if drill.ends else "drill"
    return event_line(
        _DRILL,
        f"{drill.episode}/{what}-{drill.at_seconds:.3f}",
        drill.episode,
        drill.at_seconds,
        drill,
    )


def parse(line: bytes) -> RecordedEvent | None:
    """The event of a line; None when it is none: torn by a crash, or of a newer format."""
    try:
        envelope = _DECODER.decode(line)
        if envelope.format > FORMAT:
            return None
        if envelope.type == _VERDICT:
            return msgspec.json.decode(envelope.data, type=Verdict)
        if envelope.type == _DRILL:
            return msgspec.json.decode(envelope.data, type=Drill)
        return msgspec.json.decode(envelope.data, type=Episode)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def event_line(type_: str, id_: str, subject: str, at_seconds: float, data: Struct) -> bytes:
    """A CloudEvent of ours, with its line end. `type_` must tell what `data` is."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "type": type_,
        "source": "anchorwatch",
        "id": id_,
        "time": _rfc3339(at_seconds),
        "subject": subject,
        "datacontenttype": "application/json",
        "format": FORMAT,
        "data": data,
    }
    return msgspec.json.encode(event) + b"\n"


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), 253_402_300_799.0), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
