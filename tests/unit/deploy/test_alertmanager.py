"""The shipped routes, asked by amtool: who is told of what."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.deploy.alerting import ROOT, alerts

CONFIG = ROOT / "deploy/alertmanager/alertmanager.yml"
TEMPLATES = CONFIG.with_name("anchorwatch.tmpl")
TREE = yaml.safe_load(CONFIG.read_text("utf-8"))
DRIFT = "category=drift kind=input model=credit-risk model_version=3 episode=credit-risk-1 "


def amtool(*arguments: str | Path) -> str:
    program = shutil.which("amtool")
    assert program is not None, "amtool is not installed: apt-get install prometheus-alertmanager"
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def routes(route):
    yield route
    for inner in route.get("routes", ()):
        yield from routes(inner)


def test_amtool_finds_the_configuration_in_order():
    assert "SUCCESS" in amtool("check-config", CONFIG)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=AnchorwatchHeartbeat category=heartbeat severity=none", "heartbeat"),
        ("alertname=ModelUnderUpstream category=inhibitor severity=none model=m", "nobody"),
        ("category=pipeline severity=page", "platform-pager"),
        ("category=pipeline severity=ticket", "platform-chat"),
        ("category=quality severity=page team=retail-credit model=m", "data-science-pager"),
        ("category=quality severity=ticket team=payments model=m", "data-science-chat"),
        (DRIFT + "severity=page team=retail-credit", "retail-credit-pager"),
        (DRIFT + "severity=ticket team=retail-credit", "retail-credit-chat"),
        (DRIFT + "severity=page team=retail-credit drill=true", "retail-credit-pager"),
        (DRIFT + "severity=page team=payments", "payments-webhook"),
        (DRIFT + "severity=ticket team=payments", "payments-email"),
        (DRIFT + "severity=page team=unowned", "platform-pager"),
        (DRIFT + "severity=ticket team=unowned", "platform-chat"),
        ("category=drift kind=upstream severity=page team=payments", "payments-webhook"),
        ("category=volume severity=page team=retail-credit model=m", "retail-credit-pager"),
        ("category=latency severity=ticket team=retail-credit model=m", "retail-credit-chat"),
        ("category=performance severity=page team=retail-credit", "retail-credit-pager"),
        ("category=staleness severity=ticket team=retail-credit", "retail-credit-chat"),
        ("category=policy severity=ticket team=payments", "payments-email"),
        ("category=mute severity=info team=retail-credit", "retail-credit-chat"),
    ],
)
def test_alerts_reach_whom_they_are_for(labels, receiver):
    told = amtool("config", "routes", "test", "--config.file", CONFIG, *labels.split())
    assert told.split() == [receiver]


def test_every_category_of_the_alerts_and_every_receiver_is_asserted_above():
    asserted = test_alerts_reach_whom_they_are_for.pytestmark[0].args[1]
    categories = {re.search(r"category=(\w+)", labels)[1] for labels, _ in asserted}
    assert {r["labels"]["category"] for named in alerts().values() for r in named} == categories
    assert {receiver for _, receiver in asserted} == {r["name"] for r in TREE["receivers"]}
    assert {route["receiver"] for route in routes(TREE["route"])} == {r for _, r in asserted}


def test_pages_are_grouped_so_that_one_episode_is_one_incident():
    for route in routes(TREE["route"]):
        if route["receiver"].endswith(("-pager", "-webhook")) and "platform" not in str(route):
            assert "episode" in route["group_by"], route
    assert TREE["route"]["group_by"] == ["team", "model"]


def test_secrets_stand_in_files():
    text = CONFIG.read_text("utf-8")
    for key in ("password", "routing_key", "service_key", "slack_api_url", "credentials", "token"):
        assert not re.search(rf"\b{key}:", text), key
    assert re.findall(r"(?:_file|credentials_file): (\S+?)}*\n", text)
    for path in re.findall(r"_file: ([^\s}]+)", text):
        assert path.startswith("/etc/alertmanager/secrets/")


def test_a_drill_inhibits_nothing_and_nothing_inhibits_it():
    for rule in TREE["inhibit_rules"]:
        assert 'drill=""' in rule["source_matchers"]
        assert 'drill=""' in rule["target_matchers"]


def test_messages_say_in_one_line_and_in_full_what_happened(tmp_path):
    data = tmp_path / "data.json"
    data.write_text(ALERTS, "utf-8")
    render = ("template", "render", "--template.glob", TEMPLATES, "--template.data", data)
    title = amtool(*render, "--template.text", '{{ template "anchorwatch.title" . }}')
    assert title.strip() == "[PAGE] credit-risk v3: its events have drifted"
    page = amtool(*render, "--template.text", '{{ template "anchorwatch.page" . }}')
    assert page.strip() == "https://anchorwatch.example/?model=credit-risk&version=3"
    text = amtool(*render, "--template.text", '{{ template "anchorwatch.text" . }}')
    assert text.strip().splitlines() == [
        "credit-risk v3: its events have drifted",
        "Changed   income 6.3 x alarm level",
        "Since     2026-11-23 10:20:00 +0000 UTC",
        "Episode   credit-risk-20261123-1020",
        "Team      retail-credit",
        "Look at   https://anchorwatch.example/?model=credit-risk&version=3",
        "Runbook   https://runbooks.example/anchorwatch/ModelDrift.md",
    ]


ALERTS = """{"receiver": "retail-credit-pager", "status": "firing", "alerts": [{"status": "firing",
  "labels": {"alertname": "ModelDrift", "severity": "page", "team": "retail-credit",
             "model": "credit-risk", "episode": "credit-risk-20261123-1020"},
  "annotations": {"summary": "credit-risk v3: its events have drifted",
    "changed": "income 6.3 x alarm level", "since": "2026-11-23 10:20:00 +0000 UTC",
    "model_runbook": "",
    "page": "https://anchorwatch.example/?model=credit-risk&version=3",
    "runbook_url": "https://runbooks.example/anchorwatch/ModelDrift.md"}}],
  "commonLabels": {"severity": "page", "team": "retail-credit", "model": "credit-risk"},
  "commonAnnotations": {"page": "https://anchorwatch.example/?model=credit-risk&version=3"}}
"""
