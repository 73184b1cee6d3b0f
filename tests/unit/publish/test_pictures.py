"""The pictures: areas are shares, nothing is hidden, and every one can be read without eyes."""

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.publish.pictures.histograms import histogram_pair
from service.publish.pictures.scores import score_line
from service.publish.pictures.shares import cells_of, changed
from service.publish.pictures.svg import shortened, value_text
from service.publish.pictures.time_axis import TimeAxis
from service.publish.pictures.timeline import Strip, sparkline, timeline
from service.values.backtests import Histogram, ScoreLine
from service.values.streams import ValueType
from tests.unit.publish.backtests import CATEGORICAL, HOUR, NUMERIC, T0, history, line

PICTURES = {
    "numeric": lambda: histogram_pair("income", NUMERIC).svg,
    "categorical": lambda: histogram_pair("channel", CATEGORICAL).svg,
    "score": lambda: score_line("income", line(), T0 + HOUR).svg,
    "timeline": lambda: timeline("m", history(), [Strip("episodes", ())], "Nothing.").svg,
    "sparkline": lambda: sparkline("income", line().scores),
}


def parse(svg):
    return ET.fromstring(svg)  # noqa: S314 - drawn by us


def shapes(svg, kind, tag="rect"):
    return [e for e in parse(svg).iter(tag) if e.get("class") == kind]


def texts(svg):
    return ["".join(e.itertext()) for e in parse(svg).iter("text")]


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_a_name_and_a_sentence_and_no_style(name):
    svg = parse(PICTURES[name]())
    assert svg.get("role") == "img"
    assert svg.find("title").text
    assert svg.find("desc").text.endswith(".")
    assert not [e for e in svg.iter() if e.get("style") or e.tag == "script"]


def test_a_bars_area_is_its_share_of_the_rows():
    bars = shapes(histogram_pair("income", NUMERIC).svg, "before")
    areas = [float(bar.get("width")) * float(bar.get("height")) for bar in bars]
    counts = [count for count in NUMERIC.reference if count]
    for area, count in zip(areas, counts, strict=True):
        assert area / sum(areas) == pytest.approx(count / sum(counts), abs=0.01)


def test_the_live_outline_covers_the_same_area_as_the_reference():
    """Over all cells, with edges to the right, so the lower border is at the bottom."""
    same = replace(NUMERIC, live=tuple(10 * count for count in NUMERIC.reference))
    svg = histogram_pair("income", same).svg
    (path,) = shapes(svg, "after", "path")
    heights = {float(y) for y in re.findall(r"V([\d.]+)H", path.get("d"))}
    tops = {float(bar.get("y")) for bar in shapes(svg, "before")}
    assert tops <= heights


def test_the_most_changed_cells_are_hatched_and_told():
    picture = histogram_pair("income", NUMERIC)
    assert len(shapes(picture.svg, "changed")) == 3
    assert "30 to 50 from 8.0 % to 50.0 %" in picture.svg


def test_a_change_that_few_rows_explain_is_not_marked():
    few = replace(NUMERIC, live=(0, 2, 1, 1, 0, 0, 0))
    assert changed(cells_of(few)) == []
    assert "no cell changed much" in histogram_pair("income", few).svg


def test_missing_and_invalid_are_drawn_at_zero_too():
    assert {"m", "i"} <= set(texts(histogram_pair("income", NUMERIC).svg))
    assert {"missing", "invalid"} <= set(texts(histogram_pair("channel", CATEGORICAL).svg))


def test_the_table_holds_every_count_of_both_sides():
    for histogram in (NUMERIC, CATEGORICAL):
        rows = histogram_pair("x", histogram).table.rows
        assert [int(row[1].replace(",", "")) for row in rows] == list(histogram.reference)
        assert [int(row[3].replace(",", "")) for row in rows] == list(histogram.live)


def test_a_value_that_fills_a_cell_of_its_own_is_named_alone():
    constant = replace(
        NUMERIC,
        edges=(5.0, math.nextafter(5.0, 6)),
        reference=(0, 100, 0, 0, 0),
        live=(0, 90, 10, 0, 0),
    )
    picture = histogram_pair("x", constant)
    assert [row[0] for row in picture.table.rows][:3] == ["below 5", "5", "5 and above"]


def test_many_categories_are_shown_as_the_largest_and_the_rest():
    names = tuple(f"c{i:02}" for i in range(50))
    counts = (*range(50, 0, -1), 0, 0, 0, 0)
    svg = histogram_pair("x", replace(CATEGORICAL, categories=names, reference=counts, live=counts))
    told = texts(svg.svg)
    assert {"c00", "c09", "40 more"} <= set(told)
    assert "c10" not in told


def test_a_new_category_is_shown_though_it_is_small():
    names = tuple(f"c{i:02}" for i in range(20))
    before = (*[500] * 20, 0, 0, 0, 0)
    after = (*[500] * 20, 0, 400, 0, 0)
    svg = histogram_pair("x", replace(CATEGORICAL, categories=names, reference=before, live=after))
    assert "unseen" in texts(svg.svg)


def test_hostile_names_are_escaped():
    name = '"><script>alert(1)</script>\ud800'
    hostile = replace(CATEGORICAL, categories=(name, "b", "c"))
    for svg in (histogram_pair(name, hostile).svg, score_line(name, line(), None).svg):
        assert "<script" not in svg
        parse(svg.encode("utf-8"))


def test_the_score_breaks_where_nothing_was_judged_and_stays_within_the_scale():
    svg = score_line("income", line(), None).svg
    (path,) = shapes(svg, "score", "path")
    assert path.get("d").count("M") == 2
    heights = [float(y) for y in re.findall(r"[MV](?:[\d.]+ )?([\d.]+)H", path.get("d"))]
    (threshold,) = shapes(svg, "threshold", "line")
    assert min(heights) < float(threshold.get("y1")) < max(heights)
    assert min(heights) == 10.0


def test_an_alarm_is_marked_at_its_time():
    svg = score_line("income", line(), T0 + 3 * HOUR).svg
    (mark,) = shapes(svg, "mark", "line")
    assert float(mark.get("x1")) == pytest.approx((34 + 420) / 2, abs=0.1)
    assert not shapes(score_line("income", line(), None).svg, "mark", "line")


def test_spans_on_the_same_pixels_are_drawn_as_one():
    spans = tuple((T0 + i, T0 + i + 30, "episode", "") for i in range(0, 20_000, 10))
    svg = timeline("m", history(), [Strip("episodes", spans)], "Many.").svg
    assert len(shapes(svg, "episode")) == 1


def test_a_timeline_says_its_lanes_and_how_it_learned():
    strips = [Strip("episodes", ()), Strip("known incidents", ((T0, T0 + HOUR, "found", "● A"),))]
    svg = timeline("m", history(), strips, "All.").svg
    assert {"events", "worst score", "episodes", "known incidents", "learning", "● A"} <= set(
        texts(svg)
    )
    assert shapes(svg, "unwatched")


def test_a_timeline_without_any_pane_can_be_drawn():
    empty = replace(
        history(),
        scores=ScoreLine(60.0, (), ()),
        rows=(),
        first_seconds=math.nan,
        judged_from_seconds=math.nan,
    )
    parse(timeline("m", empty, [Strip("episodes", ())], "None.").svg)


@pytest.mark.parametrize("seconds", [60, 3600, 86_400, 5 * 86_400, 61 * 86_400, 1e9])
def test_an_axis_of_time_has_a_few_labels_whatever_its_length(seconds):
    parts = TimeAxis(T0 + 17, T0 + 17 + seconds, 0, 900).drawn(0, 10)
    lines = [part for part in parts if part.startswith("<line")]
    assert 1 <= len(lines) <= 14


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (52_000.0, "52,000"),
        (0.05644, "0.0564"),
        (1.25e-9, "1.3e-09"),
        (0.0, "0"),
        (-3.0, "-3"),
        (1e9, "1e+09"),
        (math.inf, "\N{EN DASH}"),
        (999.9999, "1,000"),
    ],
)
def test_values_are_told_in_few_digits(value, text):
    assert value_text(value) == text


def test_long_names_are_shortened():
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"


COUNTS = st.integers(0, 10**9)


@st.composite
def histograms(draw):
    edges = sorted(draw(st.sets(st.floats(-1e300, 1e300), max_size=12)))
    cells = len(edges) + 3
    side = st.lists(COUNTS, min_size=cells, max_size=cells).map(tuple)
    return Histogram(
        ValueType.NUMERIC, tuple(edges), (), math.nan, math.nan, draw(side), draw(side), T0, T0
    )


@settings(max_examples=80, deadline=None, derandomize=True)
@given(histograms())
def test_any_histogram_gives_finite_shapes_inside_the_picture(histogram):
    svg = parse(histogram_pair("x", histogram).svg)
    width, height = float(svg.get("width")), float(svg.get("height"))
    for bar in svg.iter("rect"):
        x, y, w, h = (float(bar.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= -0.1
        assert x + w <= width + 2
        assert y >= -0.1
        assert y + h <= height + 0.2
