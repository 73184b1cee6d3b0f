import gzip
import math
import os
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from service.publish.board import Board
from service.publish.catalogue import FAMILIES
from service.publish.exposition import Exposition
from service.publish.families import Detail
from service.values.episodes import Severity
from service.values.rejects import Reason
from service.values.reports import Knowledge, StreamState
from service.values.streams import Kind, ModelKey, StreamKey, ValueType
from service.values.watches import Budget
from tests.unit.publish import reports

GOLDEN = Path(__file__).with_name("metrics.golden.txt")
LIMIT = 50_000
HOSTILE = ('x"} 1\nevil_total 666\n', "\\", '\\"\n', "\N{REPLACEMENT CHARACTER}" * 42, "é" * 64, "")


def render(report, detail="full", limit=LIMIT):
    return Exposition(collectors=()).render(report, detail, limit)


def values(page):
    """`{(name, labels): value}` of the text format."""
    return {
        (sample.name.removeprefix("anchorwatch_"), frozenset(sample.labels.items())): sample.value
        for family in parse_text(page.text.decode())
        for sample in family.samples
    }


def series(page, name, **labels):
    return {
        key: value
        for key, value in values(page).items()
        if key[0] == name and labels.items() <= dict(key[1]).items()
    }


def value(page, name, **labels):
    [only] = series(page, name, **labels).values()
    return only


def test_the_whole_page_is_as_it_was():
    """After a wanted change: UPDATE_GOLDEN=1 pytest tests/unit/publish, and read the diff."""
    page = render(reports.believable())
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_bytes(page.text)
    assert page.text.decode() == GOLDEN.read_text()


def test_every_family_of_the_catalogue_is_on_a_full_page():
    believable = reports.believable()
    told = (*believable.episodes, reports.upstream())
    text = render(replace(believable, episodes=told)).text.decode()
    assert [f.name for f in FAMILIES if f"# TYPE {f.full_name} " not in text] == []


@pytest.mark.parametrize("report", [reports.believable(), reports.report(), reports.empty()])
def test_both_formats_say_the_same_and_as_many_series_as_stated(report):
    page = Exposition().render(report, "auto", LIMIT)
    text = [s for f in parse_text(page.text.decode()) for s in f.samples]
    openmetrics = [s for f in parse_openmetrics(page.openmetrics.decode()) for s in f.samples]
    assert [(s.name, s.labels, s.value) for s in text] == [
        (s.name, s.labels, s.value) for s in openmetrics
    ]
    assert page.series == len(text) == value(page, "series")


def test_hostile_names_come_back_as_they_were_and_add_no_line():
    streams = [reports.stream(name) for name in HOSTILE]
    page = render(reports.report([reports.model(HOSTILE[0], HOSTILE[1], streams)]))
    for parse, body in ((parse_text, page.text), (parse_openmetrics, page.openmetrics)):
        samples = [s for f in parse(body.decode()) for s in f.samples]
        scores = [s for s in samples if s.name == "anchorwatch_drift_score"]
        assert [s.labels["feature"] for s in scores] == list(HOSTILE)
        assert {(s.labels["model"], s.labels["model_version"]) for s in scores} == {HOSTILE[:2]}
        assert not [s for s in samples if s.name.startswith("evil")]


def test_a_feature_called_prediction_stays_apart_from_the_prediction():
    both = [reports.stream("prediction", kind=kind) for kind in (Kind.INPUT, Kind.OUTPUT)]
    page = render(reports.report([reports.model(streams=both)]))
    assert len(series(page, "drift_score", feature="prediction")) == 2


def test_every_reason_is_there_from_zero():
    page = render(reports.report([reports.model(rejected_totals={})]))
    rows = series(page, "rows_rejected_total")
    assert set(rows.values()) == {0}
    assert {dict(labels)["reason"] for _, labels in rows} == set(Reason) - {Reason.LATE}
    assert len(series(page, "records_rejected_total", topic="kserve")) == len(Reason) - 1


def test_the_book_of_records_is_exported_whole():
    page = render(reports.report())
    parts = ("records_applied_total", "records_ignored_total", "records_rejected_total")
    total = sum(sum(series(page, part, topic="decisions").values()) for part in parts)
    assert value(page, "records_consumed_total", topic="decisions") == total == 812_334


def test_models_and_books_are_absent_until_caught_up_and_health_is_not():
    report = msgspec.structs.replace(reports.believable(), caught_up=False)
    page = render(report)
    names = {name for name, _ in values(page)}
    assert not {"predictions_total", "drift_score", "records_consumed_total"} & names
    assert {"ready", "partition_owned", "consumer_lag_records"} <= names
    assert b'model="' not in page.text


def test_unknown_times_lags_and_distances_are_absent():
    page = render(reports.believable())
    assert not series(page, "last_record_timestamp_seconds", model="aml-v2")
    assert not series(page, "drift_ks", feature="state")
    assert len(series(render(reports.report()), "consumer_lag_seconds")) == 2
    assert not series(render(reports.empty()), "checkpoint_last_success_timestamp_seconds")


def test_quantiles_of_hidden_streams_are_never_shown():
    page = render(reports.believable())
    assert series(page, "drift_psi", feature="postcode")
    assert not series(page, "feature_quantile", feature="postcode")
    assert value(page, "feature_quantile", feature="age", quantile="0.05", window="5m") == -1.5


def test_summary_shows_scores_and_no_distance():
    page = render(reports.believable(), "summary")
    assert page.detail_used == Detail.SUMMARY
    assert value(page, "drift_score", feature="income", source="bureau-feed") == 6.3
    assert not series(page, "drift_psi")


def test_episode_shows_the_distances_of_what_has_drifted():
    page = render(reports.believable(), "episode")
    shown = {dict(labels)["feature"] for _, labels in series(page, "drift_psi")}
    assert shown == {"income", "bureau_score", "spend"}
    assert not series(page, "feature_quantile")
    assert not series(page, "detector_evidence")


def test_the_detail_in_force_is_told():
    page = render(reports.believable(), "auto", limit=490)
    assert page.detail_used == "episode"
    assert value(page, "metrics_detail") == 1
    assert value(page, "metrics_detail", detail="episode") == 1


def test_members_of_an_upstream_episode_are_told_while_somebody_is_to_hear_of_it():
    page = render(reports.report(episodes=(reports.upstream(),)))
    members = [dict(labels) for _, labels in series(page, "upstream_member")]
    assert [member["model"] for member in members] == ["credit-risk", "fraud"]
    assert {m["episode"] for m in members} == {"bureau-feed-20261123-1020"}
    assert {m["source"] for m in members} == {"bureau-feed"}
    for unheard in ({"severity": Severity.LOG}, {"ended_seconds": reports.AT}):
        page = render(reports.report(episodes=(reports.upstream(**unheard),)))
        assert not series(page, "upstream_member")


def test_whether_a_record_is_due_is_told_only_where_it_is_known():
    wholes = (reports.whole("a", due=True), reports.whole("b", due=None, tier=3))
    page = render(reports.report(whole_models=wholes))
    assert value(page, "model_expected") == 1
    known = {dict(labels)["category"] for _, labels in series(page, "model_severity_info")}
    assert known == {"silent", "stale"}
    assert {dict(labels)["model"] for _, labels in series(page, "model_severity_info")} == {"a"}
    assert not series(
        render(reports.report(whole_models=wholes, caught_up=False)), "model_expected"
    )


def test_muted_streams_have_no_score_and_count_as_muted():
    page = render(reports.believable())
    labels = {"model": "marketing"}
    assert not series(page, "drift_score", feature="spend")
    assert value(page, "features_muted", **labels) == 1
    assert value(page, "features_drifted", **labels) == 0
    assert value(page, "features", **labels) == 3


def test_volume_and_health_stay_however_small_the_limit():
    page = render(reports.believable(), "full", limit=1)
    assert len(series(page, "predictions_total")) == 6
    assert not series(page, "drift_score")
    assert value(page, "series_omitted", reason="feature") == page.omitted["feature"] > 0
    assert value(page, "series_omitted", reason="full") > 0


@pytest.mark.parametrize("limit", range(300, 640, 17))
def test_what_is_omitted_and_what_is_shown_add_up_to_all(limit):
    # Without undefined distances the bound by which the budget reckons is exact.
    report = reports.fleet(3, 4)
    everything = render(report).series
    page = render(report, "full", limit)
    assert page.series + sum(page.omitted.values()) == everything
    assert page.series <= limit


def test_the_sum_of_a_detectors_alarms_is_per_model():
    page = render(reports.believable())
    assert value(page, "detector_alarms_total", model="credit-risk", detector="adwin") == 2


def test_series_of_a_model_that_left_are_gone_and_others_keep_their_labels():
    exposition = Exposition(collectors=())
    before = reports.believable()
    exposition.render(before, "full", LIMIT)
    after = msgspec.structs.replace(before, models=before.models[1:])
    page = exposition.render(after, "full", LIMIT)
    assert b"credit-risk/" not in page.text.replace(b"runbooks.example/credit-risk", b"")
    assert page.text == render(after).text


def test_memory_of_labels_follows_the_page():
    exposition = Exposition(collectors=())
    for i in range(60):
        streams = [reports.stream(f"feature-{i}-{j}") for j in range(5)]
        exposition.render(reports.report([reports.model(f"m{i}", "1", streams)]), "full", LIMIT)
    assert len(exposition._prefixes) < 4_000


def test_counters_of_a_stream_that_learns_are_there_but_no_score():
    stream = reports.stream("new", state=StreamState.LEARNING, score=math.nan, windows=())
    page = render(reports.report([reports.model(streams=[stream])]))
    assert value(page, "missing_values_total", feature="new", kind="input") == 12
    assert not series(page, "drift_score")


def test_the_empty_name_is_a_name():
    model = reports.model(streams=[reports.stream("")])
    model = msgspec.structs.replace(model, key=ModelKey("", ""))
    page = render(reports.report([model]))
    assert series(page, "drift_score", feature="", model="")
    assert model.streams[0].key == StreamKey(Kind.INPUT, "")


def test_the_process_is_on_the_page():
    page = Exposition().render(reports.empty(), "auto", LIMIT)
    assert series(page, "process_resident_memory_bytes")
    assert series(page, "python_gc_collections_total")


def test_a_page_is_compressed_once_and_swapped_whole():
    board = Board()
    assert board.current is None
    page = render(reports.believable())
    board.publish(page, reports.believable())
    published = board.current
    body = published.body(openmetrics=True, compressed=True)
    assert gzip.decompress(body) == page.openmetrics
    assert published.body(openmetrics=True, compressed=True) is body
    assert published.body(openmetrics=False, compressed=False) is page.text
    board.publish(render(reports.empty()), reports.empty())
    assert published.page is page
    assert board.current is not published


def of_rows(name, kind, **changes):
    """A stream that counts rows: it has no values, so neither windows nor missing values."""
    shown = {"windows": (), "missing_total": 0, "type": ValueType.CATEGORICAL}
    return reports.stream(name, kind=kind, **(shown | changes))


def test_streams_that_count_rows_have_a_score_and_nothing_of_values():
    rows = (of_rows("income", Kind.QUALITY, drifted=True), of_rows("rows", Kind.VOLUME))
    page = render(reports.report([reports.model(streams=(reports.stream("income"), *rows))]))
    scores = {dict(labels)["kind"] for _, labels in series(page, "drift_score")}
    assert scores == {"input", "quality", "volume"}
    for name in ("missing_values_total", "invalid_values_total", "unseen_values_total"):
        assert not series(page, name, kind="quality"), name
    assert value(page, "features", model="credit-risk") == 3
    assert value(page, "features_drifted", model="credit-risk") == 1


def test_streams_are_counted_by_what_is_known_of_their_wander():
    streams = [
        reports.stream("a", knowledge=Knowledge.LEARNING),
        reports.stream("b", knowledge=Knowledge.LEARNING),
        reports.stream("c", knowledge=Knowledge.UNSTABLE),
        reports.stream("d"),
    ]
    page = render(reports.report([reports.model(streams=streams)]))
    assert value(page, "features_learning", model="credit-risk") == 2
    assert value(page, "features_unstable", model="credit-risk") == 1


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("team", {"retail": 2.0, "payments": 2.0}),
        ("model", {"retail": 4.0, "payments": 2.0}),
        ("all", {"": 2.0}),
    ],
)
def test_a_budget_is_told_once_for_each_team_whatever_its_scope(scope, expected):
    budget = Budget(200.0, 100.0, scope)
    models = [
        reports.model(name, team=team, budget=budget)
        for name, team in (("a", "retail"), ("b", "retail"), ("c", "payments"))
    ]
    page = render(reports.report(models))
    told = {
        dict(labels)["team"]: number
        for (name, labels), number in values(page).items()
        if name == "false_alarm_budget_per_second"
    }
    assert told == expected


def test_a_policy_is_told_stream_by_stream_and_its_limits_once_a_model():
    streams = (
        reports.stream("income", policy=reports.policy(0.31)),
        reports.stream("latency", kind=Kind.LATENCY),
    )
    page = render(
        reports.report([reports.model(streams=streams, policy=reports.MONTHLY)]), "summary"
    )
    told = {"method": "psi", "window": "30d"}
    assert value(page, "policy_distance", feature="income", kind="input", **told) == 0.31
    assert value(page, "policy_distance_expected", feature="income", **told) == 0.0006
    assert value(page, "policy_covered_ratio", feature="income", **told) == pytest.approx(0.4)
    assert not series(page, "policy_distance", feature="latency")
    limits = series(page, "policy_limit", model="credit-risk", model_version="3", **told)
    assert {dict(labels)["level"]: limit for (_, labels), limit in limits.items()} == {
        "amber": 0.10,
        "red": 0.25,
    }


def test_without_a_policy_nothing_is_told_of_one():
    page = render(reports.report([reports.model(streams=(reports.stream("income"),))]))
    assert not [key for key in values(page) if key[0].startswith("policy")]


def test_a_policys_distance_that_is_not_known_is_absent():
    streams = (
        reports.stream(policy=reports.policy(math.nan, expected=math.nan, covers_seconds=0.0)),
    )
    page = render(reports.report([reports.model(streams=streams, policy=reports.MONTHLY)]))
    assert not series(page, "policy_distance")
    assert value(page, "policy_covered_ratio") == 0
