"""Episodes and near misses as the backtest report shows them: words, figures and pictures."""

from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.pictures.histograms import histogram_pair
from service.publish.pictures.scores import score_line
from service.publish.pictures.svg import Picture
from service.publish.pictures.time_axis import minute
from service.publish.words import duration
from service.values.backtests import Alarm, Backtest, Case, Evidence, Histogram, NearMiss
from service.values.episodes import Episode, Severity
from service.values.streams import Kind, StreamKey

DRAWN_MAX, STREAMS_DRAWN_MAX = 30, 3
"""Episodes with pictures, the worst ones, and streams of each. All stand in the table."""
ROWS_MAX = 1000

_SEVERITIES = (Severity.PAGE, Severity.TICKET, Severity.LOG)


class StreamPictures(Struct, frozen=True):
    """One stream of an episode, drawn."""

    stream: str
    words: str
    seen: str
    pictures: tuple[Picture, ...]
    live: str


class EpisodeView(Struct, frozen=True):
    """One episode; `expected` None when no incidents are known; `drawn` are its worst streams."""

    id: str
    severity: str
    model: str
    started: str
    ended: str
    lasted: str
    words: str
    likely: str
    score: float
    streams: str
    expected: bool | None
    drawn: tuple[StreamPictures, ...]


class MissView(Struct, frozen=True):
    """One near miss."""

    model: str
    stream: str
    at: str
    score: str
    detector: str
    pictures: tuple[Picture, ...]
    live: str


def episodes_of(backtest: Backtest) -> tuple[EpisodeView, ...]:
    """In order of time; the worst are drawn."""
    cases = backtest.cases
    ranked = sorted(range(len(cases)), key=lambda i: _rank(cases[i].episode))
    drawn = set(ranked[:DRAWN_MAX])
    shown = [i for i in range(len(cases)) if i < ROWS_MAX or i in drawn]
    return tuple(_episode(cases[i], backtest, draw=i in drawn) for i in shown)


def _rank(episode: Episode) -> tuple[int, float]:
    return _SEVERITIES.index(episode.severity), -episode.peak


def _episode(case: Case, backtest: Backtest, *, draw: bool) -> EpisodeView:
    episode = case.episode
    names = [told.stream_name(stream.key) for stream in episode.streams]
    more = episode.streams_total - len(names)
    return EpisodeView(
        id=episode.id,
        severity=episode.severity.value,
        model=told.episode_model(episode),
        started=minute(episode.started_seconds),
        ended="" if episode.ended_seconds is None else minute(episode.ended_seconds),
        lasted=told.lasted(episode),
        words=episode.words,
        likely=episode.likely,
        score=episode.peak,
        streams=told.listed([*names, *(["…"] if more > 0 else [])]),
        expected=case.expected if case.alarms else None,
        drawn=_drawn(case, backtest) if draw else (),
    )


def _drawn(case: Case, backtest: Backtest) -> tuple[StreamPictures, ...]:
    """The streams with the highest scores, each as of its first alarm."""
    first: dict[StreamKey, int] = {}
    for position in case.alarms:
        if backtest.evidence[position] is not None:
            first.setdefault(backtest.outcome.alarms[position].stream, position)
    peaks = {stream.key: stream.peak for stream in case.episode.streams}
    worst = sorted(first, key=lambda key: -peaks.get(key, 0.0))[:STREAMS_DRAWN_MAX]
    views = []
    for key in worst:
        alarm, evidence = backtest.outcome.alarms[first[key]], backtest.evidence[first[key]]
        if evidence is not None:
            views.append(_pictures(alarm, evidence))
    return tuple(views)


def _pictures(alarm: Alarm, evidence: Evidence) -> StreamPictures:
    stream = told.stream_name(alarm.stream)
    score = score_line(stream, evidence.line, alarm.started_seconds)
    return StreamPictures(
        stream=stream,
        words=alarm.summary,
        seen=_seen(alarm, evidence),
        pictures=(*_shape(alarm.stream, evidence.histogram), score),
        live=_live(evidence),
    )


def _shape(stream: StreamKey, histogram: Histogram) -> tuple[Picture, ...]:
    """The histogram pair; none of a volume, which is one number and has no shape."""
    if stream.kind is Kind.VOLUME:
        return ()
    return (histogram_pair(told.stream_name(stream), histogram),)


def _seen(alarm: Alarm, evidence: Evidence) -> str:
    """`page_hinkley at once, adwin after 3 h`."""
    if not evidence.seen_after_seconds:
        return ", ".join(alarm.detectors)
    return ", ".join(
        f"{name} {f'after {duration(after)}' if after else 'at once'}"
        for name, after in sorted(evidence.seen_after_seconds.items(), key=lambda pair: pair[1])
    )


def _live(shown: Evidence | NearMiss) -> str:
    histogram = shown.histogram
    return (
        f"Reference: {sum(histogram.reference):,} rows. Live: {sum(histogram.live):,} rows, "
        f"{minute(histogram.from_seconds)} to {minute(histogram.to_seconds)} UTC."
    )


def miss_view(miss: NearMiss) -> MissView:
    """One near miss."""
    return MissView(
        model=told.model_name(miss.model),
        stream=told.stream_name(miss.stream),
        at=minute(miss.at_seconds),
        score=told.almost(miss.score),
        detector=miss.detector,
        pictures=_shape(miss.stream, miss.histogram),
        live=_live(miss),
    )
