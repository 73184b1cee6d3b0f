"""What changed in streams that are derived of counts, in words that could be read out."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.monitor.detecting.volume_stream import VolumeStream

_STRANGERS = {False: "of unknown categories", True: "far outside the reference's range"}


def quality_names(*, numeric: bool) -> tuple[str, ...]:
    """The cells of a quality stream, as `Comparison.cells_of` gives them."""
    return ("present", "rare", _STRANGERS[numeric], "missing", "invalid")


def quality_in_words(
    before: NDArray[np.int64], live: NDArray[np.int64] | None, names: Sequence[str]
) -> str:
    """What became more, or less, of the bad: "missing from 1.0 % to 12 %"."""
    if live is None or not live.sum():
        return "no values in any window now"
    then, now = before / max(1, before.sum()), live / live.sum()
    cell = 1 + int(np.argmax(np.abs(now - then)[1:]))
    return f"{names[cell]} from {_percent(then[cell])} to {_percent(now[cell])}"


def rows_in_words(volume: VolumeStream) -> str:
    """How many rows there are: "1,200 rows in 5 min, about 9,000 are usual"."""
    if math.isnan(volume.rows) or math.isnan(volume.usual):
        return ""
    minutes = volume.step_seconds / 60
    return f"{volume.rows:,.0f} rows in {minutes:g} min, about {volume.usual:,.0f} are usual"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
