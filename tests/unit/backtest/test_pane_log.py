"""Kept panes come back as they were, as often as one likes, from memory and from the file."""

from contextlib import closing

import numpy as np
import pytest

from service.backtest.pane_log import BLOCK_PANES, PaneLog


@pytest.mark.parametrize("in_memory_bytes", [1, 10**8])
@pytest.mark.parametrize("highest", [2, 300, 70_000, 2**40])
def test_panes_come_back_as_they_were(in_memory_bytes, highest):
    random = np.random.default_rng(3)
    panes = [
        (60.0 * i, int(random.integers(0, 99)), random.integers(0, highest, 7))
        for i in range(2 * BLOCK_PANES + 5)
    ]
    with closing(PaneLog(7, in_memory_bytes)) as log:
        for pane in panes:
            log.append(*pane)
        for _ in range(2):
            back = list(log)
            assert [pane[:2] for pane in back] == [pane[:2] for pane in panes]
            assert np.array_equal([p.cells for p in back], [p[2] for p in panes])
        assert log.panes == len(panes)


def test_what_is_changed_afterwards_is_not_changed_in_it():
    cells = np.array([1, 2, 3])
    with closing(PaneLog(3)) as log:
        log.append(0.0, 6, cells)
        cells += 5
        assert next(iter(log)).cells.tolist() == [1, 2, 3]


def test_without_a_pane_there_is_none():
    with closing(PaneLog(3)) as log:
        assert list(log) == []
