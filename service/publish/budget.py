"""How much is exported per stream within the series budget, and what is given up for it."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from msgspec import Struct

from service.publish.families import Detail
from service.publish.segment_series import segment_series
from service.publish.series import distance_series, stream_series
from service.values.reports import ModelReport, StreamReport

Chosen = tuple[ModelReport, StreamReport]


class Choice(Struct, frozen=True):
    """The detail in force, the streams and segments exported, the series given up by reason."""

    detail: Detail
    streams: list[Chosen]
    segments: list[Chosen]
    omitted: Mapping[str, int]


def choose(
    models: tuple[ModelReport, ...],
    wanted: Detail,
    limit: int,
    always: int,
    segments_limit: int = 5000,
) -> Choice:
    """Fit what streams export into `limit` series, of which `always` are spoken for, and of which
    segments may have `segments_limit`.

    AUTO is FULL while that fits half the limit (room for a second version of every model), then
    EPISODE. Beyond the limit the detail falls level by level, then segments are left out, those
    with the fewest predictions first, then streams: the ones that have drifted stay longest, the
    rest in the order of the report, which does not change from page to page. What AUTO chooses not
    to show is no omission; what a limit forbids is.
    """
    streams = [(model, stream) for model in models for stream in model.streams]
    of_streams = sum(stream_series(stream) for _, stream in streams)
    room = min(segments_limit, max(0, limit - always - of_streams))
    segments, lost_segments = _largest(
        [(model, segment) for model in models for segment in model.segments], room
    )
    always += sum(segment_series(stream) for _, stream in segments)
    summary = always + of_streams
    totals = {
        detail: summary + sum(distance_series(stream, detail) for _, stream in streams)
        for detail in (Detail.FULL, Detail.EPISODE, Detail.SUMMARY)
    }
    if wanted is Detail.AUTO:
        wanted = Detail.FULL if 2 * totals[Detail.FULL] <= limit else Detail.EPISODE
    levels = [Detail.FULL, Detail.EPISODE, Detail.SUMMARY]
    levels = levels[levels.index(wanted) :]
    detail = next((level for level in levels if totals[level] <= limit), Detail.SUMMARY)
    kept = streams if totals[detail] <= limit else _within(streams, limit - always)
    omitted = {
        "full": totals[wanted] - totals[detail],
        "segment": lost_segments,
        "feature": of_streams - sum(stream_series(stream) for _, stream in kept),
    }
    return Choice(detail, kept, segments, omitted)


def _largest(segments: list[Chosen], room: int) -> tuple[list[Chosen], int]:
    """Those with the most predictions that fit into `room` series, and how many series are lost."""
    by_size = sorted(segments, key=lambda chosen: -chosen[1].predictions_total)
    ends = list(accumulate(segment_series(stream) for _, stream in by_size))
    kept = bisect_right(ends, room)
    return by_size[:kept], (ends[-1] - ends[kept - 1] if kept else ends[-1]) if ends else 0


def _within(streams: list[Chosen], room: int) -> list[Chosen]:
    """The streams that fit into `room` series, drifted ones first, in the given order."""
    ranked = sorted(range(len(streams)), key=lambda i: streams[i][1].drifted_since_seconds is None)
    kept = set()
    for i in ranked:
        room -= stream_series(streams[i][1])
        if room < 0:
            break
        kept.add(i)
    return [chosen for i, chosen in enumerate(streams) if i in kept]
