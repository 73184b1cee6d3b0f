"""`--from` and `--to` as typed, and which offsets of a log they mean."""

import math

import click
import pytest

from service.commands.replay_range import extent_of, parse_bound
from service.errors import ConfigurationError
from service.ingest.kafka.extent import Extent, Log, Moment, Offsets, Seen
from service.ingest.positions import LogRange
from service.values.records import Partition

NOW = 1_800_000_000.0
P = Partition("t", 0)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("earliest", "earliest"),
        ("latest", "latest"),
        ("12345", Offsets(12345)),
        ("0", Offsets(0)),
        ("0:12345,1:999", Offsets({0: 12345, 1: 999})),
        ("-7d", Moment(NOW - 604_800)),
        ("7d", Moment(NOW - 604_800)),
        ("-1h30m", Moment(NOW - 5400)),
        ("2023-11-15T00:00:00Z", Moment(1_700_006_400.0)),
        ("2023-11-15T01:00:00.5+01:00", Moment(1_700_006_400.5)),
        ("2023-11-15", Moment(1_700_006_400.0)),
        ("2023-11-15T00:00", Moment(1_700_006_400.0)),
        (" -7d ", Moment(NOW - 604_800)),
    ],
)
def test_times_offsets_and_ends_are_read_as_typed(text, bound):
    assert parse_bound(text, NOW, "--from") == bound


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "-7", "-7x", "1:2:3", "0:1,", "0:1,0:2", "1.5", "-", "9" * 5000, "٣"],
)
def test_what_is_neither_is_refused_with_what_can_be_said(text):
    with pytest.raises(click.BadParameter, match="none of: a time such as 2026") as caught:
        parse_bound(text, NOW, "--to")
    assert caught.value.param_hint == "--to"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("-1d", "-2d"),
        ("10", "5"),
        ("0:10", "0:5"),
        ("0:1,1:10", "5"),
        (None, "earliest"),
        ("latest", "5"),
    ],
)
def test_an_end_before_the_beginning_is_refused(start, end):
    with pytest.raises(click.BadParameter, match="is before"):
        extent_of(start, end, NOW)


@pytest.mark.parametrize(("start", "end"), [("10", "10"), ("0:3", "1:2"), ("5", "latest")])
def test_an_end_that_may_be_later_is_not(start, end):
    extent_of(start, end, NOW)


def read(extent, first=0, end=100, **seen):
    return extent.of(P, Log(LogRange(first, end), **seen))


def test_without_a_word_all_that_the_log_holds_is_read():
    found = read(extent_of(None, None, NOW), 40, 100)
    assert (found.first, found.end, found.missing) == (40, 100, 0)


def test_offsets_before_the_log_begins_are_missing_by_number():
    found = read(Extent(Offsets(10), Offsets(90)), first=40)
    assert (found.first, found.end, found.missing) == (40, 90, 30)
    found = read(Extent(Offsets(10), Offsets(30)), first=40)
    assert (found.first, found.end, found.missing) == (40, 40, 20)


def test_times_before_the_log_begins_are_missing_by_time_only_where_something_was_deleted():
    oldest = Seen(40, 500.0)
    found = read(Extent(Moment(200.0)), first=40, oldest=oldest, from_start=oldest)
    assert (found.missing, found.missing_from_seconds) == (None, 200.0)
    assert found.missing_until_seconds == 500.0
    young = Seen(0, 500.0)
    assert read(Extent(Moment(200.0)), oldest=young, from_start=young).missing == 0
    later = read(Extent(Moment(600.0)), first=40, oldest=oldest, from_start=Seen(60, 601.0))
    assert (later.first, later.missing) == (60, 0)
    assert math.isnan(later.missing_from_seconds)


def test_a_moment_after_the_last_record_is_the_end_of_the_log():
    found = read(Extent(Moment(900.0)), oldest=Seen(0, 1.0))
    assert (found.first, found.end) == (100, 100)
    assert read(Extent("earliest", Moment(900.0))).end == 100


def test_what_is_read_in_any_case_widens_the_range():
    extent = Extent(Moment(5.0), Moment(6.0), {P: LogRange(20, 90)})
    found = read(extent, from_start=Seen(30, 5.0), from_end=Seen(50, 6.0), oldest=Seen(0, 0.0))
    assert (found.first, found.end) == (20, 90)


def test_partitions_that_a_list_leaves_out_are_not_read():
    extent = Extent(Offsets({1: 0}))
    assert read(extent) is None
    assert read(Extent("earliest", Offsets({0: 7}))).end == 7


def test_a_beginning_beyond_the_end_and_a_strange_partition_are_named():
    with pytest.raises(ConfigurationError, match="--from 101 is beyond the end of t partition 0"):
        read(Extent(Offsets(101)))
    with pytest.raises(ConfigurationError, match="no partition 10 of t: partitions are 0 to 2"):
        Extent(Offsets({10: 20})).require_partitions({"t": frozenset({0, 1, 2})})
