"""An audit of a service on a real broker: its stop, its episode, a verdict, and every record."""

import json
import random
import time
import uuid
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from service.commands.audit import command as audit
from service.commands.episode import command as episode
from tests.integration.parts import events
from tests.integration.parts.events import SYNTHETIC, Message
from tests.integration.parts.watched_topic import read_log, send

MINUTE = 60
PARTITIONS = 2
A_MINUTE = 40
QUIET = range(20, 26)
DRIFTS_FROM = 60
DETECTION = {"pane": "1m", "windows": ["5m", "1h"], "idle_after": "3s", "lateness": "1s"}
STOPPED = range(80, 95)
"""Minutes of the story: in the quiet ones nothing comes, what comes in the stopped ones is sent
while the service is down.
"""


def story(begin, minutes, seed):
    """`A_MINUTE` events in each of some minutes after `begin` (epoch seconds)."""
    rng = random.Random(seed)
    messages = []
    for minute in (m for m in minutes if m not in QUIET):
        for i in range(A_MINUTE):
            at_ms = round((begin + (minute + i / A_MINUTE) * MINUTE) * 1000)
            features = events.synthetic_row(rng)
            features["n01"] += 6.0 * (minute >= DRIFTS_FROM)
            event = {"model": SYNTHETIC, "version": "1", "timestamp": at_ms, "features": features}
            event |= {"prediction": 0.25, "latency_ms": 12.0}
            value = json.dumps(event).encode()
            messages.append(Message(rng.randrange(PARTITIONS), at_ms, value))
    return messages


def invoked(command, *arguments):
    told = CliRunner().invoke(command, [str(one) for one in arguments])
    assert told.exit_code == 0, told.output + str(told.exception)
    return told.stdout


def recount(log):
    """Minutes of the log in which events lie, and how many there are."""
    times = [json.loads(record.value)["timestamp"] / 1000 for record in log]
    return {int(at // MINUTE) for at in times}, len(times)


@pytest.fixture
def judging(kafka, service_on):
    """`judging(name, kept)`: who judges a topic, and the role to start it in; for "fleet" a worker
    counts, and has been started.
    """

    def make(name, kept):
        run = uuid.uuid4().hex[:12]
        state = {"episodes": {"topic": None if kept == "directory" else f"record-{run}"}}
        if kept == "fleet":
            topics = {key: f"{key}-{run}" for key in ("state", "panes", "schedules")}
            state |= {"store": "topic", "topics": {**topics, "partitions": 2}}
        sections = {
            "kafka": {"group": f"g-{run}"},
            "detection": DETECTION,
            "sources": [{"name": "all", "topics": {"pattern": f"{name}|record-{run}"}}],
            "state": state,
        }
        if kept == "fleet":
            service_on(kafka.bootstrap, name, "worker", **sections).start("--role", "worker")
        role = ("--role", "judge") if kept == "fleet" else ()
        return service_on(kafka.bootstrap, name, **sections), role

    return make


@pytest.mark.parametrize("kept", ["topic", "directory", "fleet"])
def test_an_audit_equals_a_recount_of_the_log_and_shows_the_stop_and_the_verdict(
    kafka, topic, judging, kept
):
    begin = (time.time() // MINUTE - 150) * MINUTE
    name = topic(PARTITIONS)
    service, role = judging(name, kept)
    config = ("--config", service.config)
    before, meanwhile = story(begin, range(80), 1), story(begin, STOPPED, 2)
    send(kafka.bootstrap, name, before)
    service.start(*role)
    service.wait_for(lambda page: (page.get("panes_judged_total", model=SYNTHETIC) or 0) >= 74)
    service.wait_for(lambda page: any(page.each("episode_active")) or page.total("episodes_total"))
    assert service.process.terminate() == 0, service.log
    stopped_at = time.time()
    send(kafka.bootstrap, name, meanwhile)
    time.sleep(2.0)
    service.start(*role)
    service.wait_for(lambda page: page.get("panes_judged_total", model=SYNTHETIC) == 89)
    (first, *_) = json.loads(invoked(episode, "list", *config, "--json"))
    found = first["episode"]["id"]
    said = ("--by", "ada", "--why", "a test")
    assert f"{found}: false" in invoked(episode, "verdict", found, "false", *said, *config)
    service.wait_for(lambda page: page.total("episode_verdicts_total", verdict="false") == 1)
    assert service.process.terminate() == 0, service.log

    since = datetime.fromtimestamp(begin, UTC).isoformat()
    asked = ("--model", SYNTHETIC, "--from", since, "--recount", "--format", "json")
    told = json.loads(invoked(audit, *config, *asked))
    minutes, rows = recount(read_log(kafka.bootstrap, name, PARTITIONS))
    assert told["minutes"]["by_fate"]["watched"] == len(minutes) == 89
    assert sum(day["rows"] for day in told["days"]) == rows == len(before) + len(meanwhile)
    (version,) = told["versions"]
    assert version["rows"]["judged"] == version["rows"]["predictions"] == rows
    assert_the_books_agree(told, rows)
    assert_it_was_down(told, stopped_at)
    (drift,) = [one for one in told["episodes"] if one["events"][0]["id"] == found]
    assert drift["events"][0]["phase"] == "started"
    assert [(v["by"], v["real"]) for v in drift["verdicts"]] == [("ada", False)]
    assert drift["events"][-1]["evidence"]["offsets"]
    (settings,) = told["settings"]
    assert "idle_after: 3s" in settings["text"]
    (reference,) = told["references"]
    assert reference["facts"]["reference"]["source"] == f"{SYNTHETIC}.jsonl"
    assert (service.state / "episodes").exists() == (kept == "directory")


def assert_the_books_agree(told, rows):
    assert sum(book["applied"] for book in told["books"]) == rows
    for book in told["books"]:
        broker = book["broker"]
        assert broker["recount"]["records"] == book["applied"]
        assert (broker["recount"]["first"], broker["recount"]["end"]) == (0, book["end"])
        assert broker["by_time"] == [0, book["end"]]


def assert_it_was_down(told, stopped_at):
    first, *others = told["down"]
    assert first["stopped"]
    since, until = (datetime.fromisoformat(first[name]).timestamp() for name in ("from", "to"))
    assert 2 <= until - since <= 30
    assert abs(since - stopped_at) < 10
    assert all(one["to"] is None for one in others)
