"""The backtest report: self-contained, without a script, and with every fact it was given."""

import base64
import hashlib
import re
from collections import Counter
from html import unescape

import pytest
from msgspec.structs import replace

from service.publish.backtest_page import backtest_page
from service.publish.backtest_sentences import almost, of_incidents, opening, unseen
from service.values.backtests import EpisodeChange, Fate, Outcome, Reconsidered, TopicRange
from service.values.streams import Kind, ModelKey, StreamKey
from tests.unit.publish import reports
from tests.unit.publish.backtests import HOUR, T0, believable, history


@pytest.fixture(scope="module")
def page():
    return backtest_page(believable()).decode()


def text(page):
    return unescape(re.sub(r"<[^>]+>", " ", page))


def test_the_policy_allows_the_style_by_its_hash_and_nothing_else(page):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in unescape(policy)
    assert "default-src 'none'" in unescape(policy)
    assert "script" not in policy


def test_the_file_needs_nothing_else_and_runs_nothing(page):
    assert "<script" not in page
    assert not re.search(r"\sstyle=", page)
    assert not re.search(r"\son\w+=", page)
    assert not re.findall(r'(?:src|href)="(?!#)', page)


def test_it_opens_with_what_would_have_happened(page):
    (heading,) = re.findall(r"<h1>(.*?)</h1>", page)
    assert "you would have been paged once and had 1 ticket" in heading
    assert "allows 2.0 false ones" in heading
    assert "1 of 2 known incidents found; 1 of 2 episodes unexpected." in page


def test_all_that_was_found_is_told(page):
    told = text(page)
    for fact in (
        "the feed broke",
        "missed",
        "found after 2 h, by 2 alarms",
        "income came to 0.99",
        "Always the same value, before and now: country.",
        "1 h without events",
        "anchorwatch replay 'events-*.jsonl' --html report.html",
        "9f2c" * 16,
        "77ab" * 16,
        "2 malformed",
        "page_hinkley at once, adwin after 3 h",
        "pane: 60s",
    ):
        assert fact in told, fact


def test_the_what_if_table_marks_what_is_configured(page):
    rows = re.findall(r"<tr><th scope=\"row\">(0\.\d+ sd.*?)</tr>", page, re.DOTALL)
    assert len(rows) == 3
    assert [row.count('"number now"') for row in rows] == [0, 1, 0]


def test_the_what_if_table_points_at_what_a_setting_misses():
    """The second incident is missed at 0.25 under every budget, the first one under one of them."""
    plain = believable()
    settings = tuple(
        replace(
            setting,
            missed=((0, 1) if setting.budget == "1 per 30 d" else (1,))
            if setting.tolerance_sd == 0.25
            else (),
        )
        for setting in plain.what_if
    )
    page = backtest_page(replace(plain, what_if=settings)).decode()
    rows = re.findall(r"<tr><th scope=\"row\">0\.\d+ sd.*?</tr>", page, re.DOTALL)
    told = [re.sub(r"<[^>]+>", "", row[row.rindex("<td>") :]) for row in rows]
    assert told == [
        "–",  # noqa: RUF001
        "–",  # noqa: RUF001
        "← misses the one of 21 Sep 2026; 1 per 30 d also misses the feed broke (21 Sep 2026)",
    ]
    assert "makes no difference here" not in page


def test_a_tolerance_that_changes_nothing_is_told_with_what_does():
    plain = believable()
    same = tuple(replace(setting, episodes=3, alarms=4) for setting in plain.what_if)
    page = backtest_page(replace(plain, what_if=same)).decode()
    assert "The tolerance of a shift makes no difference here." in page


def test_what_other_settings_change_stands_before_all_else():
    plain = believable()
    before, after = plain.outcome.episodes
    changes = (
        EpisodeChange(Fate.LOST, before, None),
        EpisodeChange(Fate.LATER, before, replace(before, started_seconds=T0 + 2 * HOUR)),
        EpisodeChange(Fate.GAINED, None, after),
        EpisodeChange(Fate.SAME, after, after),
    )
    asked = Reconsidered(("tolerance.shift=0.25",), None, changes)
    page = backtest_page(replace(plain, reconsidered=asked)).decode()
    assert (
        "<h1>With tolerance.shift=0.25, of 3 episodes 1 would not be told, 1 would be told later "
        "and 1 would start as now; 1 episode comes in addition.</h1>"
    ) in page
    assert page.index("60 min later") < page.index('id="timeline"')
    assert page.count("→") >= 1


def test_ids_are_unique_and_every_link_inside_has_its_target(page):
    ids = Counter(re.findall(r'\sid="([^"]+)"', page))
    assert ids.most_common(1)[0][1] == 1
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids.keys()


def test_every_table_has_a_caption_and_headings_with_a_scope(page):
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert len(tables) > 8
    for table in tables:
        assert "<caption>" in table
        assert 'scope="col"' in table


def test_every_picture_but_those_in_tables_has_a_table(page):
    pictures = page.count('role="img"')
    sparklines = len(believable().histories[0].streams)
    bars = len(re.findall(r'class="bar(?: over)?"', page))
    assert bars > 0
    assert page.count("<summary>As a table</summary>") == pictures - sparklines - bars


def test_hostile_names_are_shown_and_not_run():
    name = "<img src=x onerror=alert(1)>\ud800"
    page = backtest_page(
        believable(model=ModelKey(name, name), stream=StreamKey(Kind.INPUT, name), words=name)
    ).decode()
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_without_known_incidents_nothing_is_expected_or_not():
    page = backtest_page(believable(findings=False)).decode()
    assert "nexpected" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_nothing_read_is_said_plainly():
    nothing = Outcome((), (), (), float("nan"), float("nan"))
    empty = replace(
        believable(findings=False),
        outcome=nothing,
        cases=(),
        evidence=(),
        near_misses=(),
        histories=(),
        what_if=(),
    )
    page = backtest_page(empty).decode()
    assert "Nothing could be judged: no event was read." in page
    assert "You would have heard of nothing." in page


def test_a_score_that_did_not_alarm_is_never_rounded_up_to_one():
    assert almost(0.9999) == "0.99"
    assert almost(0.05) == "0.050"


def test_a_model_that_never_met_a_reference_could_not_see_anything():
    lost = replace(history(), judged_from_seconds=float("nan"))
    assert unseen(lost)[0].startswith("Anything")


def test_a_file_without_incidents_says_so():
    assert "holds none" in of_incidents(replace(believable(), findings=()))


def test_nothing_heard_is_a_sentence_too():
    quiet = replace(believable().outcome, episodes=())
    assert "you would have heard of nothing." in opening(replace(believable(), outcome=quiet))


SCHEMES = {"light": 0, "dark": 1}
"""Blocks of `:root` in the style sheet, in this order."""


def colours_of(page, scheme):
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", blocks[SCHEMES[scheme]]))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_and_lines_stand_out_enough(page, scheme):
    """WCAG 2.2 AA: 4.5 for text, 3 for what a picture is understood by."""
    colours = colours_of(page, scheme)
    for ground in ("page", "sheet", "band"):
        for ink in ("ink", "quiet", "link", "drift", "calm-ink"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for shape in ("live", "alarm"):
        assert contrast(colours[shape], colours["sheet"]) >= 3, shape


def with_policy(*streams):
    outcome = replace(
        believable().outcome, models=(reports.model(streams=streams, policy=reports.MONTHLY),)
    )
    return backtest_page(replace(believable(), outcome=outcome)).decode()


def test_windowed_distances_stand_beside_what_sampling_alone_explains():
    window = reports.window("1h", psi=0.31, psi_expected=0.012)
    page = with_policy(reports.stream("income", windows=(window,)))
    (row,) = re.findall(r"<td>1h</td>.*?</tr>", page, re.DOTALL)
    assert "0.31; sampling alone explains 0.012" in row
    band, value = (
        float(re.search(rf'<rect class="{kind}"[^>]*? width="([\d.]+)"', row)[1])
        for kind in ("band", "value")
    )
    assert 0 < band < value


def test_a_policy_is_told_with_its_limits_and_how_much_of_the_window_is_known():
    page = with_policy(
        reports.stream("income", policy=reports.policy(0.31)),
        reports.stream("age", policy=reports.policy(0.12, expected=0.11)),
    )
    told = " ".join(text(page).split())
    assert "of 2 streams 1 is red (income 0.31), 1 is amber (age 0.12)." in told
    assert "The window of 30d is 12 d old." in told
    assert "Of 1 stream there are too few values to tell" in told
    assert "limits at 0.10 and 0.25" in page
    assert 'class="bar over"' in page


def test_without_a_compared_model_there_is_no_section_of_distances():
    learning = reports.model(streams=())
    outcome = replace(believable().outcome, models=(learning,))
    page = backtest_page(replace(believable(), outcome=outcome)).decode()
    assert 'id="distances"' not in page
    assert '"#distances"' not in page


def test_offsets_that_were_read_are_told_with_what_is_deleted_of_them():
    backtest = believable()
    topics = (TopicRange("scores", 3, 120, 950, missing=20), TopicRange("scores", 4, 0, 7, None))
    origin = replace(backtest.origin, topics=topics)
    told = backtest_page(replace(backtest, origin=origin)).decode()
    cells = re.findall(r'<th scope="row">scores</th>(.*?)</tr>', told)
    assert [re.findall(r">(\w+)<", row) for row in cells] == [
        ["3", "120", "950", "20"],
        ["4", "0", "7", "unknown"],
    ]
    assert "The same command on the same records" in told
    assert "The same command on the same files" in backtest_page(backtest).decode()
