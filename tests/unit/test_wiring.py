"""Settings into the values that the parts take."""

from datetime import UTC, date, datetime

import pytest

from config.models import FeatureRule, ModelRule, Mute
from config.settings import Settings
from service.composition.topics_used import names_used
from service.composition.wiring import given_references, kafka_parameters, time_rules, watches
from service.errors import ConfigurationError
from service.monitor.references.file import write
from service.values.streams import Kind, ModelKey, ValueType
from service.values.watches import Budget, Segmentation
from tests.unit.monitor.events import MODEL, STATE, X, reference


def settings_of(**changes):
    return Settings.model_validate(changes)


def directory_of(tmp_path, *references):
    for number, one in enumerate(references):
        (tmp_path / f"{number}.json").write_text(write(one), "utf-8")
    return {"reference": {"from": str(tmp_path)}}


def test_a_model_is_watched_as_its_rules_say():
    settings = settings_of(
        detection={"recover_after": 7, "false_alarm_budget": "2 per 7d per model"},
        models={
            "credit-*": {
                "team": "risk",
                "tier": 1,
                "windows": ["5m"],
                "missing": [-999],
                "prediction": {"cutoffs": [0.62]},
                "segments": ["region", "age: [18, 65]"],
            }
        },
        segments={"top": 7},
    )
    watched, other = watches(settings)("credit-risk"), watches(settings)("fraud")
    assert (watched.team, watched.tier, watched.recover_panes) == ("risk", 1, 7)
    assert [(w.name, w.seconds) for w in watched.windows] == [("5m", 300.0)]
    assert (watched.missing, other.missing) == ((-999,), ())
    assert (watched.cutoffs, other.cutoffs) == ((0.62,), ())
    assert watched.segmentations == (Segmentation("region"), Segmentation("age", (18.0, 65.0)))
    assert (other.segmentations, other.segments_max) == ((), 7)
    assert watched.budget == other.budget == Budget(2.0, 7 * 86_400.0, "model")
    assert other.team != "risk"


@pytest.mark.parametrize(
    ("told", "scope"), [("per team", "team"), ("per model", "model"), ("in all", "all")]
)
def test_the_scope_of_the_budget_has_a_short_name(told, scope):
    settings = settings_of(detection={"false_alarm_budget": f"1 per 30d {told}"})
    assert watches(settings)("m").budget.scope == scope


def test_features_have_their_rules_and_a_mute_lasts_to_the_end_of_its_day():
    mute = Mute(until=date(2026, 12, 31), by="ada", why="new feed")
    rule = FeatureRule(kind="categorical", source="bureau", missing=("?",), mute=mute)
    settings = Settings(models={"m": ModelRule(features={"zip*": rule, "id": {"ignore": True}})})
    watched = watches(settings)("m")
    feature = watched.feature("zip_code")
    assert (feature.type, feature.source, feature.missing) == (
        ValueType.CATEGORICAL,
        "bureau",
        ("?",),
    )
    assert feature.mute.until_seconds == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert (feature.mute.by, feature.mute.ticket) == ("ada", "")
    assert watched.feature("id").ignore
    assert not watched.feature("age").ignore
    assert watched.feature("age").mute is None


def test_learning_can_be_forbidden():
    assert watches(settings_of())("m").learn
    assert not watches(settings_of(reference={"if_missing": "stop"}))("m").learn


def test_time_is_cut_as_set():
    detection = settings_of(
        detection={"pane": "10s", "lateness": "5s", "future": "1m", "windows": ["1m"]}
    ).detection
    rules = time_rules(detection, use_host_clock=False)
    assert (rules.pane_seconds, rules.lateness_seconds, rules.future_seconds) == (10.0, 5.0, 60.0)
    assert rules.forget_after_seconds == detection.forget_after
    assert not rules.use_host_clock


class TestReferences:
    def test_the_version_of_its_own_comes_before_the_one_for_all(self, tmp_path):
        own, any_version = reference(seed=1), reference(seed=2, version=None)
        find = given_references(settings_of(**directory_of(tmp_path, own, any_version)))
        assert find(MODEL).hash == own.hash
        assert find(ModelKey("m", "9")).hash == any_version.hash
        assert find(ModelKey("other", "1")) is None

    def test_those_of_the_command_line_come_first(self, tmp_path):
        filed, by_hand = reference(seed=1), reference(seed=2, version=None)
        settings = settings_of(**directory_of(tmp_path, filed))
        assert given_references(settings, [by_hand])(MODEL).hash == by_hand.hash

    def test_ignored_features_are_taken_out(self, tmp_path):
        settings = settings_of(
            **directory_of(tmp_path, reference()),
            models={"m": {"features": {"x": {"ignore": True}}}},
        )
        keys = {stream.key for stream in given_references(settings)(MODEL).streams}
        assert X not in keys
        assert STATE in keys
        assert {key.kind for key in keys} == {Kind.INPUT, Kind.OUTPUT, Kind.LATENCY}

    def test_a_file_that_is_no_reference_is_a_named_error(self, tmp_path):
        (tmp_path / "odd.json").write_text("{}", "utf-8")
        with pytest.raises(ConfigurationError, match=r"odd\.json"):
            given_references(settings_of(reference={"from": str(tmp_path)}))

    def test_without_a_directory_there_are_none(self):
        assert given_references(settings_of())(MODEL) is None


class TestKafka:
    def test_topics_and_patterns_of_all_sources_are_read_by_one_consumer(self):
        settings = settings_of(
            sources=[
                {"name": "a", "topics": ["one", "two"]},
                {"name": "b", "topics": {"pattern": r"ml\..*"}},
                {"name": "c", "files": ["x.jsonl"]},
            ],
            kafka={"dead_letters": "ml.dead"},
        )
        parameters = kafka_parameters(settings.kafka, settings.sources)
        assert (parameters.topics, parameters.patterns) == (("one", "two"), (r"ml\..*",))
        assert parameters.excluded == ("ml.dead",)

    def test_no_pattern_means_a_topic_of_our_own(self):
        settings = settings_of(
            kafka={"dead_letters": "ml.dead"},
            state={"episodes": {"topic": "anchorwatch.episodes"}},
        )
        own = names_used(settings)
        parameters = kafka_parameters(settings.kafka, settings.sources, own)
        assert parameters.excluded == ("anchorwatch.episodes", "ml.dead")

    @pytest.mark.parametrize(
        ("told", "start"), [("latest", "latest"), ("earliest", "earliest"), ("-7d", -604_800.0)]
    )
    def test_where_to_start_is_told_as_configured(self, told, start):
        settings = settings_of(kafka={"start": told})
        assert kafka_parameters(settings.kafka, ()).start == start

    def test_secrets_reach_the_client_and_are_not_shown(self):
        settings = settings_of(
            kafka={
                "security": {
                    "protocol": "SASL_SSL",
                    "mechanism": "PLAIN",
                    "username": "ada",
                    "password": "s3cret",
                }
            }
        )
        security = kafka_parameters(settings.kafka, ()).connection.security
        assert (security.username, security.password) == ("ada", "s3cret")
        assert "s3cret" not in str(settings)
