"""The streams that the e-detector watches, and where their cells lie in a pane's counts.

The values of every stream of the plan, and of every input how many values were there, missing,
invalid and strange (of unknown categories, or beyond the fences): its quality. What is missing or
strange says nothing of the values, so that a broken feed and a changed world are told apart.
"""

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.catalogue import E_DETECTOR
from detectors.change.pool import with_unseen
from detectors.change.ragged import Ragged
from service.values.plans import Plan
from service.values.references import Reference
from service.values.streams import ROWS, Kind, StreamKey, segment_of
from service.values.watches import Sharing, Watch


class WatchedCells:
    """`values` are the plan's streams, in the order of its layout; `quality` those derived of its
    inputs; both together, in this order, have the flat cells that `take` gives.

    The cells of quality are present, missing, invalid, and unseen where there are categories or
    fences.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.values = plan.streams
        self.inputs = np.array(
            [i for i, key in enumerate(plan.streams) if key.kind is Kind.INPUT], dtype=np.int64
        )
        self.quality = tuple(StreamKey(Kind.QUALITY, plan.streams[i].name) for i in self.inputs)

    @property
    def streams(self) -> tuple[StreamKey, ...]:
        """Values, then quality."""
        return (*self.values, *self.quality)

    @cached_property
    def of_segments(self) -> NDArray[np.bool_]:
        """Which of `streams` are of segments."""
        return np.array([segment_of(key) is not None for key in self.streams], dtype=np.bool_)

    @cached_property
    def cells(self) -> Ragged:
        """Which of the flat cells are whose."""
        quality = self._quality_table.sum(axis=1)
        owner = np.searchsorted(self.plan.layout.offsets, self._value_cells, side="right") - 1
        values = np.bincount(owner, minlength=len(self.values))
        sizes = np.concatenate((values, quality))
        return Ragged(np.concatenate(([0], np.cumsum(sizes))).astype(np.int64))

    def take(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """From counts by cell of the layout to those of the streams watched."""
        return np.concatenate((counts[self._value_cells], self._quality_of(counts)))

    def without_strangers(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same counts by cell of the layout, none of inputs that are strange."""
        kept = counts.copy()
        kept[self._strange_cells] = 0
        return kept

    @property
    def value_count(self) -> int:
        """How many of the flat cells are of values; they come first."""
        return len(self._value_cells)

    def values_of(self, by_cell: NDArray[Any]) -> NDArray[Any]:
        """What is given by cell of the layout, of the cells of values alone."""
        return by_cell[self._value_cells]

    def as_table(self, stream: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cells of one stream out of `counts` by cell of the layout, to be told or drawn.

        Of values all of them, missing and invalid the last; of a segment nothing is missing, since
        the predictions of others are not its own. Of quality, as of a categorical stream
        of one value: present, 0, unseen, missing, invalid. Of the volume so too: rows, and zeros.
        """
        offsets = self.plan.layout.offsets
        if stream < len(self.values):
            cells = counts[offsets[stream] : offsets[stream + 1]]
            if self.of_segments[stream]:
                cells = cells.copy()
                cells[-2] = 0
            return cells
        if stream < len(self.streams):
            present, missing, invalid, unseen = self._table_of(counts)[stream - len(self.values)]
            return np.array([present, 0, unseen, missing, invalid], dtype=np.int64)
        # The most that any stream has: one that was added later was not counted from the first.
        rows = np.add.reduceat(counts, offsets[:-1]).max() if len(self.values) else 0
        return np.array([rows, 0, 0, 0, 0], dtype=np.int64)

    def reference(self, reference: Reference, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """What is normal, by cell of the layout: the reference's `counts`, and what of categories
        not seen yet is to be expected.
        """
        layout = self.plan.layout
        singletons = np.array(
            [s.singletons for s in reference.streams[layout.numeric_count :]], dtype=np.int64
        )
        return with_unseen(layout, counts, singletons)

    @cached_property
    def _value_cells(self) -> NDArray[np.int64]:
        layout = self.plan.layout
        inside = np.ones(layout.cell_count, dtype=bool)
        inside[layout.missing_cells()] = inside[layout.invalid_cells()] = False
        inside[self._strange_cells] = False
        return np.flatnonzero(inside)

    @cached_property
    def _strange_cells(self) -> NDArray[np.int64]:
        """Where the inputs have unknown categories, and numbers beyond the fences."""
        layout, inputs = self.plan.layout, self.inputs
        categorical = inputs[inputs >= layout.numeric_count] - layout.numeric_count
        fenced = [i for i in inputs.tolist() if self.values[i] in self.plan.fenced]
        first = layout.offsets[fenced]
        last = first + layout.value_cells[fenced] - 1
        strange: NDArray[np.int64] = np.concatenate(
            (layout.unseen_cells()[categorical], first, last)
        )
        return strange

    @cached_property
    def _quality_table(self) -> NDArray[np.bool_]:
        """Which of a table (inputs, 4) there are: numeric streams without fences lack the last."""
        table = np.ones((len(self.inputs), 4), dtype=bool)
        numeric = self.inputs < self.plan.layout.numeric_count
        fenced = [self.values[i] in self.plan.fenced for i in self.inputs]
        table[:, 3] = ~numeric | np.array(fenced, dtype=bool)
        return table

    @cached_property
    def _quality_cells(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._quality_table)

    def _quality_of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        taken: NDArray[np.int64] = self._table_of(counts).ravel()[self._quality_cells]
        return taken

    def _table_of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Present, missing, invalid and unseen of each input."""
        layout = self.plan.layout
        if not len(self.inputs):
            return np.zeros((0, 4), dtype=np.int64)
        total = np.add.reduceat(counts, layout.offsets[:-1])
        missing, invalid = counts[layout.missing_cells()], counts[layout.invalid_cells()]
        unseen = self.plan.unseen_of(counts)
        present = total - missing - invalid - unseen
        table: NDArray[np.int64] = np.stack((present, missing, invalid, unseen), axis=1)
        return table[self.inputs]


def watched_count(plan: Plan, watch: Watch) -> Sharing:
    """How many streams of a model version share the budget."""
    if plan.streams and any(choice.name == E_DETECTOR for choice in watch.detectors):
        return sharing_of((*WatchedCells(plan).streams, ROWS))
    return sharing_of(plan.streams)


def sharing_of(streams: Collection[StreamKey]) -> Sharing:
    """So many of whole models, and so many of segments."""
    segments = sum(segment_of(key) is not None for key in streams)
    return Sharing(len(streams) - segments, segments)
