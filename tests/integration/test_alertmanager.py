"""The shipped routes on a real Alertmanager: what it keeps back, and what people then read."""

import time

import pytest

from tests.integration.parts.alertmanager_server import Alertmanager
from tests.integration.parts.notified import Inbox
from tests.integration.parts.shipped_alerting import routes_to

WORDS = {
    "summary": "credit-risk v3: its events have drifted",
    "changed": "income 6.3 x alarm level",
    "page": "https://anchorwatch.example/?model=credit-risk&version=3",
}
DRIFT = {
    "alertname": "ModelDrift", "category": "drift", "kind": "input", "severity": "page",
    "team": "retail-credit", "model": "credit-risk", "model_version": "3", "episode": "e1",
}  # fmt: skip
QUALITY = {**DRIFT, "alertname": "ModelQualityBroken", "category": "quality", "kind": "quality"}
SILENT = {
    "alertname": "ModelSilent", "category": "volume", "severity": "page",
    "team": "retail-credit", "model": "credit-risk",
}  # fmt: skip
VOLUME = {**DRIFT, "alertname": "ModelVolumeChanged", "category": "volume", "kind": "volume"}
DOWN = {"alertname": "AnchorwatchBehind", "category": "pipeline", "severity": "page"}
UNDER = {
    "alertname": "ModelUnderUpstream", "category": "inhibitor", "severity": "none",
    "model": "credit-risk", "model_version": "3", "source": "bureau-feed",
}  # fmt: skip
UPSTREAM = {
    "alertname": "UpstreamSourceDrift", "category": "drift", "kind": "upstream",
    "severity": "page", "team": "retail-credit", "episode": "bureau-1",
}  # fmt: skip


@pytest.fixture
def inbox():
    with Inbox() as box:
        yield box


@pytest.fixture(scope="module")
def silent_inbox():
    with Inbox() as box:
        yield box


@pytest.fixture(scope="module")
def shared(silent_inbox, tmp_path_factory):
    """One Alertmanager for all questions of who keeps whom back: each of a model of its own."""
    directory = tmp_path_factory.mktemp("secrets")
    with Alertmanager(routes_to(silent_inbox, directory, all_by_webhook=True)) as server:
        yield server


@pytest.mark.parametrize(
    ("fires", "kept_back"),
    [
        ([QUALITY, DRIFT], {"ModelDrift"}),
        ([QUALITY, {**DRIFT, "model": "fraud"}], set()),
        ([QUALITY, {**DRIFT, "drill": "true"}], set()),
        ([{**QUALITY, "drill": "true"}, DRIFT], set()),
        ([{**QUALITY, "severity": "info"}, DRIFT], set()),
        ([UNDER, DRIFT, UPSTREAM], {"ModelDrift"}),
        ([UNDER, QUALITY, UPSTREAM], {"ModelQualityBroken"}),
        ([UNDER, {**DRIFT, "model": "fraud"}], set()),
        ([{**DOWN, "drill": "true"}, DRIFT], set()),
        ([{**SILENT, "drill": "true"}, VOLUME], set()),
        ([SILENT, VOLUME], {"ModelVolumeChanged"}),
        ([SILENT, DRIFT], set()),
    ],
)
def test_what_says_more_keeps_back_what_says_less(shared, fires, kept_back, request):
    own = f"-{abs(hash(request.node.name))}"
    fires = [{k: v + own * (k == "model") for k, v in labels.items()} for labels in fires]
    for labels in fires:
        labels["case"] = own
    shared.send(fires, WORDS)
    assert inhibited(shared, own, len(fires)) == kept_back


def test_while_anchorwatch_cannot_see_nothing_is_said_of_models(inbox, tmp_path):
    with Alertmanager(routes_to(inbox, tmp_path, all_by_webhook=True)) as server:
        told = {**DRIFT, "drill": "true", "episode": "drill"}
        server.send([DOWN], {"summary": "Anchorwatch is behind"})
        inbox.wait_for(lambda notice: notice.names == {"AnchorwatchBehind"})
        server.send([DRIFT, VOLUME, SILENT, QUALITY, told], WORDS)
        inbox.wait_for(lambda notice: "ModelDrift" in notice.names)
        time.sleep(3)
        receivers = [(notice.receiver, notice.names) for notice in inbox.notices]
    assert receivers == [
        ("platform-pager", {"AnchorwatchBehind"}),
        ("retail-credit-pager", {"ModelDrift"}),  # the drill
    ]


def test_messages_are_as_slack_and_pagerduty_understand_them(inbox, tmp_path):
    with Alertmanager(routes_to(inbox, tmp_path, all_by_webhook=False)) as server:
        other = {**DRIFT, "episode": "e2"}
        server.send([DRIFT, {**DRIFT, "severity": "ticket", "model": "limit"}], WORDS)
        chat = inbox.wait_for(lambda notice: notice.receiver == "slack").body
        page = inbox.wait_for(lambda notice: notice.receiver == "pagerduty").body
        server.send([other], WORDS)
        again = inbox.wait_for(
            lambda notice: (
                notice.body.get("payload")
                and notice.body["payload"]["custom_details"]["episode"] == "e2"
            )
        ).body
    assert chat["channel"] == "#retail-credit"
    [attachment] = chat["attachments"]
    assert attachment["title"] == WORDS["summary"]
    assert attachment["title_link"] == WORDS["page"]
    assert "Changed   income 6.3 x alarm level" in attachment["text"]
    assert page["event_action"] == "trigger"
    assert page["routing_key"] == "retail-credit-pager"
    assert page["payload"]["summary"] == f"[PAGE] {WORDS['summary']}"
    assert page["client_url"] == WORDS["page"]
    assert page["payload"]["custom_details"]["episode"] == "e1"
    assert page["dedup_key"] != again["dedup_key"]


def inhibited(server, case, count, timeout_seconds=10.0):
    """The names of those of a case that others keep back, once all of them are there."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        mine = server.alerts(case=case)
        if len(mine) == count and any(alert["status"]["inhibitedBy"] for alert in mine):
            break
        if len(mine) == count and time.monotonic() > deadline - timeout_seconds + 2:
            break
        time.sleep(0.2)
    return {a["labels"]["alertname"] for a in mine if a["status"]["inhibitedBy"]}
