"""Known incidents: a file that is read strictly, and what counts as found."""

import math

import pytest

from service.backtest.incidents import findings_of, missed, read_incidents, unexpected_alarms
from service.errors import ConfigurationError
from service.values.backtests import Incident
from tests.unit.publish.backtests import CHANNEL, HOUR, T0, alarm

PANE = 60.0


@pytest.fixture
def read(tmp_path):
    def run(text):
        path = tmp_path / "incidents.csv"
        path.write_text(text, "utf-8")
        return read_incidents(path)

    return run


def test_a_file_is_read_in_order_of_time(read):
    incidents = read(
        "what,start,end,feature\n"
        '"late, and wide",2026-11-02T00:00:00+01:00,2026-11-03T00:00:00Z,income\n'
        "early,2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,\n"
    )
    assert [i.what for i in incidents] == ["early", "late, and wide"]
    assert incidents[1].feature == "income"
    assert incidents[1].end_seconds - incidents[1].start_seconds == 25 * HOUR


def test_a_header_alone_is_no_incident(read):
    assert read("start,end\n") == ()
    assert read("\ufeffstart,end\n") == ()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "it says nothing"),
        ("from,to\n", 1, "must name start and end"),
        ("start,end,column\n", 1, "'column'"),
        ("start,end\nx,2026-11-02T00:00:00Z\n", 2, "start is 'x'"),
        ("start,end\n\n2026-11-02T00:00:00Z,2026-11-02\n", 3, "offset"),
        ("start,end\n2026-11-02T00:00:00,2026-11-02T00:00:00Z\n", 2, "offset"),
        ("start,end\n2026-11-02T00:00:00Z,2026-11-01T00:00:00Z\n", 2, "before the start"),
        ("start,end\n2026-11-02T00:00:00Z\n", 2, "number of columns"),
        ("start,end\n2026-11-02T00:00:00Z,2026-11-02T00:00:00Z,a,b\n", 2, "number of columns"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(read, text, line, words):
    with pytest.raises(ConfigurationError, match=f"incidents.csv, line {line}: ") as error:
        read(text)
    assert words in str(error.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "incidents.csv"
    path.write_bytes(b"\xff\xfe\x00start")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_incidents(path)


ALARMS = (alarm(1), alarm(4, CHANNEL), alarm(8, hours=None))


def found(*incidents):
    return findings_of(incidents, ALARMS, PANE)


def test_an_incident_is_found_by_the_alarms_that_start_within_it():
    (finding,) = found(Incident(T0, T0 + 5 * HOUR))
    assert finding.alarms == (0, 1)
    assert finding.delay_seconds == HOUR + PANE


def test_an_alarm_in_the_pane_of_the_start_is_in_time():
    (finding,) = found(Incident(T0 + HOUR + 30, T0 + 2 * HOUR))
    assert finding.alarms == (0,)
    assert finding.delay_seconds == 30.0


def test_an_alarm_that_was_there_before_finds_nothing():
    (finding,) = found(Incident(T0 + 1.5 * HOUR, T0 + 2 * HOUR))
    assert finding.alarms == ()
    assert math.isnan(finding.delay_seconds)


def test_a_feature_and_a_model_narrow_it():
    whole = Incident(T0, T0 + 9 * HOUR)
    income = Incident(T0, T0 + 9 * HOUR, feature="income")
    other = Incident(T0, T0 + 9 * HOUR, model="churn")
    findings = found(whole, income, other)
    assert [finding.alarms for finding in findings] == [(0, 1, 2), (0, 2), ()]
    assert missed(findings) == (2,)


def test_alarms_outside_every_incident_are_unexpected():
    findings = found(
        Incident(T0 + 2 * HOUR, T0 + 3 * HOUR), Incident(T0 + 9 * HOUR, T0 + 10 * HOUR)
    )
    # The first alarm was still there when the first incident began; the last one never ended.
    assert unexpected_alarms(findings, ALARMS, PANE) == (1,)
    assert unexpected_alarms((), ALARMS, PANE) == (0, 1, 2)
