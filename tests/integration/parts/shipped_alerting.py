"""The shipped rules and routes, as they can be run within two minutes on one machine.

What is changed, and nothing else: times are shorter, and receivers are on loopback. Expressions,
labels, words, routes, groups and inhibitions stay as they are shipped.
"""

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from tests.integration.parts.notified import Inbox

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
ROUTES = DEPLOY / "alertmanager/alertmanager.yml"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
WINDOW = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])")

LIMITS = {
    "anchorwatch:behind_seconds > bool 60": "anchorwatch:behind_seconds > bool 4",
    "anchorwatch:behind_seconds > 120": "anchorwatch:behind_seconds > 3",
    "anchorwatch_report_timestamp_seconds) > 120": "anchorwatch_report_timestamp_seconds) > 5",
}
"""Seconds in expressions that are of one scale with the waits."""


def shortened_rules(directory: Path, times_shorter: float = 60.0) -> list[Path]:
    """Copies of the rules: all waits and windows, and LIMITS, are so many times shorter.

    Windows are 5 s at least, so that a counter that is scraped every second has an increase.
    """
    paths, replaced = [], 0
    for path in RULES:
        text = path.read_text("utf-8")
        for usual, short in LIMITS.items():
            replaced += text.count(usual)
            text = text.replace(usual, short)
        tree = yaml.safe_load(text)
        for group in tree["groups"]:
            for rule in group["rules"]:
                rule["expr"] = WINDOW.sub(lambda m: _shorter(m, times_shorter), rule["expr"])
                for key in {"for", "keep_firing_for"} & rule.keys():
                    wait = re.fullmatch(r"(\d+)([smhd])", rule[key])
                    rule[key] = f"{max(1, round(_seconds(wait) / times_shorter))}s"
        paths.append(directory / path.name)
        paths[-1].write_text(yaml.safe_dump(tree), "utf-8")
    if replaced < len(LIMITS):
        raise LookupError("a limit of LIMITS stands in no rule any more")
    return paths


def routes_to(inbox: Inbox, directory: Path, *, all_by_webhook: bool) -> dict[str, Any]:
    """The shipped configuration of Alertmanager, its receivers at `inbox`, and quick to tell.

    With `all_by_webhook` every receiver sends what it knows as JSON, under its own name. Else they
    speak as shipped (as Slack and PagerDuty understand it), but for e-mail.
    """
    config = yaml.safe_load(ROUTES.read_text("utf-8"))
    for route in _routes(config["route"]):
        route |= {"group_wait": "1s", "group_interval": "2s", "repeat_interval": "1h"}
    config["global"] = {
        "slack_api_url_file": _secret(directory, "slack", inbox.address("slack")),
        "pagerduty_url": inbox.address("pagerduty"),
    }
    config["templates"] = [str(ROUTES.with_name("*.tmpl"))]
    config["receivers"] = [
        _on_loopback(receiver, inbox, directory, all_by_webhook) for receiver in config["receivers"]
    ]
    return config


def _on_loopback(
    receiver: dict[str, Any], inbox: Inbox, directory: Path, all_by_webhook: bool
) -> dict[str, Any]:
    name = receiver["name"]
    hook = {"name": name, "webhook_configs": [{"url": inbox.address(name), "send_resolved": True}]}
    if name == "nobody":
        return receiver
    if all_by_webhook or not {"slack_configs", "pagerduty_configs"} & receiver.keys():
        return hook
    changed = copy.deepcopy(receiver)
    for pager in changed.get("pagerduty_configs", ()):
        pager["routing_key_file"] = _secret(directory, "pagerduty", name)
    return changed


def _routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    return [route, *(found for inner in route.get("routes", ()) for found in _routes(inner))]


def _secret(directory: Path, name: str, text: str) -> str:
    path = directory / f"{name}-{len(list(directory.iterdir()))}"
    path.write_text(text, "utf-8")
    return str(path)


def _shorter(window: re.Match[str], times_shorter: float) -> str:
    return f"{max(5, round(_seconds(window) / times_shorter))}s"


def _seconds(match: re.Match[str] | None) -> float:
    if match is None:
        raise ValueError("a wait that is no time")
    return int(match[1]) * SECONDS[match[2]]
