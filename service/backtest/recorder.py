"""What a replay keeps while it runs, in a memory that does not grow with what is replayed."""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from service.backtest.blindness import HoursOfDay, blind_streams, constant_streams, vague_streams
from service.backtest.buckets import Buckets
from service.backtest.evidence import AlarmEvidence, AlarmKey, histogram
from service.backtest.near_misses import Excursions, Nearest
from service.backtest.pane_log import PaneLog
from service.monitor.counting.panes import Pane
from service.monitor.judging.comparison import Comparison, Transition
from service.monitor.judging.model_judge import ModelJudge
from service.values.backtests import Evidence, Gap, History, ScoreLine
from service.values.streams import ModelKey, StreamKey
from service.values.watches import Sharing

GAPS_KEPT = 10


class Stretch(Struct):
    """The panes of one model version that met one reference; `log` None: they were not kept.

    `sharing` tells from which pane on (a position) how many streams shared the budget.
    """

    comparison: Comparison
    log: PaneLog | None
    columns: NDArray[np.int64]
    evidence: AlarmEvidence
    excursions: Excursions
    seen: NDArray[np.int64]
    blind_panes: NDArray[np.int64]
    sharing: dict[int, Sharing] = {}
    panes: int = 0

    def note_sharing(self) -> None:
        """Remember who shares the budget in the pane that comes now, where that has changed."""
        sharing = self.comparison.sharing
        if not self.sharing or self.sharing[max(self.sharing)] != sharing:
            self.sharing[self.panes] = sharing


class Recorder:
    """Is told of every judged pane: hand `record` to the judge.

    `keep_panes` also keeps every pane's counts, in a temporary file, to judge them again.
    """

    def __init__(self, pane_seconds: float, *, keep_panes: bool = False) -> None:
        self.pane_seconds = pane_seconds
        self.evidence: dict[AlarmKey, Evidence] = {}
        self.nearest = Nearest()
        self.models: dict[ModelKey, ModelRecord] = {}
        self._keep_panes = keep_panes

    def record(self, model: ModelJudge, pane: Pane, changed: list[Transition]) -> None:
        """Take one pane that was judged, and what changed in it."""
        if model.key not in self.models:
            self.models[model.key] = ModelRecord(self, keep_panes=self._keep_panes)
        self.models[model.key].add(model, pane, changed)

    def finish(self) -> None:
        """Everything was read."""
        for model in self.models.values():
            for stretch in model.stretches:
                stretch.evidence.finish()
                stretch.excursions.finish()

    def close(self) -> None:
        """Let go of the panes."""
        for model in self.models.values():
            for stretch in model.stretches:
                if stretch.log is not None:
                    stretch.log.close()


class ModelRecord:
    """One model version."""

    def __init__(self, recorder: Recorder, *, keep_panes: bool) -> None:
        self.stretches: list[Stretch] = []
        self._recorder = recorder
        self._keep_panes = keep_panes
        self._buckets = Buckets(recorder.pane_seconds)
        self._hours = HoursOfDay()
        self._streams: dict[StreamKey, int] = {}
        self._end_seconds = math.nan
        self._judged_from_seconds = math.nan
        self._gaps: list[Gap] = []
        self._silent_seconds = 0.0

    def add(self, model: ModelJudge, pane: Pane, changed: list[Transition]) -> None:
        """Take one judged pane."""
        start = pane.start_seconds
        self._note_gap(start)
        self._end_seconds = start + self._recorder.pane_seconds
        self._hours.add(start, pane.rows)
        comparison = model.comparison
        if comparison is None or not comparison.layout.stream_count:
            self._buckets.add(start, pane.rows, np.zeros(0, dtype=np.int64), np.zeros(0))
            return
        if math.isnan(self._judged_from_seconds):
            self._judged_from_seconds = start
        stretch = self._stretch(comparison)
        scores, drifted = comparison.score, comparison.drift.drifted
        self._buckets.add(start, pane.rows, stretch.columns, scores)
        stretch.seen += pane.summary.cells
        stretch.note_sharing()
        stretch.panes += 1
        if comparison.detection.shapes is not None:
            stretch.blind_panes += comparison.detection.shapes.blind
        stretch.evidence.add(pane, scores, changed)
        stretch.excursions.add(
            start,
            scores,
            drifted,
            lambda stream: max(comparison.banks, key=lambda bank: float(bank.score[stream])).name,
            lambda stream: histogram(comparison, pane, self._recorder.pane_seconds, stream),
        )
        if stretch.log is not None:
            stretch.log.append(start, pane.rows, pane.summary.cells)

    def history(self, key: ModelKey) -> History:
        """All of it, as the report wants it."""
        last = self.stretches[-1] if self.stretches else None
        scores, starts = self._buckets.scores, tuple(self._buckets.starts_seconds.tolist())
        width = self._buckets.width_seconds
        worst = np.fmax.reduce(scores, axis=1, initial=-np.inf)
        worst[np.isinf(worst)] = np.nan
        return History(
            key=key,
            scores=ScoreLine(width, starts, tuple(worst.tolist())),
            rows=tuple(self._buckets.rows.tolist()),
            streams={
                stream: ScoreLine(width, starts, tuple(scores[:, column].tolist()))
                for stream, column in self._streams.items()
            },
            first_seconds=self._buckets.first_seconds,
            judged_from_seconds=self._judged_from_seconds,
            gaps=tuple(sorted(self._gaps, key=lambda gap: gap.from_seconds)),
            silent_seconds=self._silent_seconds,
            hours=self._hours.report(None if last is None else last.comparison),
            constant=() if last is None else tuple(constant_streams(last.comparison, last.seen)),
            blind=() if last is None else tuple(blind_streams(last.comparison, last.seen)),
            vague=(
                ()
                if last is None
                else tuple(vague_streams(last.comparison, last.blind_panes, last.panes))
            ),
        )

    def _note_gap(self, start: float) -> None:
        if start > self._end_seconds:
            self._silent_seconds += start - self._end_seconds
            longest_first = sorted(
                [*self._gaps, Gap(self._end_seconds, start)],
                key=lambda gap: gap.from_seconds - gap.to_seconds,
            )
            self._gaps = longest_first[:GAPS_KEPT]

    def _stretch(self, comparison: Comparison) -> Stretch:
        if not self.stretches or self.stretches[-1].comparison is not comparison:
            if self.stretches:
                self.stretches[-1].evidence.finish()
                self.stretches[-1].excursions.finish()
            self.stretches.append(self._new_stretch(comparison))
        return self.stretches[-1]

    def _new_stretch(self, comparison: Comparison) -> Stretch:
        streams = comparison.streams
        columns = [self._streams.setdefault(key, len(self._streams)) for key in streams]
        self._buckets.widen(len(self._streams))
        cells = comparison.layout.cell_count
        recorder = self._recorder
        return Stretch(
            comparison=comparison,
            log=PaneLog(cells) if self._keep_panes else None,
            columns=np.array(columns, dtype=np.int64),
            evidence=AlarmEvidence(comparison, recorder.pane_seconds, recorder.evidence),
            excursions=Excursions(comparison.key, streams, recorder.nearest),
            seen=np.zeros(cells, dtype=np.int64),
            blind_panes=np.zeros(len(streams), dtype=np.int64),
        )
