"""What the status page and its JSON twin say: a report ordered by attention, with sentences."""

from collections.abc import Mapping

from msgspec import Struct

from service.publish import sentences
from service.publish.episode_advice import Where
from service.publish.episode_view import EpisodeView, episode_views, needs_attention
from service.publish.policy_view import PolicyView, policy_view
from service.publish.words import known
from service.values.reports import (
    ModelReport,
    ReferenceState,
    Report,
    StreamReport,
    StreamState,
    WindowReport,
)
from service.values.streams import OF_ROWS, Segment, segment_of

GLYPHS = {
    "drifting": "\N{BLACK UP-POINTING TRIANGLE}",
    "steady": "\N{BLACK CIRCLE}",
    "learning": "\N{WHITE CIRCLE}",
    "muted": "\N{EN DASH}",
    "unwatched": "\N{BOX DRAWINGS LIGHT DIAGONAL CROSS}",
}
"""Each state of a stream or model, and the shape that tells it without colour."""
_ATTENTION = ("drifting", "unwatched", "learning", "steady", "muted")


class WindowView(Struct, frozen=True):
    """A stream over one window; None where not defined."""

    window: str
    values: int
    covers_seconds: float
    psi: float | None
    psi_expected: float | None
    jensen_shannon: float | None
    ks: float | None
    wasserstein_sd: float | None
    mean_shift_sd: float | None


class StreamView(Struct, frozen=True):
    """One stream; `state` is a key of GLYPHS."""

    name: str
    kind: str
    type: str
    state: str
    score: float | None
    since_seconds: float | None
    summary: str
    knowledge: str
    source: str
    missing_total: int | None
    invalid_total: int | None
    unseen_total: int | None
    windows: tuple[WindowView, ...]


class SegmentView(Struct, frozen=True):
    """The predictions of one segment; `state` is a key of GLYPHS."""

    segmentation: str
    segment: str
    predictions_total: int
    state: str
    score: float | None
    since_seconds: float | None
    summary: str
    knowledge: str
    mean_shift_sd: Mapping[str, float | None]


class ReferenceView(Struct, frozen=True):
    """What the model is compared with."""

    state: str
    hash: str
    rows: int
    created_seconds: float | None
    learned_ratio: float


class ModelView(Struct, frozen=True):
    """One model version; its streams come by attention."""

    model: str
    version: str
    team: str
    tier: int
    runbook: str
    state: str
    sentence: str
    score: float | None
    worst: str
    drifted: int
    muted: int
    detectable_shift_sd: float | None
    predictions_total: int
    late_total: int
    rejected_totals: Mapping[str, int]
    latency_mean_seconds: float | None
    last_record_seconds: float | None
    watermark_seconds: float | None
    reference: ReferenceView
    unknown_features: tuple[str, ...]
    absent_features: tuple[str, ...]
    streams: tuple[StreamView, ...]
    policy: PolicyView | None = None
    segments: tuple[SegmentView, ...] = ()


class StatusView(Struct, frozen=True):
    """All models by attention. `attention` are the episodes that somebody is to hear of; `episodes`
    are the others: those that are only logged, and the last ones that are over.
    """

    at_seconds: float
    ready: bool
    sentences: tuple[str, ...]
    attention: tuple[EpisodeView, ...]
    episodes: tuple[EpisodeView, ...]
    models: tuple[ModelView, ...]


def status_view(report: Report) -> StatusView:
    """The whole report as it is shown; models are left out while it is not caught up."""
    models = [_model(model) for model in report.models] if report.caught_up else []
    models.sort(key=_by_attention)
    runbooks = {model.key: model.runbook for model in report.models}
    options = report.service.episode_options
    where = None if options is None else Where(options, options)
    told = report.episodes if report.caught_up else ()
    episodes = episode_views(told, runbooks, report.at_seconds, where)
    return StatusView(
        at_seconds=report.at_seconds,
        ready=report.service.ready,
        sentences=sentences.opening(report, [model.state for model in models]),
        attention=tuple(episode for episode in episodes if needs_attention(episode)),
        episodes=tuple(episode for episode in episodes if not needs_attention(episode)),
        models=tuple(models),
    )


def _model(model: ModelReport) -> ModelView:
    streams = sorted((_stream(stream) for stream in model.streams), key=_by_attention)
    scored = [stream for stream in streams if stream.score is not None and stream.state != "muted"]
    worst = max(scored, key=lambda stream: stream.score or 0.0, default=None)
    segments = sorted(map(_segment, model.segments), key=_by_attention)
    states = [*(stream.state for stream in streams), *(segment.state for segment in segments)]
    drifted = states.count("drifting")
    state = _model_state(model, drifted)
    events = sum(model.latency_counts)
    return ModelView(
        model=model.key.model,
        version=model.key.version,
        team=model.team,
        tier=model.tier,
        runbook=model.runbook,
        state=state,
        sentence=sentences.of_model(model, state),
        score=worst.score if worst else None,
        worst=worst.name if worst else "",
        drifted=drifted,
        muted=sum(stream.state == "muted" for stream in streams),
        detectable_shift_sd=known(model.detectable_shift_sd),
        predictions_total=model.predictions_total,
        late_total=model.late_total,
        rejected_totals={reason.value: n for reason, n in model.rejected_totals.items() if n},
        latency_mean_seconds=model.latency_sum_seconds / events if events else None,
        last_record_seconds=known(model.last_record_seconds),
        watermark_seconds=known(model.watermark_seconds),
        reference=_reference(model),
        unknown_features=model.unknown_features,
        absent_features=model.absent_features,
        streams=tuple(streams),
        policy=policy_view(model),
        segments=tuple(segments),
    )


def _model_state(model: ModelReport, drifted: int) -> str:
    if drifted:
        return "drifting"
    if model.reference_state is ReferenceState.READY:
        return "steady"
    return "learning" if model.reference_state is ReferenceState.LEARNING else "unwatched"


def _reference(model: ModelReport) -> ReferenceView:
    return ReferenceView(
        state=model.reference_state.value,
        hash=model.reference_hash,
        rows=model.reference_rows,
        created_seconds=known(model.reference_created_seconds),
        learned_ratio=known(model.reference_learned_ratio) or 0.0,
    )


def _stream(stream: StreamReport) -> StreamView:
    of_rows = stream.key.kind in OF_ROWS
    strangers = (stream.type != "numeric" or stream.key.kind == "input") and not of_rows
    return StreamView(
        name=stream.key.name,
        kind=stream.key.kind.value,
        type="rows" if of_rows else stream.type.value,
        state=_stream_state(stream),
        score=known(stream.score),
        since_seconds=stream.drifted_since_seconds,
        summary=stream.summary,
        knowledge=stream.knowledge.value,
        source=stream.source,
        missing_total=None if of_rows else stream.missing_total,
        invalid_total=None if of_rows else stream.invalid_total,
        unseen_total=stream.unseen_total if strangers else None,
        windows=tuple(map(_window, stream.windows)),
    )


def _segment(stream: StreamReport) -> SegmentView:
    segmentation, segment = segment_of(stream.key) or Segment("", stream.key.name)
    return SegmentView(
        segmentation=segmentation,
        segment=segment,
        predictions_total=stream.predictions_total,
        state=_stream_state(stream),
        score=known(stream.score),
        since_seconds=stream.drifted_since_seconds,
        summary=stream.summary,
        knowledge=stream.knowledge.value,
        mean_shift_sd={window.window: known(window.mean_shift_sd) for window in stream.windows},
    )


def _stream_state(stream: StreamReport) -> str:
    if stream.state is not StreamState.WATCHED:
        return stream.state.value
    return "steady" if stream.drifted_since_seconds is None else "drifting"


def _window(window: WindowReport) -> WindowView:
    return WindowView(
        window=window.window,
        values=window.values,
        covers_seconds=window.covers_seconds,
        psi=known(window.psi),
        psi_expected=known(window.psi_expected),
        jensen_shannon=known(window.jensen_shannon),
        ks=known(window.ks),
        wasserstein_sd=known(window.wasserstein_sd),
        mean_shift_sd=known(window.mean_shift_sd),
    )


def _by_attention(shown: ModelView | StreamView | SegmentView) -> tuple[int, float]:
    """What needs a person first, then the highest score; equals keep the report's order."""
    return _ATTENTION.index(shown.state), -(shown.score or 0.0)
