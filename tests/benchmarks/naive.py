"""The loop that a user would write: orjson, and river's detectors fed value by value."""

from collections.abc import Iterable

import orjson
from river import drift


class NaiveLoop:
    """ADWIN and Page-Hinkley for each numeric feature, updated with every event; one core."""

    def __init__(self, numeric: Iterable[str]) -> None:
        self._detectors = [(name, drift.ADWIN(), drift.PageHinkley()) for name in numeric]
        self.alarms = 0

    def feed(self, values: Iterable[bytes]) -> None:
        """Take events; a feature that is null or absent is passed over."""
        for value in values:
            features = orjson.loads(value)["features"]
            for name, adwin, page_hinkley in self._detectors:
                number = features.get(name)
                if number is None:
                    continue
                adwin.update(number)
                page_hinkley.update(number)
                self.alarms += adwin.drift_detected + page_hinkley.drift_detected
