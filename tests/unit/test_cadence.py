"""How often a loop does what."""

import pytest

from service.cadence import Cadence


@pytest.mark.parametrize(
    ("took", "until"), [(0.0, 10.0), (1.0, 10.0), (2.5, 25.0), (6.0, 60.0), (100.0, 60.0)]
)
def test_checkpoints_that_take_long_come_less_often_but_not_too_seldom(took, until):
    assert Cadence(checkpoint_seconds=10.0).until_checkpoint(took) == until
