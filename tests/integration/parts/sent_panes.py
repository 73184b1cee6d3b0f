"""An independent reading of the topic of panes: what a judge has to make of it, told plainly.

It shares with the service only the decoder of arrays; who counts twice in both would have to do it
in two ways.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import msgspec
from kafka import KafkaConsumer, TopicPartition

from service.state.snapshot import decode
from tests.integration.parts.fleet import PATIENCE_SECONDS, STATE_PARTITIONS, Fleet

Model = tuple[str, str]


class Counted(NamedTuple):
    """One pane of one partition as it was sent: rows, and the cells of all streams."""

    rows: int
    cells: list[int]
    final: bool


class _Record(NamedTuple):
    start: float
    end: float
    model: Model
    reference: str
    early: bool
    stamp: tuple[bytes, int, int]
    counted: Counted

    @property
    def pane(self) -> tuple[Model, float, str]:
        return self.model, self.start, self.reference


class InputPartition:
    """What was sent of one input partition.

    A record of progress stands for all that was sent under the same stamp before it. It counts
    unless it falls behind one that counted. Of each pane the first final one counts; what comes
    again has to be equal. Until it is there, the copy that got furthest stands for it. `behind`
    counts the records of progress that did fall behind: somebody read what others had read.
    """

    def __init__(self) -> None:
        self.reached = (-1, -1)
        self.writers: list[bytes] = []
        self.predictions: dict[Model, int] = {}
        self.conflicts: list[str] = []
        self.repeats = 0
        self.behind = 0
        self._watermarks: dict[Model, float] = {}
        self._final: dict[tuple[Model, float, str], Counted] = {}
        self._early: dict[tuple[Model, float, str], tuple[tuple[int, int], Counted]] = {}
        self._waiting: list[_Record] = []

    def panes(self) -> Iterator[tuple[Model, float, Counted]]:
        """Final panes, and of the others the copies."""
        for (model, start, _), counted in self._final.items():
            yield model, start, counted
        for pane, (_, counted) in self._early.items():
            if pane not in self._final:
                yield pane[0], pane[1], counted

    def take_pane(self, record: _Record) -> None:
        """It waits for its progress."""
        self._waiting.append(record)

    def take_progress(self, stamp: tuple[bytes, int, int], told: Any) -> None:
        """Accept what was sent under the stamp, or drop it."""
        mine = [record for record in self._waiting if record.stamp == stamp]
        self._waiting = [record for record in self._waiting if record.stamp != stamp]
        reached = stamp[1:]
        if reached < self.reached:
            self.behind += 1
            return
        if stamp[0] not in self.writers:
            self.writers.append(stamp[0])
        self.reached = reached
        for record in mine:
            if record.early:
                self._take_early(record, reached)
            else:
                self._take_final(record)
        for model in told["models"]:
            key = (model["model"], model["version"])
            self._watermarks[key] = model["watermark_seconds"]
            self.predictions[key] = model["totals"]["predictions"]

    def _take_early(self, record: _Record, reached: tuple[int, int]) -> None:
        before = self._early.get(record.pane)
        if before is None or before[0] <= reached:
            self._early[record.pane] = reached, record.counted

    def _take_final(self, record: _Record) -> None:
        known = self._final.get(record.pane)
        if known is not None:
            self.repeats += 1
            if known != record.counted:
                self.conflicts.append(f"{record.pane}: {known} and {record.counted}")
        elif record.end <= self._watermarks.get(record.model, float("-inf")):
            self.conflicts.append(f"{record.pane} came after its watermark")
        else:
            self._final[record.pane] = record.counted


def wait_until_all_go_on(fleet: Fleet, timeout_seconds: float = PATIENCE_SECONDS) -> float:
    """Until more was sent of every input partition than there is now; how long that took."""
    begun = time.monotonic()
    with SentPanes(fleet.bootstrap, fleet.topics["panes"], STATE_PARTITIONS) as sent:
        sent.poll_to_the_end()
        before = sent.through()

        def all_went_on() -> bool:
            through = sent.poll().through()
            return all(through[number] > at for number, at in before.items())

        fleet.wait_until(all_went_on, f"partitions go on from {before}", timeout_seconds)
    return time.monotonic() - begun


class SentPanes:
    """The topic of panes of one fleet, read on with every `poll`; a context manager."""

    def __init__(self, bootstrap: str | Sequence[str], topic: str, partitions: int) -> None:
        self.inputs: dict[int, InputPartition] = {}
        self.records = 0
        self._wheres = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, metadata_max_age_ms=5000)
        self._consumer.assign(self._wheres)
        self._consumer.seek_to_beginning(*self._wheres)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def poll(self, timeout_seconds: float = 0.2) -> Self:
        """Read what is there, or wait for some."""
        polled = self._consumer.poll(timeout_ms=round(timeout_seconds * 1000), max_records=5000)
        for records in polled.values():
            for record in records:
                self.records += 1
                self._take(record.key, record.value)
        return self

    def poll_to_the_end(self) -> None:
        """Until all is read that is there now; what keeps coming does not keep us."""
        ends = self._consumer.end_offsets(self._wheres)
        while any(self._consumer.position(where) < end for where, end in ends.items()):
            self.poll()

    def through(self) -> dict[int, int]:
        """The last offset of each input partition that is in what was sent."""
        return {number: part.reached[1] for number, part in self.inputs.items()}

    def merged(self) -> dict[Model, dict[float, tuple[int, list[int]]]]:
        """(rows, cells) of each pane over all partitions, by model and start."""
        merged: dict[Model, dict[float, tuple[int, list[int]]]] = {}
        for part in self.inputs.values():
            for model, start, counted in part.panes():
                panes = merged.setdefault(model, {})
                rows, cells = panes.get(start, (0, [0] * len(counted.cells)))
                added = [a + b for a, b in zip(cells, counted.cells, strict=True)]
                panes[start] = rows + counted.rows, added
        return merged

    def predictions(self) -> dict[Model, int]:
        """What the records of progress add up to."""
        total: dict[Model, int] = {}
        for part in self.inputs.values():
            for model, rows in part.predictions.items():
                total[model] = total.get(model, 0) + rows
        return total

    @property
    def conflicts(self) -> list[str]:
        """What came twice and was not the same."""
        return [text for part in self.inputs.values() for text in part.conflicts]

    def _take(self, key: bytes, value: bytes) -> None:
        (tag, _, number, *name), piece = msgspec.msgpack.decode(key)
        writer, era, through, rows, _, pieces, _, _, body = msgspec.msgpack.decode(value[1:])
        if (piece, pieces) != (0, 1):
            raise ValueError("these tests are about small panes: each in one piece")
        stamp = (writer, era, through)
        part = self.inputs.setdefault(number, InputPartition())
        if tag == "progress":
            part.take_progress(stamp, decode(body))
            return
        model, version, start, length, reference, early = name
        cells = decode(body)["summary"]["cells"].tolist()
        counted = Counted(rows, cells, not early)
        part.take_pane(
            _Record(start, start + length, (model, version), reference, early, stamp, counted)
        )
