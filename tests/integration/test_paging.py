"""From an event in Kafka to the pager, with the shipped rules and routes: who is told, and once."""

import json
import random
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from kafka import KafkaProducer

from tests.integration.parts.alertmanager_server import Alertmanager
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.notified import Inbox
from tests.integration.parts.prometheus_server import Prometheus
from tests.integration.parts.service_process import ServiceProcess
from tests.integration.parts.shipped_alerting import DEPLOY, routes_to, shortened_rules
from tests.integration.parts.started import Started
from tests.integration.parts.topics import create_topic
from tests.integration.parts.watched_topic import build_reference, configuration

PANE_SECONDS = 5.0
PER_SECOND = 60
SILENT_LEDGER = ("payments-webhook", ["ModelSilent"])
DAY = 86_400.0
SETTINGS = {
    "detection": {"pane": "5s", "windows": ["1m"], "lateness": "1s", "idle_after": "2s"},
    "severity": {"1": {"page": ["drift", "silent"], "ticket": ["quality", "volume", "latency"]}},
    "models": {
        "credit": {"team": "retail-credit", "tier": 1, "runbook": "https://wiki.example/credit"},
        "ledger": {"team": "payments", "tier": 1},
    },
    "web": {"external_url": "https://anchorwatch.example"},
}


class Stage(NamedTuple):
    """All that stands between a producer and somebody who is woken."""

    broker: KafkaBroker
    traffic: "Traffic"
    service: ServiceProcess
    prometheus: Prometheus
    inbox: Inbox

    def drill(self, *arguments: str) -> None:
        """Have the running service tell of something that has not happened."""
        command = [sys.executable, "-m", "service", "drill", "--config", str(self.service.config)]
        subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=60)


class Traffic(Started):
    """A model that is asked all the time; `shift` is how far its incomes are off, in sd.

    It is closed before its broker goes, and started anew.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.shift = 0.0
        self._bootstrap, self._topic = bootstrap, topic
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        chance = random.Random(4)
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, linger_ms=20)
        while not self._stop.wait(1 / PER_SECOND):
            producer.send(self._topic, event("credit", time.time(), chance, self.shift))
        producer.close()


def row(chance, shift=0.0):
    return {
        "income": chance.gauss(50.0 + 10.0 * shift, 10.0),
        "age": chance.gauss(40.0, 12.0),
    }


def event(model, seconds, chance, shift=0.0):
    body = {
        "model": model,
        "version": "1",
        "timestamp": round(seconds, 3),
        "features": row(chance, shift),
        "prediction": round(chance.betavariate(2, 5), 4),
    }
    return json.dumps(body).encode()


def reference_of(directory, model):
    chance = random.Random(9)
    table = [{**row(chance), "prediction": chance.betavariate(2, 5)} for _ in range(4000)]
    return build_reference(directory, model, table)


@pytest.fixture
def stage(tmp_path):
    with ExitStack() as stack:
        references = tmp_path / "references"
        references.mkdir()
        with ThreadPoolExecutor() as pool:
            built = [pool.submit(reference_of, references, model) for model in ("credit", "ledger")]
            broker = stack.enter_context(KafkaBroker())
            topic = create_topic(broker.bootstrap, 2)
        assert all(future.result() for future in built)
        send_a_day_that_ended(broker.bootstrap, topic, minutes_ago=20)
        inbox = stack.enter_context(Inbox())
        config = configuration(broker.bootstrap, topic, references, **SETTINGS)
        service = ServiceProcess(tmp_path, config)
        stack.callback(service.close)
        traffic = stack.enter_context(Traffic(broker.bootstrap, topic))
        service.start()
        service.wait_for(lambda page: page.get("model_expected", model="ledger") is not None)
        service.wait_for(lambda page: page.total("panes_judged_total", model="credit") >= 3)
        secrets, rules = tmp_path / "secrets", tmp_path / "rules"
        secrets.mkdir()
        rules.mkdir()
        manager = Alertmanager(routes_to(inbox, secrets, all_by_webhook=True))
        stack.enter_context(manager)
        prometheus = Prometheus(
            [service.address],
            rule_files=shortened_rules(rules),
            alertmanagers=[manager.address],
        )
        stack.enter_context(prometheus)
        yield Stage(broker, traffic, service, prometheus, inbox)


@pytest.mark.timeout(280)  # two minutes, where nothing else runs
def test_the_right_team_is_told_of_what_happened_once_and_when_it_is_over(stage):
    tells_the_team_of_a_silent_producer(stage)
    page = tells_the_team_of_a_drift(stage)
    answers_what_the_runbooks_ask(stage)
    says_when_the_drift_is_over(stage, page)
    tells_the_platform_alone_of_an_outage(stage)
    takes_a_drill_the_whole_way(stage)


def tells_the_team_of_a_silent_producer(stage):
    """The ledger has sent nothing for minutes, and all that there is was read."""
    inbox = stage.inbox
    silent = inbox.wait_for(lambda notice: "ModelSilent" in notice.names)
    assert silent.receiver == "payments-webhook"
    [alert] = silent.alerts
    assert alert["labels"]["model"] == "ledger"
    assert alert["annotations"]["summary"].startswith("ledger is silent: its producer")
    assert "The newest record came 2" in alert["annotations"]["changed"]
    inbox.wait_for(lambda notice: notice.receiver == "heartbeat")


def tells_the_team_of_a_drift(stage):
    """One feature of one model drifts."""
    inbox = stage.inbox
    drifted_at = time.time()
    stage.traffic.shift = 2.0
    page = inbox.wait_for(lambda notice: "ModelDrift" in notice.names)
    assert page.receiver == "retail-credit-pager"
    [alert] = page.alerts
    assert alert["labels"]["team"] == "retail-credit"
    assert alert["labels"]["severity"] == "page"
    said = alert["annotations"]
    assert said["summary"] == "credit v1: its events have drifted"
    assert said["changed"].startswith("income ")
    assert "age" not in said["changed"]
    assert said["page"] == "https://anchorwatch.example/?model=credit&version=1"
    assert said["model_runbook"] == "https://wiki.example/credit"
    assert said["runbook_url"].endswith("/ModelDrift.md")
    [started] = stage.prometheus.query("max(anchorwatch_episode_onset_timestamp_seconds)")
    assert abs(started.value - drifted_at) <= 3 * PANE_SECONDS
    assert page.at - drifted_at <= 3 * PANE_SECONDS + 4  # scraped, evaluated, grouped: 1 s each
    return page


def answers_what_the_runbooks_ask(stage):
    for query in runbook_queries():
        stage.prometheus.query(query.replace("$model", "credit"))
    assert stage.prometheus.query('topk(10, anchorwatch_drift_score{model="credit"} >= 1)')
    assert stage.prometheus.failing_rules() == {}


def says_when_the_drift_is_over(stage, page):
    inbox = stage.inbox
    stage.traffic.shift = 0.0
    over = inbox.wait_for(
        lambda notice: notice.status == "resolved" and notice.receiver == page.receiver, 60
    )
    assert [a["labels"]["episode"] for a in over.alerts] == [page.alerts[0]["labels"]["episode"]]
    assert [notice.status for notice in inbox.to(page.receiver)] == ["firing", "resolved"]


def tells_the_platform_alone_of_an_outage(stage):
    """Nobody can know of the models while the broker is away."""
    inbox = stage.inbox
    told_before = told_of_models(inbox)
    stage.traffic.close()
    stage.broker.kill()
    behind = inbox.wait_for(lambda notice: "AnchorwatchBehind" in notice.names)
    assert behind.receiver == "platform-pager"
    assert stage.service.get("/livez")[0] == 200
    time.sleep(PANE_SECONDS)
    assert told_of_models(inbox) == told_before
    stage.broker.start()
    stage.traffic.start()
    inbox.wait_for(
        lambda notice: notice.status == "resolved" and notice.receiver == "platform-pager"
    )
    # The ledger is silent all the time. Where the broker takes long to be back, that is said anew.
    since = told_of_models(inbox)[len(told_before) :]
    assert all(told == SILENT_LEDGER for told in since)
    assert stage.service.scrape().total("episodes_total", kind="input") == 1


def takes_a_drill_the_whole_way(stage):
    stage.drill("--model", "ledger", "--kind", "quality", "--severity", "page", "--by", "ada")
    drill = stage.inbox.wait_for(lambda notice: "ModelQualityBroken" in notice.names)
    assert drill.receiver == "data-science-pager"
    [alert] = drill.alerts
    assert alert["labels"]["drill"] == "true"
    assert alert["annotations"]["summary"].startswith("DRILL, ledger v1")


def runbook_queries():
    pages = sorted((DEPLOY / "runbooks").glob("*.md"))
    found = [
        re.findall(r"```promql\n(.*?)\n```", page.read_text("utf-8"), re.DOTALL) for page in pages
    ]
    return [query for queries in found for query in queries]


def told_of_models(inbox):
    """What was told that something of a model began."""
    platform = {"platform-pager", "platform-chat", "heartbeat"}
    fired = [n for n in inbox.notices if n.receiver not in platform and n.status == "firing"]
    return [(notice.receiver, sorted(notice.names)) for notice in fired]


def send_a_day_that_ended(bootstrap, topic, minutes_ago):
    """Of the ledger: an event every two minutes for 26 hours, the last one so long ago."""
    chance = random.Random(5)
    end = time.time() - 60 * minutes_ago
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for i in range(26 * 30):
        at = end - 26 * 3600 + (i + 1) * 120
        producer.send(
            topic, event("ledger", at, chance), partition=0, timestamp_ms=round(at * 1000)
        )
    producer.close()
