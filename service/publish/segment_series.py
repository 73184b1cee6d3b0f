"""Which series a report gives of the segments of a model."""

from service.publish import model_families as m
from service.publish.sheet import Sheet
from service.values.reports import ModelReport, StreamReport, StreamState
from service.values.streams import segment_of

SCORE_TOLD_MIN = 0.5
"""Below it a segment has no score on the page: most have none most of the time."""


def add_segment(sheet: Sheet, model: ModelReport, stream: StreamReport) -> None:
    """Volume and score of the predictions of one segment; nothing of any other stream."""
    segment = segment_of(stream.key)
    if segment is None:
        return
    labels = (*model.key, *segment)
    sheet.add(m.SEGMENT_PREDICTIONS, stream.predictions_total, *labels)
    if _tells_score(stream):
        sheet.add(m.SEGMENT_DRIFT_SCORE, stream.score, *labels)


def segment_series(stream: StreamReport) -> int:
    """How many series `add_segment` gives."""
    return 1 + _tells_score(stream)


def _tells_score(stream: StreamReport) -> bool:
    return stream.state is StreamState.WATCHED and stream.score >= SCORE_TOLD_MIN
