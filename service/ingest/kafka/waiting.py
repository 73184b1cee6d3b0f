"""What keeps records from coming, in words for the log, for readiness and for the page."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    KafkaConfigurationError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from service.ingest.kafka.client import KafkaParameters, matches

_REFUSED = (
    AuthorizationError,
    FencedInstanceIdError,
    InvalidSessionTimeoutError,
    KafkaConfigurationError,
    SaslAuthenticationFailedError,
)

_LINES = " (anchorwatch acl prints the lines for it)"

TOLD_AFTER_SECONDS = 1.0
"""A wait is logged once it lasts so long: a start with nobody in the way is quicker."""


class Waiting(NamedTuple):
    """Why no record can come, empty when some can, and the absent topics, with what to do."""

    obstacle: str = ""
    absent: Mapping[str, str] = {}


class Lookout:
    """Says what keeps records from coming, and logs it: each cause once, each topic once missed and
    once found.
    """

    def __init__(self, parameters: KafkaParameters, log: Any) -> None:
        self._parameters = parameters
        self._log = log
        self._absent: dict[str, str] = {}
        self._cause = self._logged = ""
        self._since = 0.0

    def for_a_broker(self, now_seconds: float) -> Waiting:
        """Nobody answers."""
        brokers = self._parameters.connection.brokers
        self._cause = self._logged = (
            f"waiting for a broker to answer at {brokers}"  # the source logs this one
        )
        self._since = now_seconds
        return Waiting(self._cause, self._absent)

    def for_partitions(
        self,
        known: Mapping[str, frozenset[int]] | None,
        now_seconds: float,
        *,
        holds_some: bool,
        is_member: bool,
    ) -> Waiting:
        """Brokers answer. `known` are the partitions of each topic, None before they were named;
        `is_member`: the group has settled with us in it.
        """
        if known is not None:
            self._miss(absent_topics(self._parameters, known))
        if holds_some:
            cause = ""
        elif known is not None and not any(known.values()):
            cause = "; ".join(self._absent.values())
            self._logged = cause  # by topic already
        else:
            settled = is_member and known is not None
            stands_by = settled and self._parameters.shares_group
            cause = "" if stands_by else _for_the_group(self._parameters, is_member=settled)
        self._wait(cause, now_seconds)
        return Waiting(cause, self._absent)

    def _miss(self, absent: dict[str, str]) -> None:
        for topic in sorted(absent.keys() - self._absent.keys()):
            self._log.error("topic_absent", topic=topic, reason=absent[topic])
        for topic in sorted(self._absent.keys() - absent.keys()):
            self._log.info("topic_found", topic=topic)
        self._absent = absent

    def _wait(self, cause: str, now_seconds: float) -> None:
        if cause != self._cause:
            self._cause, self._since = cause, now_seconds
        if cause and cause != self._logged and now_seconds - self._since >= TOLD_AFTER_SECONDS:
            self._log.info("waiting", reason=cause)
            self._logged = cause
        if not cause:
            self._logged = ""


def refusal(error: Exception, parameters: KafkaParameters) -> str:
    """What the operator must change for an error that does not pass by itself; empty for others."""
    if not isinstance(error, _REFUSED):
        return ""
    user = _user(parameters)
    if isinstance(error, FencedInstanceIdError):
        return (
            f"Another process runs as kafka.instance_id {parameters.instance} in group "
            f"{parameters.group} and took its place: stop one of the two, or give each its own "
            "instance and group"
        )
    if isinstance(error, InvalidSessionTimeoutError):
        return (
            f"The brokers refuse kafka.session_timeout {parameters.session_timeout_seconds:g}s: it "
            "must lie between their group.min.session.timeout.ms and group.max.session.timeout.ms "
            "(6s and 30m, unless they were changed)"
        )
    if isinstance(error, TopicAuthorizationFailedError):
        topics = ", ".join(sorted(_names(error))) or "a topic"
        return (
            f"Kafka does not let us read {topics}: grant Describe and Read on it to {user}{_LINES}"
        )
    if isinstance(error, GroupAuthorizationFailedError):
        return (
            f"Kafka does not let us join the group {parameters.group}: grant Read on it to {user}"
            f"{_LINES}"
        )
    return f"Kafka refused us: {error}"


def absent_topics(
    parameters: KafkaParameters, known: Mapping[str, frozenset[int]]
) -> dict[str, str]:
    """The topics and patterns that nothing is there of, each with what to do."""
    user = _user(parameters)
    create = f"create it, or grant Describe and Read on it to {user} if it is there"
    absent = {
        topic: f"topic {topic} does not exist: {create}"
        for topic in parameters.topics
        if not known.get(topic)
    }
    for pattern in parameters.patterns:
        if not any(matches(pattern, topic, parameters) for topic, p in known.items() if p):
            absent[pattern] = (
                f"no topic matches the pattern {pattern}: create one, or grant Describe and Read "
                f"to {user} if there is one"
            )
    return absent


def _for_the_group(parameters: KafkaParameters, *, is_member: bool) -> str:
    if is_member:
        return (
            f"another member of the consumer group {parameters.group} has all partitions: stop it, "
            "or give this process another kafka.group"
        )
    return (
        f"waiting for the consumer group {parameters.group} to give partitions: a member that "
        "ended without goodbye holds them until its session is over "
        f"(up to {parameters.session_timeout_seconds:g} s, kafka.session_timeout)"
    )


def _names(error: KafkaError) -> set[str]:
    """The topics that an error of kafka-python carries, in whatever shape."""
    held = error.args[0] if error.args else ()
    return {held} if isinstance(held, str) else {str(name) for name in held}


def _user(parameters: KafkaParameters) -> str:
    name = parameters.connection.security.username
    return f"the user {name}" if name else "our user"
