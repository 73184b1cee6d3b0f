"""One detection goes on with what another one knew, of the streams that stayed the same."""

from collections.abc import Collection

from detectors.carried import Carried
from service.monitor.detecting.detection import Detection
from service.values.streams import StreamKey


def take_over(detection: Detection, previous: Detection, same: Collection[StreamKey]) -> None:
    """Let `detection`, which is fresh, go on with all that `previous` knows of the streams `same`.

    Those are with both, with the same cells, and are normal as they were. The others start afresh.
    How often a detector alarmed is remembered of every stream; `previous` is given up.
    """
    watched = Carried.between(previous.watched.streams, detection.watched.streams, same)
    judged = Carried.between(previous.streams, detection.streams, same)
    detection.dispersions.carry(previous.dispersions, watched)
    detection.seasons.carry(previous.seasons, watched)
    detection.drift.carry(previous.drift, judged)
    values = len(previous.plan.streams), len(detection.plan.streams)
    detection.means_back.carry(previous.means_back, judged.up_to(*values))
    _take_over_alarms(detection, previous)
    if detection.shapes is not None and previous.shapes is not None:
        detection.shapes.carry(previous.shapes, watched)
    known = {bank.name: bank for bank in previous.means}
    for bank in detection.means:
        before = known.get(bank.name)
        if before is not None and before.choice == bank.choice:
            bank.carry(before, judged)


def _take_over_alarms(detection: Detection, previous: Detection) -> None:
    """A counter of metrics never goes back, whatever a stream is compared with."""
    both = Carried.between(previous.streams, detection.streams, previous.streams)
    known = {bank.name: bank.alarms for bank in previous.banks}
    for bank in detection.banks:
        if bank.name in known:
            bank.alarms = both.into(bank.alarms, known[bank.name])
