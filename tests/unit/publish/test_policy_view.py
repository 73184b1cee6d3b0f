"""What is said of a policy, and how a distance is drawn beside what chance makes of it."""

import math
import re

import msgspec
import pytest

from service.clock import ManualClock
from service.publish.board import Published
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from service.publish.pictures.distances import WIDTH, distance_bar, place_of
from service.publish.policy_view import policy_view
from service.values.streams import Kind
from tests.unit.publish import reports

DAY = 86_400.0


def viewed(*policies, limits=reports.MONTHLY):
    streams = tuple(reports.stream(f"f{i}", policy=policy) for i, policy in enumerate(policies))
    return policy_view(reports.model(streams=streams, policy=limits))


def page_of(report):
    page = StatusPage(ManualClock(reports.AT + 4), lambda: 123_000_000)
    published = Published(Exposition(collectors=()).render(report, "auto", 50_000), report)
    return page.html(published, None, None).decode()


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        ((0.04,), "the one stream is within the limits"),
        ((0.04, 0.05), "both streams are within the limits"),
        ((0.04, 0.05, 0.0999), "all 3 streams are within the limits"),
        ((0.10, 0.0), "of 2 streams 1 is amber (f0 0.10)"),
        ((0.04, 0.25, 0.11), "of 3 streams 1 is red (f1 0.25), 1 is amber (f2 0.11)"),
        ((0.3, 0.4, 0.5, 0.6), "of 4 streams 4 are red (f3 0.60, f2 0.50, f1 0.40 and 1 more)"),
        ((math.nan,), "nothing to compare yet"),
        ((), "nothing to compare yet"),
    ],
)
def test_the_sentence_says_what_is_over_the_limits(distances, said):
    view = viewed(*map(reports.policy, distances))
    assert view.sentence.startswith(
        "Policy (PSI over 10 bins, 30d; amber from 0.10, red from 0.25)"
    )
    assert f": {said}." in view.sentence


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((4,), "The window of 30d is 4 d old."),
        ((29.2,), "The window is full."),
        ((4, 20), "The window of 30d is 4 d old of some streams, 20 d of others."),
    ],
)
def test_the_sentence_says_how_much_of_the_window_is_known(days, said):
    view = viewed(*(reports.policy(covers_seconds=day * DAY) for day in days))
    assert view.sentence.endswith(said)


def test_amber_by_chance_is_told_as_such():
    view = viewed(reports.policy(0.12, expected=0.11), reports.policy(0.3, expected=0.01))
    assert "Of 1 stream there are too few values to tell: sampling alone would be amber." in (
        view.sentence
    )
    assert [(row.level, row.too_few) for row in view.rows] == [("red", False), ("amber", True)]


def test_what_needs_a_person_comes_first():
    view = viewed(*map(reports.policy, (0.01, math.nan, 0.12, 0.4, 0.3)))
    assert [row.distance for row in view.rows] == [0.4, 0.3, 0.12, 0.01, None]


def test_a_method_without_bins_names_none():
    limits = msgspec.structs.replace(reports.MONTHLY, method="ks", amber=0.05, red=0.1)
    view = viewed(reports.policy(0.02, limits=limits), limits=limits)
    assert view.sentence.startswith("Policy (Kolmogorov-Smirnov distance, 30d; amber from 0.050,")
    assert view.bins is None


def test_a_model_without_a_policy_has_nothing_to_say_of_one():
    assert policy_view(reports.model(streams=(reports.stream("a"),))) is None
    assert "Policy" not in page_of(reports.report([reports.model(streams=(reports.stream("a"),))]))


def test_the_page_tells_the_policy_and_draws_chance_and_limits_beside_the_distance():
    page = page_of(reports.believable())
    assert "Policy (PSI over 10 bins, 30d; amber from 0.10, red from 0.25): of 2 streams" in page
    assert "0.14; sampling alone explains 0.001; limits at 0.10 and 0.25" in page
    assert not re.search(r"\sstyle=", page)


def test_windowed_distances_on_the_page_have_what_chance_explains_drawn_beside_them():
    window = reports.window("5m", psi=0.2, psi_expected=0.02)
    page = page_of(
        reports.report([reports.model(streams=(reports.stream("a", windows=(window,)),))])
    )
    assert 'aria-label="0.20; sampling alone explains 0.020"' in page


@pytest.mark.parametrize("kind", [Kind.INPUT, Kind.OUTPUT])
def test_a_hostile_name_is_shown_and_not_run(kind):
    nasty = reports.stream("<img src=x>", kind=kind, policy=reports.policy(0.4))
    page = page_of(reports.report([reports.model(streams=(nasty,), policy=reports.MONTHLY)]))
    assert "<img" not in page


def widths(markup):
    found = re.findall(r'<rect class="(\w+)"[^>]*? width="([\d.]+)"', markup)
    return {kind: float(width) for kind, width in found}


def test_a_bar_ends_at_its_distance_and_its_band_at_what_chance_explains():
    drawn = widths(distance_bar(0.1, 0.01))
    assert drawn["track"] == WIDTH
    assert drawn["value"] == pytest.approx(WIDTH * 2 / 3, abs=0.1)
    assert drawn["band"] == pytest.approx(WIDTH / 3, abs=0.1)
    (line,) = re.findall(r'class="chance" d="M([\d.]+) ', distance_bar(0.1, 0.01))
    assert float(line) == drawn["band"]


@pytest.mark.parametrize(
    ("distance", "over"), [(0.09, False), (0.1, True), (0.2, True), (7.0, True), (0.0, False)]
)
def test_a_bar_changes_its_colour_from_the_first_limit_on(distance, over):
    assert ('"bar over"' in distance_bar(distance, 0.01, (0.1, 0.25))) == over
    assert "over" not in distance_bar(distance, 0.01)


@pytest.mark.parametrize("distance", [None, math.nan])
def test_nothing_is_drawn_of_a_distance_that_is_not_known(distance):
    assert distance_bar(distance, 0.1) == ""


@pytest.mark.parametrize("expected", [None, math.nan])
def test_a_distance_whose_chance_is_not_known_has_no_band(expected):
    assert "band" not in widths(distance_bar(0.1, expected))
    assert "chance" not in distance_bar(0.1, expected)


def test_what_is_beyond_the_axis_is_drawn_at_its_end():
    assert place_of(5.0) == WIDTH
    assert place_of(0.0) == 0.0
