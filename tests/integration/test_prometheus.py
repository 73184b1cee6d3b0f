"""A real Prometheus scrapes the service: every family is there, and what has left is gone."""

import subprocess

import pytest

from service.publish import episode_families, fleet_families, model_families, service_families
from service.publish.catalogue import FAMILIES
from service.publish.families import Family, MetricType
from tests.integration.parts import events
from tests.integration.parts.topics import send as send_values
from tests.integration.parts.watched_topic import send

HOURS = 3600.0
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
MUTE = {"until": "2100-01-01", "by": "team-a", "why": "known to be odd"}
THERE_AT_TIMES = {
    episode_families.EPISODE_ACTIVE,  # while somebody is to hear of a drift: the test of the demo
    episode_families.EPISODE_ONSET,
    service_families.TOPIC_ABSENT,  # while a topic is not there: the test of the start
    episode_families.UPSTREAM_MEMBER,
    model_families.MODEL_EXPECTED,  # once a day of history is known: the test of paging
    model_families.SEGMENT_DRIFT_SCORE,  # where a segment is far from normal: the test of compose
}
OF_FLEETS = [family for family in vars(fleet_families).values() if isinstance(family, Family)]
"""Those that workers and judges have: the test of roles."""

SUFFIX = {MetricType.HISTOGRAM: "_bucket"}


@pytest.fixture
def watched(kafka, topic, service_on):
    """A running service that has counted a topic of believable and of faulty events."""
    name = topic(events.PARTITIONS)
    send(kafka.bootstrap, name, events.synthetic_events(6000, 3 * HOURS, seed=11))
    service = service_on(
        kafka.bootstrap,
        name,
        metrics={"detail": "full"},
        kafka={"dead_letters": topic(1)},
        policy={"window": "1h"},
        web={"external_url": "https://drift.example"},
        models={
            "synthetic": {
                "features": {"n*": {"source": "upstream"}, "n01": {"mute": MUTE}},
                "segments": ["n02"],
            }
        },
    )
    service.start()
    service.wait_for(lambda page: page.total("panes_judged_total") > 10)
    return service


def test_every_family_of_the_catalogue_is_found_by_a_query(watched, prometheus):
    server = prometheus([watched.address], interval="1s")
    server.wait_for(f"max({service_families.READY.full_name}) == 1")
    server.wait_for("anchorwatch_feature_quantile")
    absent = [family for family in FAMILIES if not server.query(queried(family))]
    assert set(absent) <= THERE_AT_TIMES | set(OF_FLEETS)
    assert server.query("up")[0].value == 1
    counted = server.query("sum(anchorwatch_records_consumed_total)")[0].value
    assert counted == watched.scrape().total("records_consumed_total") > 6000
    score = server.query('anchorwatch_drift_score{model="synthetic", feature="n00"}')
    assert {sample.labels["source"] for sample in score} == {"upstream"}


def test_promtool_is_content_and_openmetrics_is_spoken(watched):
    status, text = watched.get("/metrics")
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (status, checked.returncode, checked.stdout, checked.stderr) == (200, 0, "", "")
    status, text = watched.get("/metrics", accept=OPENMETRICS)
    assert status == 200
    assert text.endswith("# EOF\n")
    assert "# TYPE anchorwatch_predictions counter\n" in text


def test_partitions_that_left_are_gone_and_no_counter_falls(kafka, topic, service_on):
    kept, dropped = topic(2), topic(3)
    seconds = events.START_SECONDS
    for name, model in ((kept, "stays"), (dropped, "leaves"), (dropped, "stays")):
        values = [event(model, seconds + 10 * i) for i in range(200)]
        send_values(kafka.bootstrap, name, values)
    service = service_on(
        kafka.bootstrap, kept, sources=[{"name": "both", "topics": [kept, dropped]}]
    )
    service.start()
    page = service.wait_for(lambda page: page.total("records_consumed_total") == 600)
    assert set(page.by("predictions_total", "model")) == {"stays", "leaves"}
    assert page.total("partition_owned", topic=dropped) == 3
    assert service.process.terminate() == 0

    service.reconfigure([{"name": "both", "topics": [kept]}])
    service.start()
    service.wait_for(lambda page: page.total("records_consumed_total", topic=kept) == 200)
    page = service.wait_for(lambda page: page.total("partition_owned", topic=kept) == 2)
    assert not list(page.each("partition_owned", topic=dropped))
    assert page.total("records_consumed_total", topic=dropped) == 400
    assert page.by("predictions_total", "model") == {"stays": 400, "leaves": 200}
    judged = page.total("panes_judged_total", model="stays")
    later = [event("stays", seconds + 2000 + 10 * i) for i in range(200)]
    for partition in range(2):
        send_values(kafka.bootstrap, kept, later, partition)
    # What the dropped topic has left behind does not hold up the panes of the model.
    service.wait_for(lambda page: page.total("panes_judged_total", model="stays") > judged)


def queried(family: Family) -> str:
    return family.full_name + SUFFIX.get(family.type, "")


def event(model, seconds):
    return (
        f'{{"model": "{model}", "timestamp": {seconds}, "features": {{"x": 1}}, "prediction": 1}}'
    ).encode()
