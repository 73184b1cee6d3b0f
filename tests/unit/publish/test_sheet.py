import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from service.publish import model_families as m
from service.publish.sheet import Sheet, escape, number, openmetrics_header, text_header

HOSTILE = 'q"uo\\te\\n\nnew\tline{}=,# EOF \N{REPLACEMENT CHARACTER} é 漢 \x00\x7f'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (True, "1.0"),
        (10**18, "1000000000000000000"),
        (0.1, "0.1"),
        (np.float64(0.5), "0.5"),
        (np.int64(3), "3.0"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_numbers_of_python_and_numpy_are_written_as_prometheus_reads_them(value, text):
    assert number(value) == text


def test_an_unknown_value_adds_no_series():
    sheet = Sheet({})
    for unknown in (math.nan, np.float64("nan")):
        sheet.add(m.PREDICTIONS, unknown, "model", "1")
    assert sheet.series == 0


def test_an_infinite_score_is_written():
    sheet = Sheet({})
    sheet.add(m.DRIFT_SCORE, math.inf, "model", "1", "age", "input", "")
    assert sheet.lines["drift_score"][0].endswith(" +Inf")


def test_a_lone_surrogate_cannot_keep_the_page_from_being_encoded():
    assert escape("a\ud800b").encode() == b"a?b"


@given(st.text(max_size=128))
def test_label_values_come_back_from_both_parsers_as_they_were(value):
    encodable = value.encode("utf-8", "replace").decode()
    sheet = Sheet({})
    sheet.add(m.PREDICTIONS, 7, value, "1")
    line = sheet.lines["predictions_total"][0] + "\n"
    text = text_header(m.PREDICTIONS) + line
    openmetrics = openmetrics_header(m.PREDICTIONS) + line + "# EOF\n"
    for parse, page in ((parse_text, text), (parse_openmetrics, openmetrics)):
        [family] = parse(page)
        [sample] = family.samples
        assert sample.labels == {"model": encodable, "model_version": "1"}
        assert sample.value == 7


def test_hostile_names_stay_in_their_line():
    sheet = Sheet({})
    sheet.add(m.PREDICTIONS, 1, HOSTILE, "1")
    assert "\n" not in sheet.lines["predictions_total"][0]


def test_a_histogram_is_cumulative_and_ends_at_infinity():
    sheet = Sheet({})
    sheet.add_histogram(m.LATENCY, (0.1, 1.0), (3, 2, 1), 4.5, "a", "1")
    name = 'anchorwatch_prediction_latency_seconds{}{{model="a",model_version="1"{}}} {}'
    assert sheet.lines["prediction_latency_seconds"] == [
        name.format("_bucket", ',le="0.1"', 3),
        name.format("_bucket", ',le="1.0"', 5),
        name.format("_bucket", ',le="+Inf"', 6),
        name.format("_count", "", 6),
        name.format("_sum", "", 4.5),
    ]


def test_names_that_look_like_another_series_prefix_do_not_collide():
    sheet = Sheet({})
    sheet.add(m.ROWS_REJECTED, 1, "a", "b", "malformed")
    sheet.add(m.ROWS_REJECTED, 2, "a,b", "", "malformed")
    sheet.add(m.ROWS_REJECTED, 3, "a", "b", "malformed")
    assert [line.rsplit(" ", 1)[1] for line in sheet.lines["rows_rejected_total"]] == list("123")
    assert len(set(sheet.lines["rows_rejected_total"])) == 3
