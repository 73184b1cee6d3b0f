"""Episodes under two settings side by side: each once, with what became of it."""

from msgspec.structs import replace

from service.backtest.changes import changes_of
from service.values.backtests import Fate
from service.values.episodes import Category
from tests.unit.publish.backtests import HOUR, T0, alarm, episode


def drawn(line, **changes):
    """The episodes of a line, an hour a sign: `..aa.b` has one of two hours, and one that lasts."""
    found = []
    for name in dict.fromkeys(line.replace(".", "")):
        start, end = line.index(name), line.rindex(name) + 1
        ended = None if end == len(line) else T0 + end * HOUR
        one = replace(episode((alarm(start),)), id=name, started_seconds=T0 + start * HOUR)
        found.append(replace(one, ended_seconds=ended, **changes))
    return found


def fates(before, after):
    return [
        (change.fate, change.before and change.before.id, change.after and change.after.id)
        for change in changes_of(before, after)
    ]


def test_those_that_meet_in_time_are_one():
    assert fates(drawn(".aaa..b.."), drawn("..xx..y..")) == [
        (Fate.LATER, "a", "x"),
        (Fate.SAME, "b", "y"),
    ]
    assert fates(drawn("..aa.."), drawn(".xxx..")) == [(Fate.EARLIER, "a", "x")]


def test_those_that_meet_nothing_are_gained_or_lost_in_order_of_time():
    assert fates(drawn("aa...."), drawn("..xx..")) == [
        (Fate.LOST, "a", None),
        (Fate.GAINED, None, "x"),
    ]
    assert fates(drawn("....b."), drawn(".x....")) == [
        (Fate.GAINED, None, "x"),
        (Fate.LOST, "b", None),
    ]


def test_each_is_taken_once():
    assert fates(drawn(".aa.bb."), drawn(".xxxxx.")) == [
        (Fate.SAME, "a", "x"),
        (Fate.LOST, "b", None),
    ]


def test_what_lasts_meets_all_that_comes_after():
    assert fates(drawn("..aaaa"), drawn("....xx")) == [(Fate.LATER, "a", "x")]


def test_other_models_and_categories_are_others():
    latency = drawn(".xx...", category=Category.LATENCY)
    assert fates(drawn(".aa..."), latency) == [(Fate.LOST, "a", None), (Fate.GAINED, None, "x")]
    other = drawn(".xx...", version="4")
    assert fates(drawn(".aa..."), other) == [(Fate.LOST, "a", None), (Fate.GAINED, None, "x")]


def test_episodes_of_sources_are_told_apart_by_their_source():
    feeds = drawn(".aa...", model="", version="", source="feed", category=Category.UPSTREAM)
    others = drawn(".xx...", model="", version="", source="other", category=Category.UPSTREAM)
    assert len(fates(feeds, others)) == 2
    assert len(fates(feeds, feeds)) == 1


def test_nothing_beside_nothing_is_nothing():
    assert changes_of([], []) == ()
