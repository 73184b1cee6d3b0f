"""A policy's PSI on `/metrics`, counted again in plain Python from the raw values."""

import math
from bisect import bisect_right
from collections import Counter

import msgspec
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.loops.replay import Replay
from service.monitor.counting.shard import TimeRules
from service.publish.exposition import Exposition
from service.values.watches import PolicyLimits, WindowLength
from tests.unit.monitor.events import T0, judge_of, reference, watch
from tests.unit.publish import reports

HOUR, DAY = 3600.0, 86_400.0
ERROR, ERROR_RELATIVE = 0.001, 0.01
"""Edges lie within half a bucket (0.8 %) of exact deciles; half a row is added to each bin."""

RULES = TimeRules(pane_seconds=HOUR, use_host_clock=False)
LIMITS = PolicyLimits("psi", 10, WindowLength("30d", 30 * DAY), 0.10, 0.25)
CHANNELS = ("app", "branch", "web")
DAYS, A_DAY = 50, 240


def drawn(rng, rows, moved=0.0):
    """Raw values of each feature; the changed ones have moved by so much."""
    return {
        "steady": rng.normal(0, 1, rows).tolist(),
        "income": (rng.lognormal(10, 0.5, rows) * (1 + moved)).tolist(),
        "zeros": np.where(
            rng.random(rows) < 0.35 + moved / 4, 0.0, rng.exponential(5, rows)
        ).tolist(),
        "channel": rng.choice(CHANNELS, rows, p=(0.5 - moved / 2, 0.3, 0.2 + moved / 2)).tolist(),
    }


TRAINED = drawn(np.random.default_rng(3), 20_000)


def shares(values, bins):
    counts = Counter(values)
    return [counts[one] / len(values) for one in bins]


def psi(live, before, bins):
    pairs = zip(shares(live, bins), shares(before, bins), strict=True)
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def recounted(name, live):
    """PSI over exact deciles of the raw training values, or over the categories."""
    before = TRAINED[name]
    if name == "channel":
        return psi(live, before, CHANNELS)
    ordered = sorted(before)
    edges = sorted({ordered[len(ordered) * k // 10] for k in range(1, 10)})
    if name == "zeros":
        # The zeros fill more than three tenths: a bin of their own, and the fourth decile is next.
        edges = [math.nextafter(0.0, 1.0), *(edge for edge in edges if edge > 0)]
    bins = range(len(edges) + 1)
    places = ([bisect_right(edges, value) for value in side] for side in (live, before))
    return psi(*places, bins)


def exported(outcome):
    """The series of the page by feature, of each policy family."""
    page = Exposition(collectors=()).render(reports.report(outcome.models), "summary", 50_000)
    return {
        family.name.removeprefix("anchorwatch_"): {
            sample.labels["feature"]: sample.value for sample in family.samples
        }
        for family in text_string_to_metric_families(page.text.decode())
        if "policy" in family.name and "limit" not in family.name
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The exported figures, and the raw values that lie within the window."""
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    rng = np.random.default_rng(11)
    inside = {name: [] for name in TRAINED}
    first_day = math.floor(T0 / DAY) * DAY
    lines = []
    for day in range(DAYS):
        live = drawn(rng, A_DAY, moved=0.6 if day >= DAYS - 20 else 0.0)
        for row in range(A_DAY):
            features = {name: column[row] for name, column in live.items()}
            at = first_day + day * DAY + row * DAY / A_DAY
            lines.append(
                msgspec.json.encode(
                    {"model": "m", "version": "1", "timestamp": at, "features": features}
                )
            )
        if day >= DAYS - 30:
            for name, column in live.items():
                inside[name] += column
    path.write_bytes(b"\n".join(lines))
    given = reference(inputs=TRAINED, outputs=False, rows=20_000)
    judge = judge_of(given, watch(policy=LIMITS, detectors=()), RULES)
    source = SourceSettings.model_validate({"name": "r", "files": [str(path)]})
    decoder = Decoder(source, judge, LimitsSettings(), RULES.pane_seconds)
    files = FilesSource(FilesParameters((str(path),)))
    outcome = Replay(files, decoder, judge, RULES, T0 + 1e8).run()
    return exported(outcome), inside


@pytest.mark.parametrize("name", ["steady", "income", "zeros", "channel"])
def test_the_exported_psi_is_that_of_the_raw_values_of_the_last_thirty_days(told, name):
    series, inside = told
    expected = recounted(name, inside[name])
    assert series["policy_distance"][name] == pytest.approx(expected, rel=ERROR_RELATIVE, abs=ERROR)
    assert (expected > 0.03) == (name != "steady")


def test_what_chance_alone_gives_is_told_beside_it(told):
    series, inside = told
    expected = 9 * (1 / len(inside["steady"]) + 1 / 20_000)
    # Over-dispersion is learned from the panes themselves, so it is about 1 of independent events.
    assert expected <= series["policy_distance_expected"]["steady"] < 2 * expected
    assert series["policy_covered_ratio"]["steady"] == pytest.approx(1.0)
