"""`anchorwatch replay` of a topic says what it says of the same events in files, and live."""

import json

import pytest
from click.testing import CliRunner
from kafka.admin import KafkaAdminClient

from service.commands.episode_source import read_histories
from service.commands.replay import command
from tests.integration.parts import events
from tests.integration.parts.watched_topic import as_lines, read_log, send
from tests.integration.test_kafka_source import delete_before
from tests.integration.test_replay_equals_live import altered

HOURS = 3600.0


@pytest.fixture
def live(kafka, topic, service_on):
    """(the stopped service, its last page, its topic): an episode is in its record."""
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(8000, 5 * HOURS, seed=12, faults=0.0)
    send(kafka.bootstrap, name, [altered(m, i > 5000) for i, m in enumerate(messages)])
    service = service_on(kafka.bootstrap, name)
    service.start()
    page = service.wait_for_records(len(messages), name)
    assert service.process.terminate() == 0, service.log
    return service, page, name


@pytest.fixture
def replay(live):
    """Replays with the service's configuration; returns the JSON."""
    service, _, _ = live

    def run(*arguments):
        typed = [str(argument) for argument in arguments]
        result = CliRunner().invoke(command, [*typed, "--config", str(service.config)])
        assert result.exit_code == 0, result.output + str(result.exception)
        return result

    return run


def as_json(result):
    return json.loads(result.stdout)


def judged(told):
    return {key: told[key] for key in ("from", "to", "alarms", "episodes", "models")}


def test_topic_files_and_service_agree(kafka, live, replay, tmp_path):
    service, page, name = live
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text(as_lines(read_log(kafka.bootstrap, name)), "utf-8")
    by_file = as_json(replay(recorded, "--json", "-"))
    told = as_json(replay("--from", "earliest", "--json", "-", "--html", tmp_path / "report.html"))
    assert judged(told) == judged(by_file)
    assert told["episodes"]
    for model in told["models"]:
        labels = {"model": model["model"], "model_version": model["model_version"]}
        assert model["predictions"] == page.get("predictions_total", **labels)
        assert model["late"] == model["unjudged"] == 0
    (book,) = told["books"]
    assert (book["topic"], book["consumed"]) == (name, 8000)
    assert "<caption>Offsets that were read</caption>" in (tmp_path / "report.html").read_text()
    assert_it_can_be_done_again(told, replay)
    assert_an_episode_finds_its_time(service, replay)
    assert_deleted_records_are_told(kafka, name, replay)
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        groups = {group.get("group_id") for group in admin.list_groups()}
    assert groups & {service.group, "anchorwatch"} == {service.group}


def assert_it_can_be_done_again(told, replay):
    """The command of the report reads the same offsets, by number."""
    command = told["again"]["command"].split()
    assert command[:3] == ["anchorwatch", "replay", "--config"]
    arguments = command[command.index("--topic") : command.index("--html")]
    assert judged(as_json(replay(*arguments, "--json", "-"))) == judged(told)
    ranges = told["again"]["topics"]
    assert sum(r["end"] - r["first"] for r in ranges) == 8000


def assert_an_episode_finds_its_time(service, replay):
    """Neither files nor times are named: those of its evidence are read, and its history."""
    known = read_histories(service.state / "episodes")
    episode = next(name for name, history in known.items() if history.newest.model)
    result = replay("--episode", episode)
    text = " ".join(result.stdout.split())
    assert text.startswith("As configured now, it would have alarmed at ")
    assert ", as it did. " in text
    less = as_json(replay("--episode", episode, "--set", "tolerance.shift=10", "--json", "-"))
    assert less["reconsidered"]["answer"]["would_alarm"] is False


def assert_deleted_records_are_told(kafka, name, replay):
    delete_before(kafka, name, 100)
    result = replay("--from", "0", "--json", "-")
    told = as_json(result)
    assert [r["missing"] for r in told["again"]["topics"]] == [100, 0, 0, 0, 0, 0]
    assert "100 records that were asked for are deleted (retention)" in result.stderr
    by_time = replay("--from", "2023-11-14", "--json", "-")
    assert "its log begins later than 2023-11-14 00:00 UTC" in by_time.stderr
