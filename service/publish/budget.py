"""How much is exported per stream within the series budget, and what is given up for it."""

from collections.abc import Mapping

from msgspec import Struct

from service.publish.families import Detail
from service.publish.series import distance_series, stream_series
from service.values.reports import ModelReport, StreamReport

Chosen = tuple[ModelReport, StreamReport]


class Choice(Struct, frozen=True):
    """The detail in force, the streams exported, and the series given up, by reason."""

    detail: Detail
    streams: list[Chosen]
    omitted: Mapping[str, int]


def choose(models: tuple[ModelReport, ...], wanted: Detail, limit: int, always: int) -> Choice:
    """Fit what streams export into `limit` series, of which `always` are spoken for.

    AUTO is FULL while that fits half the limit (room for a second version of every model), then
    EPISODE. Beyond the limit the detail falls level by level, then streams are left out: the ones
    that have drifted stay longest, the rest in the order of the report, which does not change from
    page to page. What AUTO chooses not to show is no omission; what the limit forbids is.
    """
    streams = [(model, stream) for model in models for stream in model.streams]
    summary = always + sum(stream_series(stream) for _, stream in streams)
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
    lost = sum(stream_series(stream) for _, stream in streams) - sum(
        stream_series(stream) for _, stream in kept
    )
    return Choice(detail, kept, {"full": totals[wanted] - totals[detail], "feature": lost})


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
