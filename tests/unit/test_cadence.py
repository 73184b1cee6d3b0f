"""How often a loop does what."""

import pytest

from service.loops.cadence import Cadence


@pytest.mark.parametrize(
    ("took", "until"), [(0.0, 10.0), (1.0, 10.0), (2.5, 25.0), (6.0, 60.0), (100.0, 60.0)]
)
def test_checkpoints_that_take_long_come_less_often_but_not_too_seldom(took, until):
    assert Cadence(checkpoint_seconds=10.0).until_checkpoint(took) == until


@pytest.mark.parametrize(
    ("took", "until"), [(0.0, 1.0), (0.2, 1.0), (1.5, 6.0), (5.0, 15.0), (100.0, 15.0)]
)
def test_flushes_of_very_many_models_leave_most_of_the_time_to_reading(took, until):
    assert Cadence(flush_seconds=1.0).until_flush(took) == until


def test_a_flush_is_never_due_earlier_than_was_asked_for():
    assert Cadence(flush_seconds=60.0).until_flush(10.0) == 60.0
