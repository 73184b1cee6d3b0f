"""From a comparison to the evidence of an episode: what drifts, and what changed in it."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.distance import Distances
from service.monitor.counting.panes import Pane
from service.monitor.episodes.pane_verdicts import Described, Drifting
from service.monitor.judging.comparison import Comparison
from service.monitor.judging.wording import Measured
from service.values.episodes import ChangedCell, SeenBy, StreamCounts, StreamDistance
from service.values.streams import Kind, StreamKey

CELLS_MAX = 3
"""Cells of a stream that are named as those that changed most."""

SHARE_WORTH_SAYING = 0.01
"""A cell whose share moved less is not what changed."""


def drifting(comparison: Comparison, pane: Pane) -> tuple[list[Drifting], frozenset[StreamKey]]:
    """The streams that drift after `pane` was judged, and those of them that are muted."""
    since, onset = comparison.drift.since_seconds, comparison.drift.onset_seconds
    streams = np.flatnonzero(comparison.drift.drifted).tolist()
    score = comparison.score if streams else np.zeros(0)
    found, muted = [], set()
    for i in streams:
        key = comparison.streams[i]
        if comparison.watch.mute_of(key, pane.start_seconds) is not None:
            muted.add(key)
            continue
        found.append(
            Drifting(
                key=key,
                source=_source(comparison, key),
                score=float(score[i]),
                since_seconds=float(since[i]),
                onset_seconds=float(onset[i]),
                seen_by=tuple(_seen_by(comparison, i, pane.start_seconds)),
            )
        )
    return found, frozenset(muted)


def describe(
    comparison: Comparison, pane: Pane, keys: Sequence[StreamKey]
) -> Mapping[StreamKey, Described]:
    """What changed in these streams: by the pane, if it has rows enough, else by the windows."""
    places = {key: i for i, key in enumerate(comparison.streams)}
    measured = comparison.measured(pane)
    windows = [(w.length.name, w.total.cells) for w in comparison.windows]
    far = [(name, cells, comparison.distances(cells)) for name, cells in windows]
    told: dict[StreamKey, Described] = {}
    for key in keys:
        if key not in places:
            continue
        i = places[key]
        live = _first_seen(comparison, measured, i)
        changed = _changed(comparison, live, i)
        told[key] = Described(
            words=_words(comparison, measured, i, changed),
            cells=changed,
            distances=tuple(
                _distance(key, i, name, int(cells[comparison.layout.values_of(i)].sum()), distances)
                for name, cells, distances in (far if i < len(comparison.plan.streams) else ())
            ),
            counts=_counts(comparison, key, i, live),
        )
    return told


def _source(comparison: Comparison, key: StreamKey) -> str:
    """The feed that a feature comes from, whose values or whose quality it is."""
    if key.kind not in {Kind.INPUT, Kind.QUALITY}:
        return ""
    return comparison.watch.feature(key.name).source


def _seen_by(comparison: Comparison, stream: int, at_seconds: float) -> Iterable[SeenBy]:
    for bank in comparison.banks:
        if bank.alarming[stream]:
            evidence, level = float(bank.evidence[stream]), float(bank.level[stream])
            yield SeenBy(bank.name, at_seconds, evidence, level)


def _first_seen(
    comparison: Comparison, measured: Sequence[Measured], stream: int
) -> NDArray[np.int64]:
    """Live counts of a stream's cells, of the first of `measured` that has any."""
    none = np.zeros_like(comparison.cells_of(stream, comparison.counts))
    found = (comparison.cells_of(stream, cells) for cells, _ in measured)
    return next((cells for cells in found if cells.any()), none)


def _changed(
    comparison: Comparison, live: NDArray[np.int64], stream: int
) -> tuple[ChangedCell, ...]:
    """The cells whose share moved most, those first."""
    reference = comparison.cells_of(stream, comparison.counts)
    before, after = reference / max(1, reference.sum()), live / max(1, live.sum())
    names = comparison.names_of(stream)
    order = np.argsort(-np.abs(after - before), kind="stable")[:CELLS_MAX].tolist()
    return tuple(
        ChangedCell(names[i], round(float(before[i]), 6), round(float(after[i]), 6))
        for i in order
        if abs(after[i] - before[i]) >= SHARE_WORTH_SAYING
    )


def _words(
    comparison: Comparison,
    measured: Sequence[Measured],
    stream: int,
    cells: tuple[ChangedCell, ...],
) -> str:
    """What changed: "up 0.41 sd, PSI 0.31; share of [52k, 61k) from 10 % to 27 %"."""
    words = comparison.words(measured, stream)
    if stream >= comparison.layout.numeric_count or not cells:
        return words
    cell = cells[0]
    return f"{words}; share of {cell.name} from {_percent(cell.before)} to {_percent(cell.after)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def _distance(
    key: StreamKey, stream: int, window: str, values: int, told: Distances
) -> StreamDistance:
    return StreamDistance(
        kind=key.kind,
        name=key.name,
        window=window,
        values=values,
        psi=_known(told.psi[stream]),
        jensen_shannon=_known(told.jensen_shannon[stream]),
        ks=_known(told.ks[stream]),
        wasserstein_sd=_known(told.wasserstein_sd[stream]),
        mean_shift_sd=_known(told.mean_shift[stream]),
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _counts(
    comparison: Comparison, key: StreamKey, stream: int, live: NDArray[np.int64]
) -> StreamCounts:
    layout = comparison.layout
    numeric = stream < layout.numeric_count
    before = comparison.cells_of(stream, comparison.counts).tolist()
    if stream < layout.stream_count and comparison.hides(stream):
        names, before = without_values(comparison, stream, before)
        _, after = without_values(comparison, stream, live.tolist())
        return StreamCounts(key.kind, key.name, (), names, tuple(before), tuple(after))
    if stream >= layout.stream_count:
        categories = comparison.names_of(stream)[:1]
    else:
        categories = () if numeric else layout.categories[stream - layout.numeric_count]
    return StreamCounts(
        kind=key.kind,
        name=key.name,
        edges=tuple(layout.edges[stream].tolist()) if numeric else (),
        categories=categories,
        before=tuple(before),
        after=tuple(live.tolist()),
    )


def without_values(
    comparison: Comparison, stream: int, cells: list[int]
) -> tuple[tuple[str, ...], list[int]]:
    """The cells of a stream of values as those of a categorical one, and names of these that tell
    no value: "bin 3", "category 3".
    """
    if stream < comparison.layout.numeric_count:
        bins = len(cells) - 2
        return tuple(f"bin {n}" for n in range(1, bins + 1)), [*cells[:-2], 0, 0, *cells[-2:]]
    return tuple(f"category {n}" for n in range(1, len(cells) - 3)), cells
