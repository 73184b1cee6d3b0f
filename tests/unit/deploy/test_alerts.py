"""The shipped alerts, run by promtool: each fires, keeps quiet, and is silenced by no duplicate."""

import copy
import re

import pytest
import yaml

from service.publish.catalogue import FAMILIES
from service.publish.families import MetricType
from tests.unit.deploy.alerting import (
    CASES,
    METRIC,
    RULES,
    alerts,
    cases,
    groups,
    metrics_of,
    promtool,
    recorded,
    rules,
)

ALWAYS = {"AnchorwatchHeartbeat", "AnchorwatchDown"}
"""These fire where there is nothing at all."""

CATEGORIES = {
    "drift", "quality", "volume", "latency", "pipeline", "performance", "staleness", "policy",
    "mute", "heartbeat", "inhibitor",
}  # fmt: skip
SEVERITIES = {"page", "ticket", "info", "none"}
AGGREGATION = re.compile(
    r"\b(?:max|min|sum|absent|count)\b(?:\s+by\s*\(([^)]*)\))?\s*\(", re.DOTALL
)


def test_promtool_finds_the_rules_in_order():
    done = promtool("check", "rules", *RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_and_keep_quiet_with_the_words_that_people_read(path):
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet():
    fires, quiet = set(), set()
    for _, case in cases():
        name = case["name"].split()[0]
        mine = [c["exp_alerts"] for c in case["alert_rule_test"] if c["alertname"] == name]
        (fires if any(mine) else quiet).add(name)
    assert fires == set(alerts())
    assert quiet == set(alerts()) - {"AnchorwatchHeartbeat"}


def test_without_any_series_only_the_heartbeat_and_the_absence_fire(tmp_path):
    checks = [
        {
            "eval_time": "30m",
            "alertname": name,
            "exp_alerts": [{"exp_labels": a["labels"]} for a in named if name in ALWAYS],
        }
        for name, named in alerts().items()
    ]
    case = {"interval": "1m", "input_series": [], "alert_rule_test": checks}
    run_without_words(tmp_path, [case])


def test_an_alert_that_misses_the_series_it_asks_for_is_quiet_and_no_error(tmp_path):
    without = []
    for _, case in cases():
        name = case["name"].split()[0]
        case["alert_rule_test"] = checks_of(case, name)
        if name in ALWAYS or not any(check["exp_alerts"] for check in case["alert_rule_test"]):
            continue
        there = {metric_of(series) for series in case["input_series"]}
        wanted = next(m for rule in alerts()[name] for m in metrics_of(rule["expr"]) if m in there)
        case["input_series"] = [s for s in case["input_series"] if metric_of(s) != wanted]
        for check in case["alert_rule_test"]:
            check["exp_alerts"] = []
        without.append(case)
    assert {case["name"].split()[0] for case in without} == alerts().keys() - ALWAYS
    run_without_words(tmp_path, without)


def test_series_that_are_there_twice_silence_nobody(tmp_path):
    """As after a restart on another host, or with two judges for a moment."""
    twice = []
    for _, case in cases():
        case["input_series"] += [on_another_host(series) for series in case["input_series"]]
        twice.append(case)
    run_without_words(tmp_path, twice)


def test_a_model_that_has_two_teams_for_a_moment_alerts_both(tmp_path):
    handed_over = []
    for _, case in cases():
        teamed = [s for s in case["input_series"] if 'team="retail-credit"' in s["series"]]
        case["input_series"] += [on_another_host(of_another_team(series)) for series in teamed]
        for check in case["alert_rule_test"]:
            for alert in list(check["exp_alerts"]):
                if alert["exp_labels"].get("team") == "retail-credit":
                    other = copy.deepcopy(alert)
                    other["exp_labels"]["team"] = "payments"
                    check["exp_alerts"].append(other)
        handed_over += [case] if teamed else []
    assert len(handed_over) > 10
    run_without_words(tmp_path, handed_over)


def test_the_alert_of_a_drift_is_the_episode_alone_and_its_labels_are_those_of_the_episode():
    identity = {"model", "model_version", "kind", "severity", "team", "episode", "drill"}
    for name in ("ModelDrift", "ModelQualityBroken", "ModelLatencyChanged", "UpstreamSourceDrift"):
        [rule] = alerts()[name]
        [by] = AGGREGATION.findall(rule["expr"])
        kept = {label.strip() for label in by.split(",")}
        assert identity - kept <= {"model", "model_version"}, name
        assert metrics_of(rule["expr"]) == ["anchorwatch_episode_active"]
        assert "severity" not in rule["labels"]
        assert rule["keep_firing_for"] == "10m"


def test_where_something_comes_from_is_in_no_alert():
    """Else a restart on another host would be another alert."""
    for name, named in alerts().items():
        for rule in named:
            kept = ",".join(AGGREGATION.findall(rule["expr"]))
            assert not {"instance", "pod", "job"} & set(re.findall(r"\w+", kept)), name


def test_every_alert_says_what_happened_and_where_to_read_on():
    for name, named in alerts().items():
        for rule in named:
            said = rule["annotations"]
            assert said["runbook_url"].endswith(f"/{name}.md")
            assert said["summary"]
            assert rule["labels"]["category"] in CATEGORIES
            assert rule["labels"].get("severity", "page") in SEVERITIES
            if rule["labels"].get("severity") != "none":
                assert said["changed"], name


def test_rules_ask_only_for_metrics_that_there_are():
    known = {f.full_name + "_bucket" * (f.type is MetricType.HISTOGRAM) for f in FAMILIES}
    texts = [r["expr"] for r in rules()]
    texts += [t for named in alerts().values() for r in named for t in r["annotations"].values()]
    asked = {metric for text in texts for metric in METRIC.findall(text)}
    assert asked - known == set()


def test_what_is_recorded_is_of_the_same_moment_as_the_alert_that_asks_for_it():
    for path in RULES:
        for group in groups(path):
            before: set[str] = set()
            for rule in group["rules"]:
                mine = {name for name in recorded() if name in rule["expr"]}
                if rule.get("alert") != "ModelSilent":  # how far we are, of a moment ago, will do
                    assert mine <= before, rule
                before.add(rule.get("record", ""))


def metric_of(series):
    return METRIC.match(series["series"])[0]


def checks_of(case, name):
    return [check for check in case["alert_rule_test"] if check["alertname"] == name]


def on_another_host(series):
    named, count = re.subn(r'instance="', 'instance="other-', series["series"])
    assert count == 1
    return {**series, "series": named}


def of_another_team(series):
    return {**series, "series": series["series"].replace("retail-credit", "payments", 1)}


def run_without_words(tmp_path, tests):
    """Run cases against the rules without annotations: only who is alerted is compared."""
    files = []
    for path in RULES:
        document = {"groups": groups(path)}
        for group in document["groups"]:
            for rule in group["rules"]:
                rule.pop("annotations", None)
        files.append(tmp_path / path.name)
        files[-1].write_text(yaml.safe_dump(document), "utf-8")
    tests = copy.deepcopy(tests)
    for check in (check for case in tests for check in case["alert_rule_test"]):
        for alert in check["exp_alerts"]:
            alert.pop("exp_annotations", None)
    by_step: dict[str, list] = {}
    for case in tests:
        by_step.setdefault(case["interval"], []).append(case)
    for step, group in by_step.items():
        document = {
            "rule_files": [str(file) for file in files],
            "evaluation_interval": step,
            "tests": group,
        }
        path = tmp_path / "cases.yml"
        path.write_text(yaml.safe_dump(document), "utf-8")
        done = promtool("test", "rules", path)
        assert done.returncode == 0, done.stdout + done.stderr
