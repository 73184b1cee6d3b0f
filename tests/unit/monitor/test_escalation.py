"""When people hear of an episode again as worse, and what they are told of it then."""

from msgspec.structs import replace

from service.monitor.episodes.book import Episodes
from service.state.snapshot import decode, encode
from service.values.episodes import Category, Phase, Severity
from service.values.streams import ModelKey
from tests.unit.monitor.verdicts import CREDIT, LIMIT, RULES, Timeline, drifting, verdict


def escalations(timeline):
    """What each event that escalated says, in order."""
    return [e.escalated_because for e in timeline.told if e.phase is Phase.ESCALATED]


class TestScore:
    def test_it_escalates_when_it_doubles_until_eight_is_told_and_never_again(self):
        timeline = Timeline()
        for pane in range(31):
            timeline.take(verdict(pane, drifting("income", pane, score=min(2.0**pane, 1e9))))
        assert escalations(timeline) == ["score 1.0 to 2.0", "score 2.0 to 4.0", "score 4.0 to 8.0"]

    def test_from_below_eight_it_is_told_however_far_it_leaps(self):
        timeline = Timeline()
        for pane, score in enumerate((2.1, 4.4, 1e6, 1e9)):
            timeline.take(verdict(pane, drifting("income", pane, score=score)))
        assert escalations(timeline) == ["score 2.1 to 4.4", "score 4.4 to 1,000,000"]

    def test_one_that_rises_and_falls_by_turns_is_told_once(self):
        assert len(escalations(Timeline().draw({"income": "1212121214"}))) == 2

    def test_below_the_alarm_level_it_is_no_news(self):
        timeline = Timeline()
        for pane, score in enumerate((0.0, 0.1, 0.9, 1.9, 2.2)):
            timeline.take(verdict(pane, drifting("income", pane, score=score)))
        assert escalations(timeline) == ["score 0.0 to 2.2"]

    def test_that_of_a_source_counts_too(self):
        timeline = Timeline()
        for pane, score in enumerate((1.0, 2.5)):
            for model in (CREDIT, LIMIT):
                found = drifting("income", pane, score=score, source="bureau")
                timeline.take(verdict(pane, found, model=model))
        of_source = [e for e in timeline.told if e.category is Category.UPSTREAM]
        assert [e.escalated_because for e in of_source] == ["", "score 1.0 to 2.5"]


class TestStreamsThatJoin:
    def test_they_escalate_an_episode_each_time_their_number_has_doubled(self):
        timeline = Timeline().draw(
            {f"s{i}": "." * i + "1" * (9 - i) for i in range(9)},
        )
        assert escalations(timeline) == [
            "1 more stream: s1",
            "2 more streams: s2, s3",
            "4 more streams: s4, s5, s6, ...",
        ]
        assert timeline.phases == [
            "started 0", "escalated 1", "ongoing 2", "escalated 3", "ongoing 4", "ongoing 5",
            "ongoing 6", "escalated 7", "ongoing 8",
        ]  # fmt: skip

    def test_a_thousand_that_join_one_by_one_are_told_ten_times(self):
        timeline = Timeline()
        for pane in range(1000):
            timeline.take(verdict(pane, *(drifting(f"f{i:04}", pane) for i in range(pane + 1))))
        assert len(escalations(timeline)) == 9

    def test_the_first_output_among_inputs_escalates_and_is_named_with_its_kind(self):
        timeline = Timeline().draw(
            {"a": "1111", "b": "1111", "c": "1111", "output:score": ".111", "output:share": "..11"}
        )
        assert escalations(timeline) == ["1 more stream: score (output)"]

    def test_a_relation_among_inputs_does_not(self):
        lines = {"a": "111", "b": "111", "c": "111", "joint:pca": ".11"}
        assert Timeline().draw(lines).phases == ["started 0", "ongoing 1"]

    def test_one_that_comes_back_has_not_joined(self):
        timeline = Timeline().draw({"a": "11111", "b": "1.1.1"})
        assert escalations(timeline) == []

    def test_they_are_counted_from_the_last_event_that_was_worse_over_a_restart(self):
        timeline = Timeline().draw({"a": "111", "b": ".11", "c": "..1"})
        state = decode(encode(timeline.episodes.state()))
        timeline.episodes = Episodes(RULES)
        timeline.episodes.restore(state)
        timeline.draw({"a": "1", "b": "1", "c": "1", "d": "1"}, first=3)
        assert escalations(timeline) == ["1 more stream: b", "2 more streams: c, d"]

    def test_after_a_snapshot_that_does_not_know_how_many_were_told_they_count_from_there(self):
        timeline = Timeline().draw({"a": "1", "b": "1", "c": "1"})
        state = decode(encode(timeline.episodes.state()))
        for episode in state["open"]:
            del episode["told_size"], episode["escalated_because"]
        timeline.episodes.restore(state)
        timeline.draw({"a": "11", "b": "11", "c": "11", "d": "11"}, first=1)
        assert timeline.phases == ["started 0", "ongoing 1"]


class TestModelsOfASource:
    def joined(self, number):
        """Models that begin to drift on one source, one a pane."""
        timeline = Timeline()
        models = [ModelKey(f"m{i}", "3") for i in range(number)]
        for pane in range(number):
            for i, model in enumerate(models[: pane + 1]):
                found = drifting("income", pane, since=i, source="bureau")
                timeline.take(verdict(pane, found, model=model))
        return [e for e in timeline.told if e.category is Category.UPSTREAM]

    def test_they_escalate_its_episode_when_their_number_has_doubled_and_are_told_anyway(self):
        events = self.joined(5)
        assert [(e.phase, len(e.members)) for e in events] == [
            (Phase.STARTED, 2), (Phase.ONGOING, 3), (Phase.ESCALATED, 4), (Phase.ONGOING, 5),
        ]  # fmt: skip
        assert events[2].escalated_because == "models 2 to 4"


def test_what_escalated_is_told_as_one_event_and_only_in_that_event():
    timeline = Timeline().draw({"a": "1"}, age_seconds=7200.0)
    (worse,) = timeline.take(verdict(1, drifting("a", 1, score=3.0), drifting("b", 1)))
    assert worse.escalated_because == "severity log to ticket; score 1.0 to 3.0; 1 more stream: b"
    (calmer,) = timeline.take(verdict(2, drifting("a", 2, score=3.0)))
    assert (calmer.phase, calmer.escalated_because) == (Phase.ONGOING, "")


def test_a_past_that_is_over_without_reaching_further_is_not_worse():
    rules = replace(RULES, severities=replace(RULES.severities, by_tier=()))
    timeline = Timeline(rules).draw({"a": "1"}, age_seconds=7200.0).draw({"a": "1"}, first=1)
    assert timeline.phases == ["started 0", "ongoing 1"]
    assert {event.severity for event in timeline.told} == {Severity.LOG}


class TestSegments:
    def test_those_that_follow_all_predictions_are_no_news(self):
        timeline = Timeline().draw(
            {"output:prediction": "1111", "income": "1111"}
            | {f"output:prediction{{region={name}}}": "..11" for name in "abcdef"}
        )
        assert escalations(timeline) == []

    def test_the_words_name_further_ones_last_and_as_people_say_it(self):
        timeline = Timeline()
        scores = {"NE": 9.0, "NW": 8.0, "SE": 2.0}
        found = [
            drifting(f"output:prediction{{region={n}}}", 0, score=s) for n, s in scores.items()
        ]
        timeline.take(verdict(0, *found, drifting("output:prediction", 0, score=3.0)))
        first, _, others = timeline.told[0].words.partition("; 3 more: ")
        assert first.startswith("prediction where region is NE ")
        assert others == "prediction, prediction where region is NW, prediction where region is SE"
