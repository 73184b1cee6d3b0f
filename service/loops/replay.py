"""Recorded events through the same decoder, shards and judge: when would it have alarmed?"""

import math
import sys
from collections.abc import Mapping, Sequence

from service.backtest.transitions import alarms_of
from service.ingest.source import Source
from service.loops.routing import Decoder
from service.monitor.counting.shard import Shard, TimeRules
from service.monitor.judging.comparison import Transition
from service.monitor.judging.judge import Judge
from service.monitor.judging.reporting import model_reports, topic_reports
from service.values.backtests import Outcome
from service.values.episodes import Episode
from service.values.records import Chunk, Partition, in_rounds
from service.values.rejects import Reason, Reject

LEARNING_RECORDS = 250
"""So many records of a partition are read between two judgements while something is learned: what
is learned holds from after the newest event that was read."""

POLL_SECONDS = 0.1
"""So long a source that has nothing now may wait for more."""


class Replay:
    """What a source has, up to where it ends now, as if it came in live.

    With `in_turn` partitions are read one after the other, as files are: one that was read to its
    end holds nobody up any more, and one that was not begun not yet. So they must follow each other
    in time; where they overlap, rows come after their pane was judged and are counted as unjudged.
    Else they are read side by side, as those of a topic are, and a pane is judged once all have
    passed it; a source that hands them over in the order in which they came keeps few panes open.
    `start` has positions to begin at, None the first; partitions that it does not name are not
    read; without it all are read from the first on.
    """

    def __init__(
        self,
        source: Source,
        decoder: Decoder,
        judge: Judge,
        rules: TimeRules,
        now: float,
        *,
        in_turn: bool = True,
        start: Mapping[Partition, int | None] | None = None,
    ) -> None:
        self._source = source
        self._decoder = decoder
        self._rules = rules
        self._now = now
        self._in_turn = in_turn
        self._start = start
        self._left: dict[Partition, int] = {}
        self.judge = judge
        self.shards: dict[Partition, Shard] = {}
        self._episodes: dict[str, Episode] = {}
        self._rejects: dict[Reason, Reject] = {}

    def run(self) -> Outcome:
        """Read everything. Raises ConfigurationError when a file cannot be read."""
        transitions: list[Transition] = []
        self._source.poll(0.0)
        self._begin()
        while self._left if not self._in_turn else not self._source.finished:
            chunks = self._source.poll(POLL_SECONDS).chunks
            most = LEARNING_RECORDS if self.judge.is_learning else sys.maxsize
            for together in in_rounds(chunks, most):
                for piece in together:
                    self._apply(piece)
                    transitions += self._advance()
        transitions += self._advance(to_the_end=True)
        return self._outcome(transitions)

    def _begin(self) -> None:
        """Have the source begin. Side by side, nobody is passed before it was read."""
        start = self._start
        chosen = self._source.resume(
            dict.fromkeys(self._source.partitions()) if start is None else start
        )
        if self._in_turn:
            return
        ends = self._source.ends()
        for partition, at in chosen.items():
            self.shards[partition] = Shard(partition, at, self._now)
            self._left[partition] = ends.get(partition, at)
            self._note_end(partition, at)

    def _apply(self, chunk: Chunk) -> None:
        shard = self._shard(chunk.partition)
        decoded = self._decoder.decode(chunk)
        shard.apply(chunk, decoded, self._rules, self._now)
        self._keep_first(decoded.rejects)
        self.judge.note_unknown(decoded.unknown_features)
        self._note_end(chunk.partition, chunk.next_offset)

    def _note_end(self, partition: Partition, position: int) -> None:
        """A partition that was read to where it ended in the beginning holds nobody up any more."""
        if partition in self._left and position >= self._left[partition]:
            del self._left[partition]
            self.shards[partition].caught_up_seconds = math.inf

    def _advance(self, *, to_the_end: bool = False) -> list[Transition]:
        """Judge what is closed, and keep of each episode how it stands."""
        shards = self.shards.values()
        changed = self.judge.advance(shards, self._now, to_the_end=to_the_end)
        episodes = self.judge.episodes
        for episode in (*episodes.outbox, *episodes.open):
            self._episodes[episode.id] = episode
        episodes.outbox.clear()
        return changed

    def _keep_first(self, rejects: Sequence[Reject]) -> None:
        for reject in rejects:
            self._rejects.setdefault(reject.reason, reject)

    def _shard(self, partition: Partition) -> Shard:
        """The shard of what is being read; in turn, those before it are over."""
        if partition not in self.shards:
            for earlier in self.shards.values():
                earlier.caught_up_seconds = math.inf
            self.shards[partition] = Shard(partition, 0, self._now)
        return self.shards[partition]

    def _outcome(self, transitions: list[Transition]) -> Outcome:
        shards = self.shards.values()
        judges = self.judge.models.values()
        starts = [j.judged_from_seconds for j in judges if math.isfinite(j.judged_from_seconds)]
        ends = [j.judged_through_seconds for j in judges if j.panes_judged]
        return Outcome(
            alarms=alarms_of(transitions),
            models=model_reports(self.judge, shards, self._rules.lateness_seconds, self._now),
            books=topic_reports(shards),
            from_seconds=min(starts, default=math.nan),
            to_seconds=max(ends, default=math.nan),
            episodes=tuple(sorted(self._episodes.values(), key=lambda e: e.started_seconds)),
            rejects=tuple(self._rejects.values()),
        )
