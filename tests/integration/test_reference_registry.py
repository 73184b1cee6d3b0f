"""The registry of references on a real broker: commands, and a service that takes up what comes."""

import json
import shutil
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import anchorwatch
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from service.__main__ import anchorwatch as command_line
from service.monitor.references.file import read, write
from tests.integration.parts import events
from tests.integration.parts.watched_topic import REFERENCE_ROWS, send

HOUR = 3600.0


def build(directory, seed, rows=REFERENCE_ROWS, version=None):
    table, output = directory / "table.jsonl", directory / f"{seed}.json"
    rows_of = events.synthetic_table(rows, seed)
    table.write_text("".join(json.dumps(row) + "\n" for row in rows_of), "utf-8")
    command = ["reference", "build", str(table), "--model", events.SYNTHETIC, "--force"]
    command += ["--output", str(output), *(["--version", version] if version else [])]
    done = CliRunner().invoke(command_line, command)
    assert done.exit_code == 0, done.output
    return output


def hash_of(file: Path) -> str:
    return json.loads(file.read_text())["hash"]


@pytest.fixture
def registry():
    """The name of a topic that nobody has made yet."""
    return f"references-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def run(kafka, registry, tmp_path):
    """`run("list", ...)` runs a command of `anchorwatch reference` on the registry."""
    config = tmp_path / "registry.yaml"
    tree = {
        "kafka": {"bootstrap_servers": [kafka.bootstrap]},
        "reference": {"from": f"topic:{registry}"},
    }
    config.write_text(json.dumps(tree))

    def invoke(*arguments, fails=False):
        done = CliRunner().invoke(
            command_line, ["reference", *map(str, arguments), "--config", str(config)]
        )
        assert (done.exit_code != 0) == fails, (done.output, done.exception)
        return str(done.exception) if fails else done.output

    return invoke


def test_references_are_published_listed_compared_and_rolled_back(run, tmp_path):
    one, two = build(tmp_path, 1), build(tmp_path, 2)
    assert f"{hash_of(one)[:12]} of 4,000 rows published" in run("publish", one, "--by", "ada")
    assert "is the current reference already" in run("publish", one, "--by", "eve")
    assert f"before it was {hash_of(one)[:12]}" in run("publish", two, "--why", "July")

    (entry,) = json.loads(run("list", "--json"))
    assert entry["current"] == hash_of(two)
    assert [one["by"] for one in entry["history"]][-1] == "ada"
    assert hash_of(two)[:12] in run("list")
    assert "July" in run("list", "--history")

    name = f"{events.SYNTHETIC}@"
    shown = read(run("show", name, "--file"), "shown")
    assert write(shown) == two.read_text()
    told = run("diff", f"{name}:{hash_of(one)[:8]}", two)
    assert "No stream of 2.json has a PSI above 0.1" in told

    assert f"{hash_of(one)[:12]} is current again" in run(
        "rollback", "--model", events.SYNTHETIC, "--why", "wrong month"
    )
    assert json.loads(run("list", "--json"))[0]["current"] == hash_of(one)
    again = run("rollback", "--model", events.SYNTHETIC, fails=True)
    assert "no reference was current before" in again


def test_a_topic_that_is_not_there_is_an_error_that_says_what_to_do(run):
    text = run("list", "--topic", "never-made", fails=True)
    assert "never-made" in text
    assert "create it" in text


def test_a_running_service_takes_up_what_is_published_and_rolled_back(
    kafka, topic, registry, run, service_on, tmp_path
):
    one, two = build(tmp_path, 1), build(tmp_path, 2)
    run("publish", one)
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(9000, 3 * HOUR, seed=4, faults=0.0)
    third = len(messages) // 3
    given = {"from": f"topic:{registry}", "learn": {"events": 500}}
    service = service_on(kafka.bootstrap, name, reference=given)
    send(kafka.bootstrap, name, messages[:third])
    service.start()
    service.wait_for_records(third, name)
    service.wait_for(lambda page: in_use(page) == {hash_of(one)})

    run("publish", two)
    service.wait_for(lambda _: "reference_exchanged" in service.log)
    send(kafka.bootstrap, name, messages[third : 2 * third])
    service.wait_for(lambda page: in_use(page) == {hash_of(two)})

    run("rollback", "--model", events.SYNTHETIC)
    service.wait_for(lambda _: service.log.count("reference_exchanged") >= 2 * versions(service))
    send(kafka.bootstrap, name, messages[2 * third :])
    page = service.wait_for(lambda page: in_use(page) == {hash_of(one)})
    service.wait_for_records(len(messages), name)
    assert page.get("reference_failures_total") == 0
    assert page.total("rows_unjudged_total") == 0

    since = datetime.fromtimestamp(events.START_SECONDS + HOUR, UTC).isoformat()
    some = min(labels["model_version"] for labels, _ in page.each("reference_info"))
    accepted = ["reference", "accept", "--config", str(service.config), "--since", since]
    accepted += ["--model", events.SYNTHETIC, "--version", some, "--feature", "n00"]
    accepted += ["--by", "ada", "--why", "new market"]
    for _ in range(10):  # the state is a second old, and knows the reference as yet to come
        done = CliRunner().invoke(command_line, accepted)
        if done.exit_code == 0:
            break
        time.sleep(1.0)
    assert done.exit_code == 0, (done.output, done.exception)
    (entry,) = (one for one in json.loads(run("list", "--json")) if one["version"] == some)
    assert entry["history"][0]["why"] == "new market"
    service.wait_for(lambda _: entry["current"][:12] in service.log)


def test_a_file_put_into_the_directory_of_a_running_service_is_taken_up(
    kafka, topic, service_on, tmp_path
):
    directory = tmp_path / "given"
    directory.mkdir()
    one, two = build(tmp_path, 1), build(tmp_path, 2)
    shutil.copy(one, directory / "r.json")
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(6000, 2 * HOUR, seed=4, faults=0.0)
    service = service_on(kafka.bootstrap, name, reference={"from": str(directory)})
    send(kafka.bootstrap, name, messages[:3000])
    service.start()
    service.wait_for(lambda page: in_use(page) == {hash_of(one)})
    (directory / "r.json").write_text("{")
    service.wait_for(lambda page: page.get("reference_failures_total") == 1)
    shutil.copy(two, directory / "r.json")
    service.wait_for(lambda _: "reference_exchanged" in service.log)
    send(kafka.bootstrap, name, messages[3000:])
    service.wait_for(lambda page: in_use(page) == {hash_of(two)})


def test_a_training_pipeline_publishes_in_three_lines(kafka, registry, run):
    rng = np.random.default_rng(4)
    df = pd.DataFrame({"income": rng.lognormal(10.0, 1.0, 5000), "score": rng.random(5000)})

    found = anchorwatch.reference(df, model="credit-risk", version="4", prediction="score")
    told = found.publish(kafka.bootstrap, topic=registry, by="pipeline 7", why="nightly")
    assert "5,000 rows published" in told

    (entry,) = json.loads(run("list", "--json", "--model", "credit-risk"))
    assert (entry["version"], entry["current"]) == ("4", found.hash)
    assert entry["history"][0]["by"] == "pipeline 7"
    assert read(run("show", "credit-risk@4", "--file"), "shown").hash == found.hash


def test_a_replay_judges_by_what_is_published(kafka, registry, run, tmp_path):
    file = build(tmp_path, 1)
    run("publish", file)
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(m.value for m in events.synthetic_events(2000, HOUR, 4, faults=0.0)))
    tree = {
        "kafka": {"bootstrap_servers": [kafka.bootstrap]},
        "reference": {"from": f"topic:{registry}"},
    }
    config = tmp_path / "replay.yaml"
    config.write_text(json.dumps(tree))
    command = ["replay", str(log), "--config", str(config), "--json", str(tmp_path / "out.json")]
    done = CliRunner().invoke(command_line, command)
    assert done.exit_code == 0, (done.output, done.exception)
    assert hash_of(file) in (tmp_path / "out.json").read_text()

    config.write_text(json.dumps(tree | {"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}}))
    done = CliRunner().invoke(command_line, command)
    assert "have reference.from name a directory" in str(done.exception)


def test_a_pipeline_takes_brokers_and_topic_from_its_environment(kafka, registry, run, monkeypatch):
    monkeypatch.setenv("ANCHORWATCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap)
    monkeypatch.setenv("ANCHORWATCH_REFERENCE__FROM", f"topic:{registry}")
    df = pd.DataFrame({"x": np.arange(1000.0)})
    anchorwatch.reference(df, model="from-environment").publish()
    assert "from-environment" in run("list")


def in_use(page):
    return {labels["hash"] for labels, _ in page.each("reference_info")}


def versions(service):
    return len({labels["model_version"] for labels, _ in service.scrape().each("reference_info")})
