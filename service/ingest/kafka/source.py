"""Records from Kafka, as a member of a consumer group, from positions that the caller keeps."""

import math
import time
from collections.abc import Mapping
from threading import Thread
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)

from service.clock import Clock, SystemClock
from service.errors import ConfigurationError, RecoverableError
from service.ingest.kafka.client import KafkaParameters, consumer_arguments, subscribe
from service.ingest.kafka.session import Session, Unanswered, ours, theirs
from service.ingest.kafka.waiting import Lookout, Waiting, refusal
from service.ingest.positions import LogRange, recover
from service.kafka.connection import open_client
from service.kafka.fetch import forbidden_topics, is_connected, is_member, keep_joining
from service.values.records import Partition, Record, Turn

_CLOSE_SECONDS_MAX = 10.0
_PAUSE_AFTER_ERROR_SECONDS = 0.5
_SETTLED_SECONDS = 5.0
"""After a connection is back: long enough for every partition's first fetch to be answered."""
_NAMED_SECONDS = 2.0
"""After a connection is made: long enough for the brokers to have named our topics."""


class KafkaSource:
    """A `Source` over one consumer of a group.

    Brokers that are away, from the start or later, make `poll` bring nothing; it logs that once and
    goes on by itself when they are back. What the operator must change raises ConfigurationError.
    A partition whose position the log no longer holds is given again (revoked and assigned in one
    turn), and `resume` applies the policy. `resume` leaves out what is no longer ours, and what it
    could not look up now: that is assigned once more in the next turn.
    """

    def __init__(self, parameters: KafkaParameters, clock: Clock | None = None) -> None:
        """Check the parameters; the first `poll` connects."""
        self.parameters = parameters
        self.out_of_range_total = 0
        self.commit_failures_total = 0
        self._clock = clock or SystemClock()
        self._arguments = consumer_arguments(parameters)
        self._session: Session | None = None
        self._state = "connecting"
        self._reachable_since = math.inf
        self._fenced: Exception | None = None
        self._log = structlog.get_logger(__name__).bind(group=parameters.group)
        self._lookout = Lookout(parameters, self._log)

    def poll(self, timeout_seconds: float) -> Turn:
        """Up to `records_max` records; the wait is longer only while nothing was ever connected."""
        session = self._connected(timeout_seconds)
        if session is None:
            return Turn(in_touch=False, obstacle=self._waiting(None).obstacle)
        fetched = self._fetch(session, timeout_seconds)
        assigned, revoked = session.membership.take()
        session.placed -= assigned | revoked
        session.look(self._clock.monotonic())
        chunks = list(session.chunks(fetched))
        waiting = self._waiting(session)
        return Turn(
            chunks,
            frozenset(map(ours, assigned)),
            frozenset(map(ours, revoked)),
            in_touch=self._reachable_for(_SETTLED_SECONDS),
            obstacle=waiting.obstacle,
            absent=waiting.absent,
            acknowledged=frozenset(map(ours, session.take_acknowledged())),
        )

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """Place partitions and let them flow.

        Raises:
            OffsetOutOfRange: the log does not hold a position, and the policy is to stop.
        """
        session = self._session
        if session is None:
            return {}
        held = session.membership.held
        wanted = {theirs(p): at for p, at in positions.items() if theirs(p) in held}
        try:
            chosen = self._choose(session, wanted)
        except Unanswered as error:
            self._note("unreachable", error=str(error))
            session.membership.ask_again(wanted)
            return {}
        return {ours(w): at for w, at in chosen.items() if session.place(w, at)}

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Pause these partitions; what was fetched of them already waits."""
        if self._session is not None:
            self._session.hold(frozenset(map(theirs, partitions)))

    def partitions(self) -> frozenset[Partition]:
        """All partitions of the subscribed topics by the newest metadata; none before the first."""
        if self._session is None:
            return frozenset()
        topics = self._session.partitions().items()
        return frozenset(Partition(topic, n) for topic, numbers in topics for n in numbers)

    def ends(self) -> dict[Partition, int]:
        """Ends as the last fetch saw them; a partition that was never looked at is asked for once.

        Empty when that gets no answer; without those whose leader is not connected.
        """
        if self._session is None:
            return {}
        try:
            known = self._session.ends(self._session.membership.held)
        except Unanswered as error:
            self._note("unreachable", error=str(error))
            return {}
        return {ours(where): end for where, end in known.items()}

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:
        """What the group committed.

        Raises:
            RecoverableError: the group's coordinator gave no answer. Nothing is not the same as
                unknown: a caller that took it for that would begin anew.
        """
        found = {p: self._committed_position(p) for p in partitions}
        return {partition: at for partition, at in found.items() if at is not None}

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Send the positions; how it went is known at a later poll (`commit_failures_total`)."""
        if self._session is None or not positions:
            return
        try:
            self._session.commit({theirs(p): at for p, at in positions.items()}, self._answered)
        except KafkaError as error:
            self._answered(error)

    @property
    def finished(self) -> bool:
        """Never: a topic has no last record."""
        return False

    def close(self) -> None:
        """Commit what is not yet acknowledged and leave the group, within ten seconds."""
        session, self._session = self._session, None
        if session is not None:
            # kafka-python can wait for ever; a daemon thread does not keep the process.
            leaving = Thread(target=session.leave, name="kafka-close", daemon=True)
            leaving.start()
            leaving.join(_CLOSE_SECONDS_MAX)

    def _connected(self, timeout_seconds: float) -> Session | None:
        if self._session is None:
            try:
                consumer = open_client(KafkaConsumer, self._arguments)
            except KafkaError as error:
                self._trouble(error, timeout_seconds)
                return None
            self._session = Session(consumer)
            subscribe(consumer, self.parameters, self._session.membership)
        return self._session

    def _fetch(
        self, session: Session, timeout_seconds: float
    ) -> dict[TopicPartition, list[Record]]:
        if self._fenced is not None:
            self._refuse(self._fenced)
        keep_joining(session.consumer)
        try:
            fetched: dict[TopicPartition, list[Record]] = session.consumer.poll(
                timeout_ms=round(timeout_seconds * 1000)
            )
        except OffsetOutOfRangeError as error:
            session.membership.give_again(error.args[0])
        except LogTruncationError as error:
            session.membership.give_again(error.divergent_offsets)
        except KafkaError as error:
            self._trouble(error, timeout_seconds)
        else:
            self._note("consuming" if is_connected(session.consumer) else "unreachable")
            if forbidden := forbidden_topics(session.consumer):
                self._refuse(TopicAuthorizationFailedError(forbidden))
            return fetched
        return {}

    def _choose(
        self, session: Session, wanted: Mapping[TopicPartition, int | None]
    ) -> dict[TopicPartition, int]:
        logs = session.log_ranges(list(wanted), self.parameters.connection.request_timeout_seconds)
        fresh = {where: logs[where] for where, at in wanted.items() if at is None}
        chosen = self._starts(session, fresh)
        for where, at in wanted.items():
            if at is not None:
                chosen[where] = self._checked(where, at, logs[where])
        return chosen

    def _starts(
        self, session: Session, logs: Mapping[TopicPartition, LogRange]
    ) -> dict[TopicPartition, int]:
        start = self.parameters.start
        if start == "earliest":
            return {where: log.first for where, log in logs.items()}
        if start == "latest":
            return {where: log.end for where, log in logs.items()}
        since = self._clock.now() + start
        found = session.offsets_since(
            list(logs), since, self.parameters.connection.request_timeout_seconds
        )
        return {w: log.end if (at := found[w]) is None else at.offset for w, log in logs.items()}

    def _checked(self, where: TopicPartition, at: int, log: LogRange) -> int:
        if log.holds(at):
            return at
        self.out_of_range_total += 1
        chosen = recover(ours(where), at, log, self.parameters.out_of_range)
        self._log.error(
            "position_out_of_range",
            topic=where.topic,
            partition=where.partition,
            position=at,
            first=log.first,
            end=log.end,
            continued_at=chosen,
        )
        return chosen

    def _trouble(self, error: KafkaError, timeout_seconds: float) -> None:
        """Refused is the operator's to change; everything else passes by itself."""
        self._refuse(error)
        self._note("unreachable", error=str(error), **self._hint())
        time.sleep(min(timeout_seconds, _PAUSE_AFTER_ERROR_SECONDS))

    def _refuse(self, error: Exception) -> None:
        problem = refusal(error, self.parameters)
        if problem:
            raise ConfigurationError(problem) from error

    def _reachable_for(self, seconds: float) -> bool:
        return self._clock.monotonic() >= self._reachable_since + seconds

    def _waiting(self, session: Session | None) -> Waiting:
        now = self._clock.monotonic()
        if session is None or self._state != "consuming":
            return self._lookout.for_a_broker(now)
        return self._lookout.for_partitions(
            session.partitions() if self._reachable_for(_NAMED_SECONDS) else None,
            now,
            holds_some=bool(session.membership.held),
            is_member=is_member(session.consumer),
        )

    def _hint(self) -> dict[str, str]:
        if self.parameters.connection.security.mechanism is None:
            return {}
        return {"hint": "a broker that refuses the login looks the same: check kafka.security"}

    def _committed_position(self, partition: Partition) -> int | None:
        timeout_ms = self._arguments["request_timeout_ms"]
        problem: object = "not connected yet"
        if self._session is not None:
            try:
                at: int | None = self._session.consumer.committed(
                    theirs(partition), timeout_ms=timeout_ms
                )
            except KafkaError as error:
                problem = error
            else:
                return at
        raise RecoverableError(
            f"Cannot read what group {self.parameters.group} committed for {partition.topic} "
            f"partition {partition.number}: {problem}. Check that the brokers are up"
        )

    def _answered(self, answer: Any) -> None:
        if isinstance(answer, Exception):
            # A fenced member is told so here alone, and would go on reading for ever.
            if isinstance(answer, FencedInstanceIdError):
                self._fenced = answer
            self.commit_failures_total += 1
            self._log.warning("commit_failed", error=str(answer))

    def _note(self, state: str, **details: Any) -> None:
        """One line for each change of state, not for each poll."""
        if state == self._state:
            return
        self._state = state
        self._reachable_since = self._clock.monotonic() if state == "consuming" else math.inf
        brokers = ",".join(self.parameters.connection.bootstrap_servers)
        level = self._log.info if state == "consuming" else self._log.warning
        level(f"kafka_{state}", brokers=brokers, **details)
