"""Settings into the values that the parts take; only the composition root and the commands ask."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from config.detection import DetectionSettings, FalseAlarmBudget
from config.kafka import KafkaSettings, SecuritySettings, Start
from config.policy import PolicySettings
from config.reference import TOPIC
from config.resolution import ModelSettings
from config.segments import segmentation
from config.settings import Settings
from config.sources import SourceSettings, TopicPattern
from config.units import format_duration
from service.ingest.kafka.client import KafkaParameters
from service.ingest.positions import Start as StartPolicy
from service.kafka.connection import KafkaConnection
from service.kafka.security import KafkaSecurity
from service.monitor.counting.shard import TimeRules
from service.monitor.episodes.book import EpisodeRules, Owner
from service.monitor.episodes.severity import Severities
from service.monitor.references.given import GivenReferences, ReferenceSource
from service.monitor.references.watched_directory import WatchedDirectory
from service.values.episodes import Category, Severity
from service.values.references import Reference
from service.values.streams import ValueType
from service.values.watches import (
    Budget,
    DetectorChoice,
    FeatureWatch,
    Mute,
    PolicyLimits,
    SeasonWatch,
    Segmentation,
    Watch,
    WindowLength,
)

_SCOPES = {"per model": "model", "per team": "team", "in all": "all"}


def watches(settings: Settings) -> Callable[[str], Watch]:
    """How each model is watched, by its name."""
    return lambda model: _watch(settings, settings.for_model(model))


def is_watched_otherwise(before: Settings, after: Settings) -> Callable[[str], bool]:
    """Whether a model is watched in another way under other settings, by its name."""
    one, other = before.detection, after.detection
    shared = [(d.detectors, d.false_alarm_budget, d.recover_after) for d in (one, other)]
    shared_is_same = shared[0] == shared[1] and before.privacy == after.privacy
    return lambda model: not shared_is_same or before.for_model(model) != after.for_model(model)


def episode_rules(settings: Settings, config_hash: str) -> EpisodeRules:
    """When drifting streams are one episode, and whom it may reach."""
    return EpisodeRules(
        pane_seconds=settings.detection.pane,
        severities=Severities(
            tuple(
                {Category(episode): Severity(severity) for episode, severity in tier.pairs}
                for tier in settings.severity.by_tier
            )
        ),
        config_hash=config_hash,
        owner_of=lambda model: _owner(settings.for_model(model)),
    )


def _owner(model: ModelSettings) -> Owner:
    return Owner(model.tier, model.team)


def time_rules(detection: DetectionSettings, *, use_host_clock: bool = True) -> TimeRules:
    """How event time is cut and bounded."""
    return TimeRules(
        pane_seconds=detection.pane,
        lateness_seconds=detection.lateness,
        future_seconds=detection.future,
        use_host_clock=use_host_clock,
        forget_after_seconds=detection.forget_after,
    )


def given_references(
    settings: Settings,
    extra: Sequence[Reference] = (),
    registry_of: Callable[[str], ReferenceSource] | None = None,
) -> GivenReferences:
    """The references of model versions; `extra` ones, as given on a command line, come first.

    `registry_of` opens a topic of references; without it there are none in topics. Raises
    ConfigurationError at once when a directory that somebody named is not there, or a file in one
    is no sound reference. The default directory is taken as empty when it is not there.
    """
    return GivenReferences(
        _reference_sources(settings, registry_of, {}),
        lambda model: _place(settings, model),
        watches(settings),
        extra,
    )


def exchange_references(
    given: GivenReferences,
    settings: Settings,
    registry_of: Callable[[str], ReferenceSource] | None = None,
) -> None:
    """Have them found where, and watched as, other settings say; what is open already stays so.
    Raises as `given_references`, and changes nothing then.
    """
    sources = _reference_sources(settings, registry_of, given.by_place)
    given.exchange(sources, lambda model: _place(settings, model), watches(settings))


def _reference_sources(
    settings: Settings,
    registry_of: Callable[[str], ReferenceSource] | None,
    known: Mapping[str, ReferenceSource],
) -> dict[str, ReferenceSource]:
    named = set(settings.reference_directories.values())
    default = {d for d in (settings.reference.directory,) if d is not None and d.is_dir()}
    sources = {str(d): known.get(str(d)) or WatchedDirectory(d) for d in named | default}
    if registry_of is not None:
        for topic in settings.reference_topics:
            place = f"{TOPIC}{topic}"
            sources[place] = known.get(place) or registry_of(topic)
    return sources


def _place(settings: Settings, model: str) -> str:
    reference = settings.for_model(model).reference
    return reference.place if reference.directory is None else str(reference.directory)


def kafka_connection(kafka: KafkaSettings) -> KafkaConnection:
    """Where the brokers are, and as whom we come."""
    return KafkaConnection(kafka.bootstrap_servers, kafka.client_id, kafka_security(kafka.security))


def kafka_parameters(
    kafka: KafkaSettings,
    sources: Iterable[SourceSettings],
    own_topics: Iterable[str] = (),
    *,
    shares_group: bool = False,
) -> KafkaParameters:
    """What the Kafka source is told: the topics of all sources, in one consumer. No pattern of a
    source means one of `own_topics`, or the dead letters.
    """
    topics, patterns = _topics(sources)
    return KafkaParameters(
        connection=kafka_connection(kafka),
        group=kafka.group,
        topics=topics,
        patterns=patterns,
        excluded=(*own_topics, *([] if kafka.dead_letters is None else [kafka.dead_letters])),
        start=_start(kafka.start),
        out_of_range=kafka.out_of_range,
        records_max=kafka.max_poll_records,
        session_timeout_seconds=kafka.session_timeout,
        instance=kafka.instance_id,
        shares_group=shares_group,
    )


def kafka_security(security: SecuritySettings) -> KafkaSecurity:
    """How to log in."""
    return KafkaSecurity(
        protocol=security.protocol,
        mechanism=security.mechanism,
        username=security.username,
        password=None if security.password is None else security.password.get_secret_value(),
        token_file=_text(security.token_file),
        kerberos_service=security.kerberos_service,
        kerberos_domain=security.kerberos_domain,
        ca_file=_text(security.ca_file),
        certificate_file=_text(security.certificate_file),
        key_file=_text(security.key_file),
        key_password=(
            None if security.key_password is None else security.key_password.get_secret_value()
        ),
        check_hostname=security.check_hostname,
    )


def _watch(settings: Settings, model: ModelSettings) -> Watch:
    return Watch(
        team=model.team,
        tier=model.tier,
        runbook=model.runbook,
        windows=tuple(
            WindowLength(name, seconds)
            for name, seconds in zip(model.window_names, model.windows, strict=True)
        ),
        detectors=tuple(DetectorChoice(d.name, d.parameters) for d in settings.detection.detectors),
        budget=_budget(settings.detection.false_alarm_budget),
        tolerance_sd=model.tolerance.shift,
        tolerance_ratio=model.tolerance.rate.ratio,
        tolerance_points=model.tolerance.rate.points,
        season=SeasonWatch(
            model.season.period, model.season.timezone, frozenset(model.season.holidays)
        ),
        recover_panes=settings.detection.recover_after,
        learn=model.reference.if_missing != "stop",
        inherit=model.reference.if_missing == "inherit",
        hidden=settings.privacy.values == "hidden",
        learn_events=model.reference.learn.events,
        learn_seconds=model.reference.learn.at_least,
        missing=model.missing,
        columns=model.columns,
        features_max=settings.limits.features,
        categories_max=settings.limits.categories,
        ignored=model.ignored_globs,
        feature=lambda name: _feature(model, name),
        cutoffs=model.prediction.cutoffs,
        segmentations=tuple(Segmentation(*segmentation(text)) for text in model.segments),
        segments_max=settings.segments.top,
        policy=None if model.policy is None else _policy(model.policy),
    )


def _policy(policy: PolicySettings) -> PolicyLimits:
    window = WindowLength(format_duration(policy.window), policy.window)
    return PolicyLimits(policy.method, policy.bins, window, policy.amber, policy.red)


def _feature(model: ModelSettings, name: str) -> FeatureWatch:
    found = model.for_feature(name)
    mute = found.mute
    return FeatureWatch(
        ignore=found.ignore,
        type=None if found.kind is None else ValueType(found.kind),
        missing=found.missing,
        source=found.source,
        hidden=found.values == "hidden",
        mute=None
        if mute is None
        else Mute(_end_of_day(mute.until), mute.by, mute.why, mute.ticket or ""),
    )


def _end_of_day(day: date) -> float:
    """Epoch seconds of the end of a day, UTC."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC).timestamp()


def _budget(budget: FalseAlarmBudget) -> Budget:
    return Budget(budget.alarms, budget.period_seconds, _SCOPES[budget.scope])


def _topics(sources: Iterable[SourceSettings]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    topics: list[str] = []
    patterns: list[str] = []
    for source in sources:
        if isinstance(source.topics, TopicPattern):
            patterns.append(source.topics.pattern)
        elif source.topics is not None:
            topics += source.topics
    return tuple(topics), tuple(patterns)


def _start(start: Start) -> StartPolicy:
    if start.where == "ago":
        return -start.ago_seconds
    return start.where


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
