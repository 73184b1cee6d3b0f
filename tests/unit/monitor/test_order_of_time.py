"""What a reference's order of time taught, in its file: it is read as written, or refused."""

import json
import math

import numpy as np
import pytest
from msgspec.structs import replace

from service.errors import ConfigurationError
from service.monitor.references.file import read, write
from service.monitor.references.planning import watched_part
from service.monitor.references.reference import (
    merge_references,
    same_cells,
    with_order_of_time,
)
from service.monitor.references.unchanged import unchanged
from service.values.references import Dependence, InTime, Season
from service.values.streams import PREDICTION, Kind, StreamKey
from service.values.watches import FeatureWatch
from tests.unit.monitor.events import STATE, X, reference, watch

PLAIN = reference()


def stream(key, of=PLAIN):
    (found,) = (s for s in of.streams if s.key == key)
    return found


def cells(key):
    return [*stream(key).counts.tolist(), stream(key).missing, stream(key).invalid]


def season(key, period="week", hours=(0, 25)):
    counts = np.array([[c // 4 for c in cells(key)]] * len(hours))
    return Season("Europe/London", period, 14, tuple(hours), counts)


STEADY = InTime(60.0, Dependence(1.25, math.inf, 20_160, 61.5), Dependence(1.0, 9e5, 20_160, 61.5))
SEASONAL = InTime(60.0, Dependence(1.5, 4321.0, 9_000, 61.5, seasonal=True), None, season(X))
TAUGHT = with_order_of_time(PLAIN, {X: SEASONAL, STATE: STEADY})


def tree(**changes):
    """The file, with these changes of what is known of x."""
    whole = json.loads(write(TAUGHT)) | {"hash": None}
    (place,) = (i for i, s in enumerate(whole["streams"]) if s["name"] == X.name)
    whole["streams"][place]["in_time"] |= changes
    return whole


def test_what_is_read_equals_what_was_written():
    found = read(write(TAUGHT), "ref.json")
    assert (found.hash, write(found)) == (TAUGHT.hash, write(TAUGHT))
    assert stream(STATE, found).in_time == STEADY
    told = stream(X, found).in_time
    assert told.values == SEASONAL.values
    assert (told.season.period, told.season.hours) == ("week", (0, 25))
    assert told.season.counts.tolist() == SEASONAL.season.counts.tolist()


def test_an_hour_is_a_line_that_people_can_read():
    lines = [line.strip() for line in write(TAUGHT).splitlines()]
    row = json.dumps(SEASONAL.season.counts[0].tolist(), separators=(",", ":"))
    assert f'"Mon 00": {row},' in lines
    assert f'"Tue 01": {row}' in lines
    by_day = replace(SEASONAL, season=season(X, "day", (7,)))
    assert f'"07": {row}' in write(with_order_of_time(PLAIN, {X: by_day}))


def test_a_file_without_it_is_as_it_was_and_one_with_it_has_another_hash():
    assert "in_time" not in write(PLAIN)
    assert with_order_of_time(PLAIN, {}).hash == PLAIN.hash
    assert len({PLAIN.hash, TAUGHT.hash, with_order_of_time(PLAIN, {X: SEASONAL}).hash}) == 3


def test_estimates_are_kept_in_six_digits_so_that_the_hash_holds():
    third = replace(STEADY, values=Dependence(4 / 3, 1e6 / 7, 40, 200 / 3))
    built = with_order_of_time(PLAIN, {X: third})
    assert stream(X, built).in_time.values == Dependence(1.33333, 142857.0, 40, 66.6667)
    assert read(write(built), "x").hash == built.hash


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pane_seconds": 0}, "in_time.pane_seconds: must be positive"),
        ({"values": {"phi": 0.5, "kappa": None, "panes": 40, "events": 1.0}}, "phi: must be at"),
        ({"values": {"phi": 1.0, "kappa": 0, "panes": 40, "events": 1.0}}, "kappa: must be posi"),
        ({"values": {"phi": 1.0, "kappa": 9, "panes": 0, "events": 1.0}}, "panes: must be posi"),
        ({"values": {"phi": 1.0, "kappa": 9, "panes": 40, "events": 0}}, "events: must be posi"),
        ({"values": {"phi": 1.0, "kappa": 9, "panes": 40, "events": 9}}, "season: has to be there"),
        ({"season": None}, "in_time.season: has to be there where something is seasonal"),
        ({"phi": 3}, "unknown field"),
    ],
)
def test_what_does_not_fit_is_named(changes, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        read(json.dumps(tree(**changes)), "ref.json")
    assert str(caught.value).startswith("ref.json: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"period": "year"}, "period: must be day or week"),
        ({"timezone": ""}, "timezone: must not be empty"),
        ({"days": 0}, "days: must be positive"),
        ({"hours": {}}, "hours: must not be empty"),
        ({"hours": {"Mon 24": cells(X)}}, r"hours\['Mon 24'\]: is no hour of a week"),
        ({"hours": {"Mon 01": cells(X)[1:]}}, r"hours\['Mon 01'\]: must be \d+ counts"),
        ({"hours": {"Mon 01": [-1, *cells(X)[1:]]}}, r"hours\['Mon 01'\]: must be \d+ counts"),
        ({"hours": {"Mon 01": cells(X), "Mon 02": cells(X)}}, "hours: more rows are in a cell"),
    ],
)
def test_a_season_that_does_not_fit_is_named(changes, said):
    known = json.loads(write(TAUGHT))
    whole = next(s for s in known["streams"] if s["name"] == X.name)["in_time"]["season"]
    with pytest.raises(ConfigurationError, match=said):
        read(json.dumps(tree(season=whole | changes)), "ref.json")


def test_an_output_has_no_quality():
    whole = json.loads(write(with_order_of_time(PLAIN, {PREDICTION: STEADY}))) | {"hash": None}
    with pytest.raises(ConfigurationError, match="quality: only inputs have one"):
        read(json.dumps(whole), "ref.json")


def test_a_stream_takes_it_along_when_others_go_or_come():
    ignoring = watch(feature=lambda name: FeatureWatch(ignore=name == STATE.name))
    assert stream(X, watched_part(TAUGHT, ignoring)).in_time == stream(X, TAUGHT).in_time
    only_inputs = replace(TAUGHT, streams=tuple(s for s in TAUGHT.streams if s.key.kind == "input"))
    assert stream(STATE, merge_references(only_inputs, PLAIN)).in_time == STEADY


def test_other_dependence_lets_a_stream_go_on_and_another_season_does_not():
    quality = StreamKey(Kind.QUALITY, X.name)
    steadier = replace(SEASONAL, values=replace(SEASONAL.values, phi=3.0))
    assert {X, quality} <= unchanged(TAUGHT, with_order_of_time(TAUGHT, {X: steadier}))
    assert not {X, quality} & unchanged(PLAIN, TAUGHT)
    other = replace(SEASONAL, season=season(X, hours=(0, 26)))
    assert X not in unchanged(TAUGHT, with_order_of_time(TAUGHT, {X: other}))
    assert STATE in unchanged(PLAIN, TAUGHT)
    assert not same_cells(PLAIN, TAUGHT)  # so that what it says is taken over
