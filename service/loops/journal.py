"""What a running service logs of itself: one line for each thing that happens, none per record."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from service.monitor.counting.shard import Shard
from service.monitor.judging.model_judge import ModelJudge
from service.values.records import Chunk, Partition
from service.values.references import LEARNED
from service.values.rejects import Reason, Reject
from service.values.streams import ModelKey

log = structlog.get_logger(__name__)

REFUSED_EVERY_SECONDS = 60.0
"""What is refused of one topic for one reason is told at once, then its count so often."""

BEHIND_SECONDS = 60.0
"""Records so old that are still to be read are a backlog, and are told of so often."""

_NAMED_MAX = 20
_HASH_DIGITS = 12


class _Standing(NamedTuple):
    """The references of a model version as last told, by hash; "" for none."""

    newest: str
    in_force: str


class Journal:
    """Remembers what it told, so that each thing is told once. Times are those of `now_seconds`."""

    def __init__(self) -> None:
        self._models: dict[ModelKey, _Standing] = {}
        self._refused: dict[tuple[str, Reason], _Refused] = {}
        self._behind_since = self._behind_told = math.nan
        self._ready = False

    def restored(self, models: Mapping[ModelKey, ModelJudge], partitions: int) -> None:
        """The last snapshot was taken up: what is in it is not news."""
        self._models = {key: _standing(model) for key, model in models.items()}
        log.info("state_restored", models=len(models), partitions=partitions)

    def placed(self, chosen: Mapping[Partition, int], fresh: Iterable[Partition]) -> None:
        """Partitions are ours and are read from these positions; `fresh` for the first time."""
        if chosen:
            log.info(
                "partitions_assigned",
                partitions=len(chosen),
                new=len(chosen.keys() & set(fresh)),
                read_from=_some({_text(p): at for p, at in sorted(chosen.items())}),
            )

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """The group took partitions away."""
        gone = sorted(partitions)
        if gone:
            names = [_text(partition) for partition in gone[:_NAMED_MAX]]
            log.warning("partitions_revoked", partitions=len(gone), named=names)

    def refused(self, chunk: Chunk, rejects: Iterable[Reject], now_seconds: float) -> None:
        """Some of a chunk was refused."""
        topic = chunk.partition.topic
        for reject in rejects:
            self._tally(topic, reject.reason).add(1, _example(reject))
        for skipped in chunk.skipped:
            count = skipped.last_offset - skipped.first_offset + 1
            where = {"partition": chunk.partition.number, "offset": skipped.first_offset}
            example = {**where, "detail": skipped.detail}
            self._tally(topic, Reason(skipped.reason)).add(count, example)
        self.tell_refused(now_seconds)

    def tell_refused(self, now_seconds: float) -> None:
        """Tell the counts that are due."""
        for (topic, reason), tally in self._refused.items():
            tally.tell(topic, reason, now_seconds)

    def look(self, models: Mapping[ModelKey, ModelJudge]) -> None:
        """Tell of models that are new, and of references that were made or came into force."""
        for key, model in models.items():
            before, now = self._models.get(key), _standing(model)
            if before is None:
                _log_new(key, model)
                before = _Standing(now.newest, "")
            if now.newest != before.newest:
                _log_made(key, model)
            if now.in_force != before.in_force:
                labels = {"model": key.model, "model_version": key.version}
                log.info("reference_in_force", **labels, reference=now.in_force[:_HASH_DIGITS])
            self._models[key] = now
        for key in self._models.keys() - models.keys():
            del self._models[key]

    def forgotten(self, keys: Iterable[ModelKey]) -> None:
        """Model versions that were silent for too long were let go."""
        for key in keys:
            log.info("model_forgotten", model=key.model, model_version=key.version)

    def progress(
        self, shards: Iterable[Shard], left: Mapping[Partition, int], now_seconds: float
    ) -> None:
        """How far the logs are read: told when we are far behind, each minute, and at the end."""
        records = sum(left.values())
        old = [s.newest_record_seconds for s in shards if left.get(s.partition)]
        behind = now_seconds - min((t for t in old if not math.isnan(t)), default=now_seconds)
        if math.isnan(self._behind_since):
            if behind >= BEHIND_SECONDS:
                self._behind_since = self._behind_told = now_seconds
                log.warning("behind", records=records, seconds=round(behind))
        elif records == 0:
            took = now_seconds - self._behind_since
            self._behind_since = math.nan
            log.info("caught_up", after_seconds=round(took))
        elif now_seconds - self._behind_told >= BEHIND_SECONDS:
            self._behind_told = now_seconds
            log.info("still_behind", records=records, seconds=round(behind))

    def ready(self, *, is_ready: bool) -> None:
        """Everything was read that the logs held at the start: figures are published from now."""
        if is_ready and not self._ready:
            log.info("ready")
        self._ready |= is_ready

    def _tally(self, topic: str, reason: Reason) -> "_Refused":
        return self._refused.setdefault((topic, reason), _Refused())


class _Refused:
    """What was refused of one topic for one reason since it was last told."""

    def __init__(self) -> None:
        self._count = 0
        self._example: Mapping[str, object] = {}
        self._next_seconds = -math.inf

    def add(self, count: int, example: Mapping[str, object]) -> None:
        """Some more; of them one example is kept."""
        self._example = self._example if self._count else example
        self._count += count

    def tell(self, topic: str, reason: Reason, now_seconds: float) -> None:
        """Log the count if it is due and there is one."""
        if not self._count or now_seconds < self._next_seconds:
            return
        is_late = reason is Reason.LATE
        write = log.info if is_late else log.warning
        event = "rows_late" if is_late else "records_rejected"
        write(event, topic=topic, reason=reason.value, count=self._count, example=self._example)
        self._count = 0
        self._next_seconds = now_seconds + REFUSED_EVERY_SECONDS


def _example(reject: Reject) -> Mapping[str, object]:
    example: dict[str, object] = {
        "partition": reject.partition.number,
        "offset": reject.record.offset,
        "detail": reject.detail,
    }
    if reject.row is not None:
        example["row"] = reject.row
    if reject.model is not None:
        example["model"], example["model_version"] = reject.model
    return example


def _standing(model: ModelJudge) -> _Standing:
    newest, compared = model.references.newest.reference, model.comparison
    return _Standing(
        "" if newest is None else newest.hash,
        "" if compared is None else compared.plan.reference_hash,
    )


def _log_new(key: ModelKey, model: ModelJudge) -> None:
    log.info(
        "model_seen",
        model=key.model,
        model_version=key.version,
        team=model.watch.team,
        tier=model.watch.tier,
        reference=_standing(model).newest[:_HASH_DIGITS] or model.reference_state.value,
    )


def _log_made(key: ModelKey, model: ModelJudge) -> None:
    entry = model.references.newest
    if entry.reference is None:
        return
    source = entry.reference.lineage.source
    log.info(
        "reference_learned" if source == LEARNED else "reference_exchanged",
        model=key.model,
        model_version=key.version,
        reference=entry.reference.hash[:_HASH_DIGITS],
        rows=entry.reference.rows,
        streams=len(entry.reference.streams),
        source=source,
        in_force_from=_moment(entry.effective_from_seconds),
    )


def _moment(seconds: float) -> str:
    """UTC; a reference that holds from the first event on has no moment."""
    if math.isinf(seconds):
        return "the first event"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _text(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"


def _some(positions: Mapping[str, int]) -> dict[str, int]:
    """Not each of a thousand."""
    return dict(list(positions.items())[:_NAMED_MAX])
