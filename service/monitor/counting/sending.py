"""A worker's side of the exchange: which panes leave a shard, and what is said of the rest.

In this order, with nothing counted in between:

    sending = sender.prepare(...)     closed panes move into the outbox, a part of the state
    the state is written              `shard_blobs`
    sending.panes are appended        to the topic of panes; then sending.progress
    sender.confirm(sending)           the outbox forgets what has arrived

After a failure the shard is dropped and read again from its state, whose outbox is sent anew; the
judge takes every pane once.
"""

from collections.abc import Iterator

from msgspec import Struct

from service.monitor.counting.model_shard import ClosedPane, ModelShard
from service.monitor.counting.panes import Pane, PaneId
from service.monitor.counting.progress import progress_of
from service.monitor.counting.shard import Shard, TimeRules
from service.values.exchange import Encode, SentPane, SentProgress, Stamp
from service.values.streams import ModelKey


class Sending(Struct, frozen=True):
    """What one flush of a shard sends: closed panes first, then early copies, then the progress."""

    panes: tuple[SentPane, ...]
    progress: SentProgress


class Sender:
    """Sends for one shard, from its acquisition until it is given up."""

    def __init__(self, shard: Shard, writer: bytes, era: int, encode: Encode) -> None:
        self.shard = shard
        self._writer = writer
        self._era = era
        self._encode = encode
        self._early_sent: dict[tuple[ModelKey, PaneId], int] = {}

    def prepare(self, rules: TimeRules, idle_after_seconds: float) -> Sending:
        """Close what the watermarks have passed, and say all that can be said now.

        Where a partition is idle, or silent in a backlog, open panes go along as copies, those that
        have changed since they last did. Raises TypeError for what cannot be encoded.
        """
        stamp = Stamp(self._writer, self._era, self.shard.next_offset - 1)
        panes = []
        for key, model in self.shard.models.items():
            self._close(model, rules)
            panes += [
                self._sent(key, closed, stamp, early=False) for closed in model.outbox.values()
            ]
            passed = self.shard.passed_seconds(key, rules.lateness_seconds, idle_after_seconds)
            for pane in self._changed(key, model, passed, rules.pane_seconds):
                copy = self._encoded(pane, rules.pane_seconds)
                panes.append(self._sent(key, copy, stamp, early=True))
        progress = progress_of(self.shard, rules.lateness_seconds, idle_after_seconds)
        body = self._encode(progress.state())
        return Sending(tuple(panes), SentProgress(self.shard.partition, stamp, body))

    def confirm(self, sending: Sending) -> None:
        """All of it is safe: the outbox need not hold it any more."""
        for sent in sending.panes:
            model = self.shard.models.get(sent.model)
            if model is None:
                continue
            known = PaneId(sent.start_seconds, sent.reference_hash)
            if not sent.early:
                model.outbox.pop(known, None)
                self._early_sent.pop((sent.model, known), None)
            elif known in model.panes:
                self._early_sent[sent.model, known] = model.panes[known].changes

    def _close(self, model: ModelShard, rules: TimeRules) -> None:
        through = model.watermark(rules.lateness_seconds)
        for pane in model.close(through, rules.pane_seconds):
            model.outbox[pane.id] = self._encoded(pane, rules.pane_seconds)

    def _changed(
        self, key: ModelKey, model: ModelShard, end_seconds: float, pane_seconds: float
    ) -> Iterator[Pane]:
        for known, pane in model.panes.items():
            is_due = pane.start_seconds + pane_seconds <= end_seconds
            if is_due and self._early_sent.get((key, known)) != pane.changes:
                yield pane

    def _encoded(self, pane: Pane, pane_seconds: float) -> ClosedPane:
        return ClosedPane(
            id=pane.id,
            pane_seconds=pane_seconds,
            rows=pane.rows,
            counts_hash=pane.counts_hash(),
            body=self._encode(pane.state()),
        )

    def _sent(self, key: ModelKey, closed: ClosedPane, stamp: Stamp, *, early: bool) -> SentPane:
        return SentPane(
            partition=self.shard.partition,
            model=key,
            start_seconds=closed.id.start_seconds,
            pane_seconds=closed.pane_seconds,
            reference_hash=closed.id.reference_hash,
            early=early,
            stamp=stamp,
            rows=closed.rows,
            counts_hash=closed.counts_hash,
            body=closed.body,
        )
