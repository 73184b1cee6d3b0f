"""One drift is one episode: when it starts, what it gathers, when it is over, what it is called."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.monitor.episodes.book import BACKLOG_SECONDS, Owner
from service.state.snapshot import decode, encode
from service.values.episodes import Category, Episode, OffsetRange, Phase, Severity, Verdict
from tests.unit.monitor.verdicts import (
    CANARY,
    CREDIT,
    LIMIT,
    OVERDRAFT,
    PANE,
    RULES,
    T0,
    Timeline,
    describe,
    drifting,
    stream,
    verdict,
)


class TestPhases:
    @pytest.mark.parametrize(
        ("line", "phases"),
        [
            ("......", []),
            ("..1111", ["started 2"]),
            ("..11..", ["started 2", "recovered 4"]),
            ("..1.1.", ["started 2", "recovered 3", "started 4", "recovered 5"]),
            ("1123.4", ["started 0", "escalated 2", "recovered 4", "started 5"]),
            ("111222", ["started 0", "escalated 3"]),
            ("124824", ["started 0", "escalated 1", "escalated 2", "escalated 3"]),
            ("211344", ["started 0", "escalated 4"]),
        ],
    )
    def test_an_episode_starts_escalates_when_its_score_doubles_and_recovers(self, line, phases):
        assert Timeline().draw({"income": line}).phases == phases

    @pytest.mark.parametrize(
        ("lines", "phases"),
        [
            ({"a": ".111", "b": ".111"}, ["started 1"]),
            ({"a": ".111", "b": "..11"}, ["started 1", "escalated 2"]),
            ({"a": "111..", "b": "1111."}, ["started 0", "ongoing 3", "recovered 4"]),
            ({"a": "1.11.", "b": "1111."}, ["started 0", "ongoing 1", "ongoing 2", "recovered 4"]),
            ({"a": "11...", "b": "..11."}, ["started 0", "escalated 2", "recovered 4"]),
        ],
    )
    def test_streams_that_drift_together_or_join_later_are_one_episode(self, lines, phases):
        timeline = Timeline().draw(lines)
        assert timeline.phases == phases
        assert len({event.id for event in timeline.told}) == 1

    def test_inputs_and_outputs_are_one_episode_and_other_categories_have_their_own(self):
        timeline = Timeline().draw(
            {"income": "1", "output:prediction": "1", "joint:pca": "1", "latency:latency": "1",
             "quality:age": "1", "volume:rows": "1"},
        )  # fmt: skip
        assert {event.category: event.kind for event in timeline.told} == {
            Category.DRIFT: "input",
            Category.LATENCY: "latency",
            Category.QUALITY: "quality",
            Category.VOLUME: "volume",
        }
        assert {event.streams_total for event in timeline.told} == {1, 3}

    def test_while_nothing_drifts_nothing_is_kept(self):
        timeline = Timeline().draw({"income": "." * 20})
        assert timeline.episodes.open == timeline.episodes.ended == ()
        assert not timeline.episodes.has_open(CREDIT)

    def test_versions_have_episodes_of_their_own(self):
        timeline = Timeline().draw({"income": "11"}).draw({"income": "11"}, model=CANARY)
        assert [episode.version for episode in timeline.episodes.open] == ["3", "4"]

    def test_what_is_muted_makes_no_episode_and_ends_one(self):
        timeline = Timeline()
        assert timeline.take(verdict(0, muted=frozenset({stream("income")}))) == []
        timeline.take(verdict(1, drifting("income", 1)))
        (event,) = timeline.take(verdict(2, muted=frozenset({stream("income")})))
        assert (event.phase, event.ended_because) == (Phase.RECOVERED, "muted")

    def test_another_reference_ends_an_episode_and_says_so(self):
        timeline = Timeline().draw({"income": "1"})
        afresh = {stream("income"): "compared with another reference"}
        (event,) = timeline.take(verdict(1, reference_hash="new", afresh=afresh))
        assert event.ended_because == "compared with another reference"

    def test_under_another_reference_of_the_same_streams_it_goes_on_and_recovers_as_ever(self):
        timeline = Timeline().draw({"income": "11"})
        timeline.draw({"income": "11"}, first=2, reference_hash="new")
        (event,) = timeline.take(verdict(4, reference_hash="new"))
        assert timeline.phases == ["started 0", "recovered 4"]
        assert event.ended_because == "recovered"
        assert event.evidence.reference_hash == "new"

    def test_a_stream_that_was_accepted_leaves_the_episode_and_says_so(self):
        timeline = Timeline().draw({"income": "11", "age": "11"})
        accepted = "accepted as normal by ada"
        (event,) = timeline.take(
            verdict(2, drifting("age", 2), afresh={stream("income"): accepted})
        )
        assert event.phase is Phase.ONGOING
        assert {s.name: s.recovered_because for s in event.streams} == {
            "age": "",
            "income": accepted,
        }
        assert event.id == timeline.told[0].id
        (event,) = timeline.take(verdict(3))
        assert event.ended_because == "recovered"

    def test_what_was_done_says_more_of_an_end_than_what_is_well_again(self):
        timeline = Timeline().draw({"a": "1", "b": "1", "c": "1"})
        gone = {stream("b"): "accepted as normal by ada", stream("c"): "no longer watched"}
        (event,) = timeline.take(verdict(1, afresh=gone))
        assert event.ended_because == "accepted as normal by ada; no longer watched"

    def test_a_stream_that_drifts_again_is_not_said_to_have_recovered(self):
        timeline = Timeline().draw({"a": "1.1", "b": "111"})
        (episode,) = timeline.episodes.open
        assert {s.recovered_because for s in episode.streams} == {""}

    def test_a_model_that_is_forgotten_ends_its_episodes_with_the_reason(self):
        timeline = Timeline().draw({"income": "1", "quality:age": "1"})
        ended = timeline.episodes.end(CREDIT, T0 + 9 * PANE, "silent for too long")
        assert [event.ended_because for event in ended] == ["silent for too long"] * 2
        assert timeline.episodes.open == ()


class TestIdentity:
    def test_the_name_is_the_model_and_the_minute_of_the_onset(self):
        (event,) = Timeline().draw({"income": "....1"}).told
        assert event.id == "credit-20261123-1004"
        assert event.onset_seconds == T0 + 4 * PANE

    def test_what_identifies_an_episode_never_changes_while_it_lasts(self):
        timeline = Timeline().draw(
            {"output:prediction": "1123468", "income": "..11111", "age": "....112"}
        )
        assert len(timeline.told) > 3
        labels = {
            (e.id, e.category, e.kind, e.model, e.version, e.severity, e.team)
            for e in timeline.told
        }
        assert labels == {
            ("credit-20261123-1000", "drift", "output", "credit", "3", "ticket", "retail")
        }
        assert [event.sequence for event in timeline.told] == list(range(1, len(timeline.told) + 1))

    def test_no_name_is_given_twice(self):
        rules = msgspec.structs.replace(RULES, pane_seconds=1.0)
        timeline = Timeline(rules)
        for second in range(0, 20, 2):
            at = T0 + second
            found = msgspec.structs.replace(drifting("x", 0), since_seconds=at, onset_seconds=at)
            both = {"start_seconds": at, "end_seconds": at + 1}
            timeline.take(verdict(0, found, **both), verdict(0, start_seconds=at + 1,
                                                             end_seconds=at + 2))  # fmt: skip
        names = [event.id for event in timeline.told if event.phase is Phase.STARTED]
        assert names[:3] == [
            "credit-20261123-1000", "credit-20261123-1000-2", "credit-20261123-1000-3",
        ]  # fmt: skip
        assert len(set(names)) == 10

    @pytest.mark.parametrize("name", ["a b/c", "Ünï", "../../etc", "", "-rf", "x" * 300, "a'b"])
    def test_a_name_is_fit_for_addresses_and_shells(self, name):
        timeline = Timeline()
        model = msgspec.structs.replace(verdict(0, drifting("x", 0)), model=(name, "1"))
        (event,) = timeline.take(msgspec.structs.replace(model, model=type(CREDIT)(name, "1")))
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,100}", event.id)


class TestSeverity:
    def test_it_follows_the_tier(self):
        severities = [
            Timeline().draw({"income": "1"}, tier=tier).told[0].severity for tier in (1, 2, 3)
        ]
        assert severities == [Severity.TICKET, Severity.TICKET, Severity.LOG]

    def test_what_is_long_past_when_it_is_judged_reaches_nobody(self):
        (event,) = Timeline().draw({"income": "1"}, age_seconds=BACKLOG_SECONDS + 1).told
        assert (event.severity, event.backlog) == (Severity.LOG, True)

    def test_what_still_lasts_when_the_backlog_is_over_reaches_somebody(self):
        timeline = Timeline().draw({"income": "11"}, age_seconds=7200.0)
        timeline.draw({"income": "111"}, first=2)
        assert timeline.phases == ["started 0", "escalated 2"]
        assert timeline.told[-1].severity is Severity.TICKET
        assert timeline.told[-1].escalated_because == "severity log to ticket"
        assert not timeline.told[-1].backlog


class TestEvidence:
    def test_it_holds_panes_rows_offsets_and_hashes_since_the_first_alarm(self):
        event = Timeline().draw({"income": "..1124"}).told[-1]
        told = event.evidence
        assert (told.from_seconds, told.to_seconds) == (T0 + 2 * PANE, T0 + 6 * PANE)
        assert told.rows == 400
        assert told.offsets == (OffsetRange("t", 0, 200, 599),)
        assert (told.reference_hash, told.config_hash) == ("9f2c", "77ab")

    def test_a_stream_keeps_its_peak_and_each_detector_its_first_alarm(self):
        event = Timeline().draw({"income": "149921", "age": "....1."}).told[-1]
        (income,) = (s for s in event.streams if s.name == "income")
        assert (income.score, income.peak) == (1.0, 9.0)
        assert [seen.at_seconds for seen in income.detectors] == [T0]

    def test_the_worst_stream_is_told_first_and_others_are_named(self):
        (event,) = Timeline().draw({"a": "1", "b": "9", "c": "2", "d": "1", "e": "1"}).told
        assert event.words == "b up, b; 4 more: c, a, d, ..."

    def test_of_many_streams_an_event_names_the_worst_hundred(self):
        found = [drifting(f"f{i:04}", 0, score=1 + i / 1000) for i in range(2000)]
        (event,) = Timeline().take(verdict(0, *found))
        assert (len(event.streams), event.streams_total) == (100, 2000)
        assert event.streams[0].name == "f1999"
        assert sum(bool(s.words) for s in event.streams) == 10

    def test_scores_that_are_no_numbers_do_no_harm(self):
        timeline = Timeline()
        timeline.take(verdict(0, drifting("a", 0, score=float("inf"))))
        timeline.take(verdict(1, drifting("a", 1, score=float("nan")), drifting("b", 1)))
        assert all(event.score < 1e10 for event in timeline.told)
        unknown = msgspec.structs.replace(drifting("c", 2, since=2), onset_seconds=float("nan"))
        timeline.take(verdict(2, unknown))
        assert timeline.told[-1].streams[-1].onset_seconds == T0 + 2 * PANE
        assert msgspec.json.decode(msgspec.json.encode(timeline.told), type=list[Episode])


class TestUpstream:
    def draw(self, *begun, tiers=(1, 1, 1), length=12):
        """Models that drift on one source from these panes on, in order of time."""
        timeline = Timeline()
        models = (CREDIT, LIMIT, OVERDRAFT)
        for pane in range(length):
            for model, since, tier in zip(models, begun, tiers, strict=False):
                found = [drifting("income", pane, since=since, source="bureau")]
                told = found if pane >= since else []
                timeline.take(verdict(pane, *told, model=model, tier=tier))
        return timeline

    def upstream(self, timeline):
        return [event for event in timeline.told if event.category is Category.UPSTREAM]

    def test_models_that_drift_together_on_one_source_are_one_episode_of_it(self):
        timeline = self.draw(2, 4, 5)
        first, second = self.upstream(timeline)
        assert (first.phase, first.id) == (Phase.STARTED, "bureau-20261123-1002")
        assert (second.phase, len(second.members)) == (Phase.ONGOING, 3)
        assert (first.kind, first.model, first.version) == ("upstream", "", "")
        assert first.severity is Severity.PAGE
        assert second.words.startswith(
            "3 models drifted within 3 min: credit v3, limit v3, overdraft v3; income 1.0 x"
        )

    def test_their_own_episodes_are_linked_and_say_the_cause(self):
        timeline = self.draw(2, 4, 5)
        own = [e for e in timeline.episodes.open if e.category is Category.DRIFT]
        assert {e.upstream for e in own} == {"bureau-20261123-1002"}
        assert {e.cause for e in own} == {"upstream_source"}
        linked = [e for e in timeline.told if e.model == "credit"]
        assert [e.phase for e in linked] == [Phase.STARTED, Phase.ONGOING]

    def test_models_that_drift_at_other_times_are_no_such_episode(self):
        assert self.upstream(self.draw(0, 6)) == []

    def test_nor_are_versions_of_one_model(self):
        timeline = Timeline()
        for model in (CREDIT, CANARY):
            timeline.take(verdict(0, drifting("income", 0, source="bureau"), model=model))
        assert self.upstream(timeline) == []

    def test_nor_models_on_other_sources_or_none(self):
        timeline = Timeline()
        for model, source in ((CREDIT, "a"), (LIMIT, "b"), (OVERDRAFT, "")):
            timeline.take(verdict(0, drifting("income", 0, source=source), model=model))
        assert self.upstream(timeline) == []

    def test_the_most_important_model_decides_whom_it_reaches_and_it_only_rises(self):
        quiet = self.draw(0, 1, tiers=(3, 3))
        assert [e.severity for e in self.upstream(quiet)] == [Severity.LOG]
        rising = self.draw(0, 1, 2, tiers=(3, 2, 1))
        assert [e.severity for e in self.upstream(rising)] == [Severity.TICKET, Severity.PAGE]

    def test_its_words_follow_how_bad_it_is_now(self):
        timeline = self.draw(0, 1)
        worse = drifting("income", 12, score=6.3, source="bureau")
        timeline.take(verdict(12, worse, model=LIMIT))
        (source,) = (e for e in timeline.episodes.open if e.category is Category.UPSTREAM)
        assert source.words.endswith("credit v3, limit v3; income 6.3 x alarm level")

    def test_when_it_is_over_so_are_its_streams_and_those_of_a_model_that_is_forgotten(self):
        timeline = self.draw(0, 1)
        timeline.take(verdict(12, model=CREDIT))
        ended = timeline.episodes.end(LIMIT, T0 + 13 * PANE, "silent for too long")
        assert [event.category for event in ended] == [Category.DRIFT, Category.UPSTREAM]
        for event in ended:
            (income,) = event.streams
            assert (income.recovered_seconds, event.score) == (T0 + 13 * PANE, 0.0)
            assert income.recovered_because == event.ended_because == "silent for too long"

    def test_it_is_over_when_all_of_its_models_are_well(self):
        timeline = self.draw(0, 1)
        timeline.take(verdict(12, model=CREDIT))
        assert self.upstream(timeline)[-1].phase is Phase.STARTED
        timeline.take(verdict(12, model=LIMIT))
        assert self.upstream(timeline)[-1].phase is Phase.RECOVERED
        assert timeline.episodes.open == ()

    def test_it_ends_for_the_reason_for_which_the_last_model_did(self):
        timeline = self.draw(0, 1)
        timeline.take(verdict(12, model=CREDIT))
        accepted = {stream("income"): "accepted as normal by ada"}
        timeline.take(verdict(12, model=LIMIT, afresh=accepted))
        assert self.upstream(timeline)[-1].ended_because == "accepted as normal by ada"
        recovered = self.draw(0, 1)
        for model in (CREDIT, LIMIT):
            recovered.take(verdict(12, model=model))
        assert self.upstream(recovered)[-1].ended_because == "recovered"

    def test_or_when_the_last_of_them_is_forgotten(self):
        timeline = self.draw(0, 1)
        timeline.episodes.end(CREDIT, T0, "silent for too long")
        ended = timeline.episodes.end(LIMIT, T0, "silent for too long")
        assert [event.category for event in ended] == [Category.DRIFT, Category.UPSTREAM]

    def test_values_that_go_missing_on_a_source_are_gathered_too(self):
        timeline = Timeline()
        for model in (CREDIT, LIMIT):
            timeline.take(verdict(0, drifting("quality:age", 0, source="bureau"), model=model))
        assert len(self.upstream(timeline)) == 1
        own = [e for e in timeline.episodes.open if e.category is Category.QUALITY]
        assert {e.cause for e in own} == {"broken_data"}


class TestCounts:
    def counted(self, timeline, **owners):
        known = {CREDIT: Owner(1, "retail"), **owners}
        counts = timeline.episodes.counted(known, [Owner(1, "retail")])
        return {(c.labels.model, c.labels.kind, c.labels.severity.value): c for c in counts}

    def test_everything_that_can_be_counted_is_there_from_zero(self):
        counts = self.counted(Timeline())
        kinds = {"input", "output", "latency", "volume", "quality", "joint"}
        assert counts.keys() == {("credit", kind, "ticket") for kind in kinds} | {
            ("", "upstream", "page")
        }
        assert {(c.started, c.real, c.false) for c in counts.values()} == {(0, 0, 0)}

    def test_each_episode_counts_once_however_it_goes_on(self):
        timeline = Timeline().draw({"income": "1248.11.", "age": ".111...."})
        assert self.counted(timeline)["credit", "input", "ticket"].started == 2

    def test_verdicts_count_and_saying_it_again_does_not(self):
        timeline = Timeline().draw({"income": "1"})

        def say(real, previous):
            labels = ("credit", "3", "input", Severity.TICKET, "retail")
            timeline.episodes.hear(
                Verdict(timeline.told[0].id, real, "ada", "campaign", T0, *labels, previous)
            )

        say(real=False, previous=None)
        say(real=False, previous=False)
        say(real=True, previous=False)
        count = self.counted(timeline)["credit", "input", "ticket"]
        assert (count.real, count.false) == (1, 1)
        assert (count.decided_real, count.decided_false) == (1, 0)

    def test_models_that_are_not_asked_for_are_left_out(self):
        timeline = Timeline().draw({"income": "1"}, model=LIMIT)
        assert {model for model, *_ in self.counted(timeline)} == {"credit", ""}


def test_only_the_last_ones_that_are_over_are_kept_and_without_their_pictures():
    timeline = Timeline().draw({"income": "1." * 70})
    assert len(timeline.episodes.ended) == 50
    assert timeline.episodes.ended[-1].id == timeline.told[-1].id


MARKS = st.text(alphabet="...1123", min_size=14, max_size=14)
WORLDS = st.fixed_dictionaries(
    {
        (model, name): MARKS
        for model in (CREDIT, CANARY, LIMIT)
        for name in ("income", "age", "output:prediction", "quality:age")
    }
)


@given(world=WORLDS, cuts=st.sets(st.integers(0, 13)))
@settings(max_examples=60, deadline=None)
def test_a_restart_at_any_point_gives_the_same_episodes(world, cuts):
    whole = play(world, cuts=())
    cut = play(world, cuts=cuts)
    assert cut.told == whole.told
    assert cut.episodes.state() == whole.episodes.state()


@given(world=WORLDS)
@settings(max_examples=60, deadline=None)
def test_the_events_of_an_episode_tell_one_story(world):
    timeline = play(world, cuts=())
    by_id = {}
    for event in timeline.told:
        by_id.setdefault(event.id, []).append(event)
    for events in by_id.values():
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[0].phase is Phase.STARTED
        assert all(event.phase is not Phase.STARTED for event in events[1:])
        assert all(event.is_open for event in events[:-1])
        assert events[-1].is_open == (events[-1].phase is not Phase.RECOVERED)
        assert all(event.likely and event.words for event in events)
        assert all(event.peak >= event.score for event in events)
    open_places = [(e.category, e.model, e.version, e.source if not e.model else "")
                   for e in timeline.episodes.open]  # fmt: skip
    assert len(open_places) == len(set(open_places))
    drifting_now = {key for key, line in world.items() if line[-1] != "."}
    told_now = {
        (e.key, s.key) for e in timeline.episodes.open if e.model for s in e.streams if s.drifts
    }
    assert told_now == {(model, stream(name)) for model, name in drifting_now}


def play(world, cuts):
    """All models pane by pane; at each cut the tracker is taken down and up again."""
    timeline = Timeline()
    since = {}
    for pane in range(14):
        for model in (CREDIT, CANARY, LIMIT):
            found = []
            for (of, name), line in world.items():
                if of != model:
                    continue
                if line[pane] == ".":
                    since.pop((of, name), None)
                    continue
                begun = since.setdefault((of, name), pane)
                source = "" if name.startswith("output") else "bureau"
                score = float(line[pane])
                found.append(drifting(name, pane, score=score, since=begun, source=source))
            others = {CREDIT: ("4",), CANARY: ("3",)}.get(model, ())
            timeline.take(verdict(pane, *found, model=model, other_versions=others))
        if pane in cuts:
            kept = decode(encode(timeline.episodes.state()))
            timeline.episodes = Timeline().episodes
            timeline.episodes.restore(kept)
    return timeline


def test_describe_is_asked_only_when_there_is_something_to_tell():
    asked = []

    def counting(keys):
        asked.append(keys)
        return describe(keys)

    episodes = Timeline().episodes
    for pane in range(10):
        episodes.take(verdict(pane, drifting("income", pane, score=1.0)), counting)
    assert len(asked) == 1
