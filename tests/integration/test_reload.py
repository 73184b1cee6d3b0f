"""A running process takes up other rules, and tells of a drill, as an operator asks for both."""

import json
import signal
import subprocess
import sys

from tests.integration.parts import events
from tests.integration.parts.watched_topic import recount_of, send

MESSAGES = events.synthetic_events(600, 600.0, seed=21)


def hash_on(page):
    ((labels, _),) = page.each("config_info")
    return labels["hash"]


def test_rules_are_taken_up_on_sighup_and_a_bad_file_is_told(kafka, topic, references, service_on):
    name = topic(events.PARTITIONS)
    send(kafka.bootstrap, name, MESSAGES)
    service = service_on(kafka.bootstrap, name)
    configured = json.loads(service.config.read_text("utf-8"))
    configured["include"] = ["models.d/*.yaml"]
    service.config.write_text(json.dumps(configured), "utf-8")
    teams = service.config.parent / "models.d"
    teams.mkdir()
    file = teams / "team.yaml"
    file.write_text("team: one\nmodels: {'*': {tier: 1}}\n", "utf-8")
    service.start()
    records = recount_of(kafka.bootstrap, name, references).consumed
    before = service.wait_for_records(records, name)
    service.wait_for(lambda page: page.total("model_info", team="one"))

    file.write_text("team: two\nmodels: {'*': {tier: 1}}\n", "utf-8")
    service.process.signal(signal.SIGHUP)
    after = service.wait_for(lambda page: page.total("model_info", team="two"), 20.0)
    assert not after.total("model_info", team="one")
    assert hash_on(after) != hash_on(before)
    assert after.total("predictions_total") == before.total("predictions_total")

    file.write_text("team: two\nmodels: {'*': {tier: nine}}\n", "utf-8")  # without being asked
    told = service.wait_for(lambda page: page.get("config_file_ok", file=str(file)) == 0, 20.0)
    assert told.get("config_last_reload_successful") == 0
    assert told.total("model_info", team="two")
    assert "must be a whole number" in service.get("/readyz")[1]

    model = next(labels["model"] for labels, _ in after.each("model_info"))
    drill = [sys.executable, "-m", "service", "drill", "--config", str(service.config)]
    done = subprocess.run(
        [*drill, "--model", model, "--kind", "silence", "--severity", "page"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "is a page for" in done.stdout
    assert f"{file}:2: models.*.tier" in done.stderr
    page = service.wait_for(lambda page: page.total("episode_active", drill="true"), 30.0)
    ((labels, _),) = page.each("episode_active")
    assert (labels["kind"], labels["team"], labels["model"]) == ("silent", "two", model)
    subprocess.run([*drill, "--model", model, "--end"], check=True, timeout=60)
    service.wait_for(lambda page: not page.total("episode_active"), 30.0)
    assert service.process.terminate() == 0, service.log
