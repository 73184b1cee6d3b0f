"""What the judge knows of one partition that is counted elsewhere, as its worker told it (`Image`).

A worker sends its closed panes, copies of open ones, and then its progress, all under one stamp.
Panes wait until a progress under the same stamp is accepted, and a progress is accepted only if it
does not fall behind the one before. So whatever several writers send of one partition, of every
start the panes of exactly one of them count.
"""

import math
from collections.abc import Mapping
from typing import Protocol

from service.monitor.counting.model_image import ModelImage, Warn
from service.monitor.counting.progress import Progress
from service.monitor.counting.totals import RecordBook
from service.values.exchange import Decode, SentPane, Stamp
from service.values.records import Partition
from service.values.streams import ModelKey


class Admission(Protocol):
    """What an image asks of the judge."""

    def admits(self, key: ModelKey) -> bool:
        """Whether a model version is judged: there may be too many."""
        ...

    def give_up(self, key: ModelKey, rows: int) -> None:
        """Rows that were counted and can never be judged."""
        ...


class Tally:
    """What happened to all that was read: repeats are in order, contradictions never are.

    `late`: progress that fell behind what was accepted, of writers that were overtaken.
    """

    def __init__(self) -> None:
        self.conflicts = 0
        self.repeats = 0
        self.late = 0
        self.rows_lost = 0
        self.unreadable = 0


class Image:
    """One partition. It has the part of `Shard` that judging and reporting need.

    `is_placed`: it is known which partitions there are, so that nobody goes on without the others.
    `is_gone`: nobody reads the partition any more. `is_missing`: nobody has told of it for too
    long, so that nothing waits for it. `is_current`: its worker has just told that it has read on
    to the end of the log.
    `models` are those of `all_models` that were told of and not forgotten.
    """

    def __init__(
        self, partition: Partition, admission: Admission, tally: Tally, decode: Decode, warn: Warn
    ) -> None:
        self.partition = partition
        self.stamp: Stamp | None = None
        self.progress: Progress | None = None
        self.body = b""
        self.is_placed = False
        self.is_gone = False
        self.is_missing = False
        self.is_current = False
        self.models: Mapping[ModelKey, ModelImage] = {}
        self.all_models: dict[ModelKey, ModelImage] = {}
        self.staged: list[SentPane] = []
        self.book_before = RecordBook()
        self._admission = admission
        self._tally = tally
        self._decode = decode
        self._warn = warn

    @property
    def next_offset(self) -> int:
        """The offset after the last record that is in its counts; 0 if nothing was told."""
        return 0 if self.stamp is None else self.stamp.applied_through + 1

    @property
    def book(self) -> RecordBook:
        """What became of its records; a copy."""
        book = RecordBook()
        book.merge(self.book_before)
        if self.progress is not None:
            book.merge(self.progress.book)
        return book

    @property
    def newest_record_seconds(self) -> float:
        """Kafka's timestamp of the last record that was read, NaN if it is not known."""
        return math.nan if self.progress is None else self.progress.newest_record_seconds

    @property
    def caught_up_seconds(self) -> float:
        """When its worker last read the log to the end; +inf if nobody reads it any more."""
        if self.is_gone:
            return math.inf
        return -math.inf if self.progress is None else self.progress.caught_up_seconds

    @property
    def open_panes(self) -> int:
        """Panes that are here, of the model that has most of them."""
        return max((len(m.held) + len(m.early) for m in self.all_models.values()), default=0)

    def open_rows(self, key: ModelKey) -> int:
        """Predictions of a model that were neither judged nor given up."""
        model = self.all_models.get(key)
        return 0 if model is None else model.open_rows

    def model(self, key: ModelKey) -> ModelImage:
        """What is known of a model version, forgotten or not."""
        if key not in self.all_models:
            self.all_models[key] = ModelImage(self._decode, self._warn)
        return self.all_models[key]

    def passed_seconds(
        self,
        key: ModelKey,
        lateness_seconds: float,
        idle_after_seconds: float,
    ) -> float:
        """What its worker says, with its own lateness and idleness.

        That it is idle holds for what was in the log when the worker read its end. Unless that was
        just now, others do not go on beyond that time, or what the records tell in a backlog: what
        came since is not told yet.
        """
        if self.is_placed and (self.is_gone or self.is_missing):
            return math.inf
        if not self.is_placed or self.progress is None:
            return -math.inf
        told = self.progress.models.get(key)
        passed = self.progress.passed_others_seconds if told is None else told.passed_seconds
        if passed < math.inf or self.is_current:
            return passed
        own = -math.inf if told is None else told.watermark_seconds
        newest = self.newest_record_seconds
        silent = told is None or newest >= told.last_arrival_seconds + idle_after_seconds
        read = newest if silent and math.isfinite(newest) else -math.inf
        return max(own, max(read, self.caught_up_seconds) - lateness_seconds)

    def forget(self, key: ModelKey) -> None:
        """Let go of a model version; it is there again when the worker has counted more of it."""
        if key in self.all_models:
            self.all_models[key].forget()
            self.look()

    def unheard(self, forget_after_seconds: float) -> frozenset[ModelKey]:
        """Versions that were forgotten, and that its worker holds although it could let go of them:
        it has not heard of that.
        """
        told = {} if self.progress is None else self.progress.models
        reached = self.caught_up_seconds - forget_after_seconds
        return frozenset(
            key
            for key, model in self.all_models.items()
            if model.is_silent and key in told and told[key].last_seen_seconds <= reached
        )

    def look(self) -> None:
        """Bring `models` up to date."""
        self.models = {
            key: model
            for key, model in self.all_models.items()
            if not model.is_silent and (model.progress or model.before.rows)
        }

    def take_pane(self, sent: SentPane) -> None:
        """A pane or a copy: it waits until its writer's progress is accepted."""
        era, through = (-1, -1) if self.stamp is None else self.stamp.reached
        is_overtaken = sent.stamp.era == era and sent.stamp.applied_through < through
        if sent.stamp.era >= era and (sent.early or not is_overtaken):
            self.staged.append(sent)

    def take_progress(self, stamp: Stamp, progress: Progress, body: bytes) -> bool:
        """Accept all that was sent under this stamp; False if others had come further before."""
        if self.stamp is not None and stamp.reached < self.stamp.reached:
            self._tally.late += 1
            self.staged = [s for s in self.staged if s.early or s.stamp != stamp]
            self._accept_copies()
            return False
        if self.stamp is not None and progress.counted_since_era > self.stamp.era:
            self._begin_anew()
        self._look_for_changes(progress)
        for sent in self.staged:
            if sent.stamp == stamp and not sent.early:
                self._accept(sent)
        self.stamp, self.progress, self.body = stamp, progress, body
        self._adopt(progress)
        self.look()
        self._accept_copies()
        self.staged = [s for s in self.staged if s.stamp.reached > stamp.reached]
        return True

    def _accept(self, sent: SentPane) -> None:
        model = self.model(sent.model)
        if model.is_repeat(sent):
            self._tally.repeats += 1
            self._tally.conflicts += model.contradicts(sent)
        elif self._admits(sent.model, model):
            self._give_up(sent.model, model.accept_closed(sent))

    def _accept_copies(self) -> None:
        """The copies that are not ahead of what was accepted, whoever sent them: the more of a
        pane is in one, the better.
        """
        if self.stamp is None:
            return
        era, through = self.stamp.reached
        for sent in self.staged:
            if not sent.early or sent.stamp.era != era or sent.stamp.applied_through > through:
                continue
            model = self.model(sent.model)
            if self._admits(sent.model, model):
                model.accept_early(sent)
        self.staged = [s for s in self.staged if not s.early or s.stamp.reached > (era, through)]

    def _adopt(self, progress: Progress) -> None:
        for key, told in progress.models.items():
            model = self.model(key)
            adopted = model.adopt(told, settle=self._admits(key, model))
            self._tally.conflicts += adopted.contradicts
            self._tally.rows_lost += adopted.lost
            self._give_up(key, adopted.lost)

    def _look_for_changes(self, progress: Progress) -> None:
        """Models that were forgotten, here or by the worker, and may have come back since."""
        for key, model in list(self.all_models.items()):
            told = progress.models.get(key)
            if told is None or told.totals.rows < model.rows_told:
                if model.is_silent:
                    del self.all_models[key]
                elif told is not None:
                    self._give_up(key, model.begin_anew())
            elif model.is_silent and told.totals.rows > model.rows_told:
                model.is_silent = False

    def _begin_anew(self) -> None:
        if self.progress is not None:
            self.book_before.merge(self.progress.book)
        self.progress = None
        for key, model in self.all_models.items():
            self._give_up(key, model.begin_anew())

    def _admits(self, key: ModelKey, model: ModelImage) -> bool:
        """One that was forgotten is not asked for: it would be there again."""
        return not model.is_silent and self._admission.admits(key)

    def _give_up(self, key: ModelKey, rows: int) -> None:
        if rows:
            self._admission.give_up(key, rows)
