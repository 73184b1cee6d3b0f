"""What a replay's streams were at its end: distances by window, and against a policy."""

from collections.abc import Iterator

from msgspec import Struct

from service.publish import backtest_sentences as told
from service.publish.policy_view import PolicyView, policy_view
from service.values.backtests import Backtest
from service.values.reports import StreamReport, WindowReport

STREAMS_SHOWN_MAX = 300


class WindowedStream(Struct, frozen=True):
    """One stream with its distances to the reference, over each window."""

    name: str
    windows: tuple[WindowReport, ...]


class ModelDistances(Struct, frozen=True):
    """One model version as it was at the end; streams by attention, `left_out` are not shown."""

    model: str
    streams: tuple[WindowedStream, ...]
    left_out: int
    policy: PolicyView | None


def model_distances(backtest: Backtest) -> tuple[ModelDistances, ...]:
    """Of the models that were compared; the streams that have drifted or nearly did come first."""
    return tuple(_of_models(backtest))


def _of_models(backtest: Backtest) -> Iterator[ModelDistances]:
    room = STREAMS_SHOWN_MAX
    for model in backtest.outcome.models:
        streams = sorted((s for s in model.streams if s.windows), key=_by_attention)
        if not streams and model.policy is None:
            continue
        yield ModelDistances(
            model=told.model_name(model.key),
            streams=tuple(
                WindowedStream(told.stream_name(stream.key), stream.windows)
                for stream in streams[:room]
            ),
            left_out=max(0, len(streams) - room),
            policy=policy_view(model),
        )
        room = max(0, room - len(streams))


def _by_attention(stream: StreamReport) -> tuple[bool, float]:
    return stream.drifted_since_seconds is None, -stream.score
