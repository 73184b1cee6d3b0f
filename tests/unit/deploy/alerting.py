"""The shipped rules as values, and promtool's tests of them, for the tests of alerting."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
CASES = sorted((Path(__file__).parent / "rules").glob("*.yml"))
METRIC = re.compile(r"(?<![\w:])anchorwatch_\w+(?![\w:])")
RECORDED = re.compile(r"\b(?:\w+:)?anchorwatch(?:_\w+)?:[\w:]+")


def groups(path: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(path.read_text("utf-8"))["groups"]


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in groups(path):
            yield from group["rules"]


def alerts() -> dict[str, list[dict[str, Any]]]:
    """The alerting rules by name: two of one name differ in their severity."""
    named: dict[str, list[dict[str, Any]]] = {}
    for rule in rules():
        if "alert" in rule:
            named.setdefault(rule["alert"], []).append(rule)
    return named


def recorded() -> dict[str, str]:
    """The expressions by the names under which they are recorded."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def metrics_of(expr: str) -> list[str]:
    """The metrics that an expression asks for in the end, in order."""
    names = recorded()
    unfolded = expr
    for _ in names:
        unfolded = RECORDED.sub(lambda match: f"({names[match[0]]})", unfolded)
    return METRIC.findall(unfolded)


def cases() -> Iterator[tuple[Path, dict[str, Any]]]:
    """promtool's tests, with the file that they are from."""
    for path in CASES:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            yield path, case


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program is not None, "promtool is not installed: apt-get install prometheus"
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=100, check=False
    )
