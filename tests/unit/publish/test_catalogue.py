import os
from pathlib import Path

from service.publish.catalogue import FAMILIES, as_markdown
from service.publish.families import MetricType

ROOT = Path(__file__).parents[3]
FORBIDDEN = {
    "owner",
    "service",
    "env",
    "stage",
    "cluster",
    "region",
    "instance",
    "pod",
    "namespace",
}


def test_metrics_md_is_the_catalogue():
    """After a change: UPDATE_GOLDEN=1 pytest tests/unit/publish."""
    path = ROOT / "METRICS.md"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(as_markdown())
    assert path.read_text() == as_markdown()


def test_every_family_has_a_name_of_its_own_in_both_formats():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len({family.openmetrics_name for family in FAMILIES}) == len(FAMILIES)


def test_counters_end_in_total_and_nothing_else_does():
    for family in FAMILIES:
        assert family.name.endswith("_total") == (family.type is MetricType.COUNTER), family.name


def test_times_and_sizes_are_in_base_units():
    for family in FAMILIES:
        for unit in ("seconds", "bytes", "ratio"):
            bare = family.name.removesuffix("_total")
            assert bare.endswith(f"_{unit}") == (family.unit == unit), family.name


def test_no_label_clashes_with_those_that_prometheus_attaches():
    for family in FAMILIES:
        assert not FORBIDDEN.intersection(family.labels), family.name
        assert "version" not in family.labels or family.name == "build_info"


def test_help_is_one_sentence():
    for family in FAMILIES:
        assert family.help.endswith("."), family.name
        assert "\n" not in family.help
