"""Every event counts exactly once: against a recount of the log, undisturbed and after kills."""

import pytest

from tests.integration.oracle import Recount, Rules
from tests.integration.parts import events
from tests.integration.parts.agreement import (
    assert_figures_agree,
    assert_panes_agree,
    kept_state,
)
from tests.integration.parts.scrapes import scraping
from tests.integration.parts.service_process import ServiceProcess
from tests.integration.parts.watched_topic import (
    build_references,
    configuration,
    read_log,
    send,
)

HOURS = 3600.0
FAR_AHEAD_SECONDS = 1e9
needs_elec = pytest.mark.skipif(
    not events.ELEC_CSV.exists(), reason=f"the data set {events.ELEC_CSV.name} is not here"
)


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """The directory of the reference files, and their contents by model."""
    directory = tmp_path_factory.mktemp("references")
    return directory, build_references(directory, elec=events.ELEC_CSV.exists())


@pytest.fixture
def service_on(kafka, references, tmp_path):
    """`service_on(topic, name, **sections)` is a service, not started; all end with the test."""
    made = []

    def make(topic, name="service", **sections):
        config = configuration(kafka.bootstrap, topic, references[0], **sections)
        made.append(ServiceProcess(tmp_path, config, name))
        return made[-1]

    yield make
    for service in made:
        service.close()


def recount_of(kafka, topic, references):
    log = read_log(kafka.bootstrap, topic)
    rules = Rules(
        pane_seconds=300.0,
        record_bytes_max=events.RECORD_BYTES_MAX,
        future_from_seconds=events.START_SECONDS + FAR_AHEAD_SECONDS,
    )
    return Recount(references[1], events.PARTITIONS, rules).add(log)


def assert_agrees_to_the_last_event(service, topic, recount):
    page = service.wait_for_records(recount.consumed, topic)
    assert_figures_agree(page, topic, recount)
    assert service.process.terminate() == 0, service.log
    assert_panes_agree(kept_state(service), recount)


@pytest.mark.parametrize(
    "models", ["synthetic", pytest.param("synthetic and elec", marks=needs_elec)]
)
def test_what_is_told_equals_a_recount_of_the_log(models, kafka, topic, references, service_on):
    name = topic(events.PARTITIONS)
    streams = [events.synthetic_events(12_000, 12.5 * HOURS, seed=2)]
    if "elec" in models:
        streams.append(events.elec_events(seed=3))
    service = service_on(name)
    service.start()
    with scraping(service) as scrapes:
        send(kafka.bootstrap, name, events.in_order(*streams))
        recount = recount_of(kafka, name, references)
        service.wait_for_records(recount.consumed, name)
    assert recount.rejected.keys() == {"malformed", "no_model", "oversized"}
    assert recount.ignored
    assert all(model.late or key[0] == events.ELEC for key, model in recount.models.items())
    assert scrapes.problems == []
    assert scrapes.with_books > 3
    assert_agrees_to_the_last_event(service, name, recount)


def test_records_of_several_rows_are_counted_by_row(kafka, topic, references, service_on):
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(3000, 3 * HOURS, seed=4, several_rows=True)
    send(kafka.bootstrap, name, messages)
    batches = {"layout": "auto"}
    source = {
        "name": "batches",
        "topics": [name],
        "features": {"rows": "value.features", **batches},
        "prediction": {"rows": "value.prediction", **batches},
    }
    service = service_on(name, sources=[source])
    service.start()
    recount = recount_of(kafka, name, references)
    rows = sum(m.predictions + m.late + m.rejected.total() for m in recount.models.values())
    assert rows > recount.applied + 50
    assert_agrees_to_the_last_event(service, name, recount)
