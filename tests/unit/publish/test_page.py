import json
import math
import re
from html.parser import HTMLParser

import msgspec
import pytest

from service.clock import ManualClock
from service.publish.board import Published
from service.publish.exposition import Exposition
from service.publish.page import STREAMS_SHOWN_MAX, StatusPage
from service.publish.view import status_view
from service.values.episodes import Category, Member, Severity
from service.values.records import Partition
from service.values.rejects import Reason
from service.values.reports import Knowledge, PartitionReport, TopicReport
from service.values.streams import Kind
from tests.unit.publish import reports

NASTY = "<script>alert(1)</script>\"'&{{ 7*7 }}"


def published(report):
    return Published(Exposition(collectors=()).render(report, "auto", 50_000), report)


def page():
    return StatusPage(ManualClock(reports.AT + 4), lambda: 123_000_000)


def html(report, model=None, version=None):
    body = page().html(published(report), model, version)
    return None if body is None else body.decode()


def words_of(markup):
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


class Outline(HTMLParser):
    """Collects what a screen reader depends on."""

    def __init__(self, markup):
        super().__init__()
        self.ids, self.tags, self.open_tables, self.captions, self.scopeless = [], [], 0, 0, 0
        self.styled = False
        self.feed(markup)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.append(tag)
        self.ids += [named["id"]] if "id" in named else []
        self.styled |= "style" in named or any(name.startswith("on") for name in named)
        self.captions += tag == "caption"
        self.scopeless += tag == "th" and "scope" not in named


def test_the_first_words_say_how_all_is():
    view = status_view(reports.believable())
    assert " ".join(view.sentences) == (
        "4 of 6 models are watched. 1 has drifted. 1 ticket is open. 1 is still learning. "
        "Every event up to 10:30:56 UTC is counted, 2 s behind."
    )


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (reports.empty(), "No model has sent an event yet. No partition is read."),
        (
            reports.report(
                service=reports.service(
                    ready=False, not_ready_because="waiting for the consumer group watch"
                )
            ),
            "Starting: waiting for the consumer group watch.",
        ),
        (reports.report([reports.model()]), "The one model is watched. None has drifted."),
        (reports.fleet(3, 1), "All 3 models are watched. None has drifted."),
        (reports.report(), "How far behind is not known yet."),
    ],
)
def test_what_is_not_known_is_said(report, sentence):
    if sentence.startswith("Starting"):
        report = msgspec.structs.replace(report, caught_up=False)
    assert sentence in words_of(html(report))


def test_a_topic_that_is_missed_is_named_though_others_are_read():
    assert "topic ml.late does not exist: create it." in words_of(html(reports.believable()))


def test_where_no_record_is_kept_no_command_is_shown_that_reads_it():
    demo = reports.service(episode_options=None)
    text = words_of(html(msgspec.structs.replace(reports.believable(), service=demo)))
    assert "anchorwatch episode" not in text
    assert "--episode" not in text
    assert "income: {mute: {until: 2026-12-07, by: NAME, why: REASON}}" in text


@pytest.mark.parametrize(
    ("severities", "said"),
    [
        ((), "None has drifted. Every event"),
        (("log",), "None has drifted. Every event"),
        (("page",), "1 page is open."),
        (("ticket", "ticket"), "2 tickets are open."),
        (("page", "log", "ticket"), "1 page and 1 ticket are open."),
    ],
)
def test_the_first_sentence_counts_whom_it_is_to_reach(severities, said):
    shown = [reports.episode(str(i), severity=Severity(s)) for i, s in enumerate(severities)]
    over = reports.episode("over", severity=Severity.PAGE, ended_seconds=reports.AT)
    report = msgspec.structs.replace(reports.fleet(3, 1), episodes=(*shown, over),
                                     partitions=reports.believable().partitions)  # fmt: skip
    assert said in " ".join(status_view(report).sentences)


def test_an_episode_that_is_worse_says_in_what():
    worse = reports.episode(escalated_because="severity ticket to page; score 2.1 to 6.3")
    text = words_of(html(reports.report(episodes=(worse,))))
    assert "alarm level · worse: severity ticket to page; score 2.1 to 6.3 ·" in text


def test_streams_that_drift_no_more_are_told_with_when_and_why():
    (moved,) = reports.episode().streams
    muted, well, also = (
        msgspec.structs.replace(moved, name=name, recovered_seconds=reports.AT - ago,
                                recovered_because=because)
        for name, ago, because in (("age", 120, "muted"), ("state", 60, ""), ("city", 60, ""))
    )  # fmt: skip
    lasts = reports.episode(streams=(moved, muted, well, also), streams_total=4)
    view = status_view(reports.report(episodes=(lasts,)))
    ended = [stream.recovered_because for stream in view.attention[0].streams]
    assert ended == ["", "muted", "recovered", "recovered"]
    text = words_of(html(reports.report(episodes=(lasts,))))
    assert "No longer drifting: age (muted 10:28:58 ); state, city (recovered 10:29:58 )" in text
    assert "4 streams" in text
    assert "10:28:58 , muted" in text
    over = {"ended_seconds": reports.AT, "ended_because": "recovered"}
    last = msgspec.structs.replace(moved, recovered_seconds=reports.AT)
    alone = reports.episode(streams=(last,), **over)
    assert "No longer drifting" not in words_of(html(reports.report(episodes=(alone,))))
    several = reports.episode(streams=(last, muted), **over)
    text = words_of(html(reports.report(episodes=(several,))))
    assert "No longer drifting: age (muted 10:28:58 ); income (recovered 10:30:58 )" in text


@pytest.mark.parametrize(
    ("version", "said"),
    [("3", "v3"), ("2.1-rc1", "v2.1-rc1"), ("unversioned", "unversioned"), ("canary", "canary")],
)
def test_only_a_version_that_begins_with_a_digit_is_said_with_a_v(version, said):
    model = reports.model("m", version, [reports.stream("x", drifted=True)])
    episode = reports.episode(model="m", version=version)
    text = words_of(html(reports.report([model], episodes=(episode,))))
    assert text.count(f"m {said} ") == 4
    assert "vunversioned" not in text
    assert "vcanary" not in text
    assert status_view(reports.report(episodes=(episode,))).attention[0].about == f"m {said}"


def test_the_page_of_a_model_has_its_episodes_and_those_of_its_sources():
    own, other = reports.episode("own"), reports.episode("other", model="fraud", version="7")
    of_source = reports.episode(
        "source", category=Category.UPSTREAM, kind="upstream", model="", version="",
        members=(Member("credit-risk", "3", 1, "retail-credit", "own", reports.AT - 660),),
    )  # fmt: skip
    over = reports.episode("past", ended_seconds=reports.AT, ended_because="recovered")
    report = msgspec.structs.replace(reports.believable(), episodes=(own, other, of_source, over))
    text = html(report, "credit-risk", "3")
    assert [f'id="{name}"' in text for name in ("own", "other", "source", "past")] == [
        True, False, True, True,
    ]  # fmt: skip
    assert "credit-risk v3 since 10:19:58 , own" in words_of(text)


def test_a_cause_that_a_source_and_its_models_share_is_said_once():
    of_source = reports.episode(
        "source", category=Category.UPSTREAM, kind="upstream", model="", version="",
        members=(Member("credit-risk", "3", 1, "retail-credit", "own", reports.AT - 660),),
    )  # fmt: skip
    for own, times in (
        (reports.episode("own", upstream="source"), 1),
        (reports.episode("own"), 2),
        (reports.episode("own", upstream="source", likely="the data are broken."), 1),
    ):
        text = words_of(html(reports.report(episodes=(own, of_source))))
        assert text.count("Likely the inputs changed and the score followed.") == times
        assert ("Likely the data are broken." in text) == (own.likely != of_source.likely)


def test_the_page_of_a_model_with_episodes_has_one_heading_of_the_first_level():
    text = html(reports.believable(), "credit-risk", "3")
    assert Outline(text).tags.count("h1") == 1


def test_the_name_of_a_model_and_what_changed_in_it_are_two_words():
    assert "v3</span></a>\nincome up" in html(reports.believable())


def test_what_learning_means_is_said_where_a_stream_is():
    (model,) = (m for m in reports.believable().models if m.key.model == "credit-risk")
    streams = tuple(msgspec.structs.replace(s, knowledge=Knowledge.LEARNING) for s in model.streams)
    learning = reports.report([msgspec.structs.replace(model, streams=streams)])
    said = "learning: how far the stream wanders by itself is not known yet"
    assert said in words_of(html(learning))
    assert said not in words_of(html(reports.report([reports.model()])))


def test_models_and_streams_come_by_attention():
    view = status_view(reports.believable())
    assert [model.model for model in view.models] == [
        "credit-risk",
        "aml-v2",
        "kyc-doc",
        "fraud",
        "savings-churn",
        "marketing",
    ]
    assert [stream.name for stream in view.models[0].streams[:4]] == [
        "income",
        "bureau_score",
        "prediction",
        "age",
    ]


def test_what_drifted_is_told_with_since_when_how_badly_and_what_to_do():
    text = words_of(html(reports.believable()))
    assert (
        "ticket credit-risk v3 income up 0.41 sd, PSI 0.31; share of [52k, 61k) from 10 % to 27 %; "
        "1 more: bureau_score Likely the inputs changed and the score followed." in text
    )
    assert (
        "since 10:19:58 UTC (11 min) · evidence 6.3 x alarm level · from bureau-feed · "
        "retail-credit · runbook" in text
    )
    assert (
        "real, and here to stay? Make it the new normal: anchorwatch reference accept --episode "
        "credit-risk-20261123-1020 --by NAME --why REASON --config anchorwatch.yaml" in text
    )
    assert "anchorwatch episode show credit-risk-20261123-1020 --config anchorwatch.yaml" in text
    assert "income has drifted: up 0.41 sd, PSI 0.31. 1 other stream has drifted too." in text


def test_episodes_come_by_whom_they_reach_then_sources_first_then_the_highest_score():
    def of(id_, **changes):
        return reports.episode(id_, **changes)

    shown = (
        of("over", ended_seconds=reports.AT),
        of("logged", severity=Severity.LOG, score=99.0),
        of("low", score=1.5, upstream="source"),
        of("source", category=Category.UPSTREAM, kind="upstream", model="", version="", score=1.0),
        of("high", score=8.0),
        of("page", severity=Severity.PAGE, score=1.0),
    )
    view = status_view(reports.report(episodes=shown))
    assert [entry.id for entry in view.attention] == ["page", "source", "high", "low"]
    assert [entry.id for entry in view.episodes] == ["logged", "over"]
    text = words_of(html(reports.report(episodes=shown)))
    assert "ticket bureau-feed income" in text
    assert "part of source" in text
    assert "Episodes that are over, or only logged" in text


def test_episodes_wait_like_models_until_all_was_read_again():
    view = status_view(reports.report(episodes=(reports.episode(),), caught_up=False))
    assert (view.attention, view.episodes) == ((), ())


def test_muted_streams_need_no_attention_but_are_shown():
    view = status_view(reports.believable())
    assert {entry.model for entry in view.attention} == {"credit-risk"}
    marketing = view.models[-1]
    assert (marketing.state, marketing.muted, marketing.drifted) == ("steady", 1, 0)
    assert marketing.score == 0.3


def test_learning_unknown_and_absent_features_are_told():
    text = words_of(html(reports.believable()))
    assert "Learning its reference: 42 % of the events it needs." in text
    assert "Not watched, though events carry it: score_x." in text
    assert "In the reference, but no event carries it: inquiries." in text
    assert "Not watched for drift: it has no reference." in text


def test_books_that_do_not_balance_are_shouted_about():
    assert "The books balance." in words_of(html(reports.believable()))
    broken = TopicReport("decisions", 100, 90, 5, {Reason.MALFORMED: 4})
    text = words_of(html(reports.report(topics=(broken,))))
    assert "The books do not balance" in text


def test_a_model_alone_is_shown_in_full():
    text = html(reports.believable(), "credit-risk", "3")
    assert "bureau_score" in text
    assert "kyc-doc" not in text
    assert html(reports.believable(), "credit-risk", "4") is None
    assert html(reports.believable(), "no-such-model") is None


def test_a_large_fleet_keeps_to_what_has_drifted():
    fleet = reports.fleet(150, 52)
    drifted = reports.model("late-riser", "1", [reports.stream("x", drifted=True)] * 40)
    report = msgspec.structs.replace(fleet, models=(*fleet.models, drifted))
    text = html(report)
    assert text.count('class="model"') == 1
    assert text.count("<tr") < 151 + 2 * STREAMS_SHOWN_MAX
    assert "late-riser" in text
    assert "model-149" in text


def test_names_are_text_and_never_markup():
    model = reports.model(NASTY, NASTY, [reports.stream(NASTY, drifted=True, summary=NASTY)],
                          team=NASTY, runbook="javascript:alert(1)")  # fmt: skip
    text = html(reports.report([model]))
    assert "<script>alert" not in text
    assert "javascript:" not in text
    assert "49" not in re.findall(r"{{.*?}}", text)
    assert text.count("<script") == 1


@pytest.mark.parametrize("report", [reports.believable(), reports.empty(), reports.report()])
def test_the_page_is_sound_for_a_screen_reader_and_the_content_policy(report):
    outline = Outline(html(report))
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("table") == outline.captions
    assert outline.scopeless == 0
    assert len(set(outline.ids)) == len(outline.ids)
    assert not outline.styled


def test_state_is_told_by_word_and_shape_beside_colour():
    text = words_of(html(reports.believable()))
    for mark in (
        "▲ drifted",
        "● steady",
        "○ learning",
        "\N{BOX DRAWINGS LIGHT DIAGONAL CROSS} not watched",
    ):
        assert mark in text


def test_the_twin_holds_what_the_page_shows():
    twin = json.loads(page().json(published(reports.believable())))
    assert twin["models"][0]["model"] == "credit-risk"
    assert twin["models"][0]["streams"][0]["windows"][0]["psi"] == 0.31
    assert twin["attention"][0]["streams"][0]["name"] == "income"
    assert twin["episodes"][1]["id"] == "fraud-20261122-0900"
    assert twin["models"][1]["watermark_seconds"] is None
    assert twin["service"]["books"][0]["difference"] == 0
    assert twin["service"]["resident_bytes"] == 123_000_000


def test_nothing_undefined_reaches_json_as_nan():
    window = reports.window(psi=math.nan, shift=math.nan)
    stream = reports.stream(score=math.nan, windows=(window,))
    owned = PartitionReport(Partition("t", 0), 0, 0, math.nan)
    report = reports.report([reports.model(streams=[stream])], partitions=(owned,))
    assert b"NaN" not in page().json(published(report))
    assert html(report) is not None


def test_a_page_is_rendered_once_a_second():
    clock = ManualClock(reports.AT)
    status = StatusPage(clock, lambda: 0)
    one, other = published(reports.believable()), published(reports.empty())
    first = status.html(one, None, None)
    assert status.html(other, None, None) is first
    clock.time_seconds += 1.0
    assert status.html(other, None, None) != first


def test_pages_of_models_that_do_not_exist_are_not_kept():
    status = page()
    for i in range(50):
        assert status.html(published(reports.empty()), f"guess-{i}", None) is None
    assert not status._kept


def test_it_is_said_of_a_stream_that_its_wander_is_not_known_or_makes_it_blind():
    streams = (
        reports.stream("income", knowledge=Knowledge.LEARNING),
        reports.stream("price", knowledge=Knowledge.UNSTABLE),
        reports.stream("rows", kind=Kind.VOLUME, knowledge=Knowledge.LEARNING, windows=()),
    )
    text = words_of(html(reports.report([reports.model(streams=streams)])))
    assert "learning: wider tolerance" in text
    assert "learning: not judged yet" in text
    assert "unstable: blind, never alarms" in text
    settled = words_of(html(reports.report([reports.model(streams=(reports.stream("income"),))])))
    assert "wider tolerance" not in settled
    assert "blind" not in settled


def test_a_model_says_how_small_a_shift_it_would_notice_and_what_psi_means_nothing():
    window = reports.window("5m", psi=0.0123, psi_expected=0.0117)
    shown = reports.model(streams=(reports.stream("income", windows=(window,)),))
    text = words_of(html(reports.report([shown])))
    assert "A shift of 0.16 sd would be noticed within an hour." in text
    assert "by sampling alone" in text
    assert "0.0117" in text or "0.012 0.012" in text
    unknown = msgspec.structs.replace(shown, detectable_shift_sd=math.nan)
    assert "would be noticed" not in words_of(html(reports.report([unknown])))


def test_a_stream_of_rows_shows_no_values():
    rows = reports.stream(
        "income", kind=Kind.QUALITY, windows=(), missing_total=0, summary="missing from 1 % to 12 %"
    )
    (shown,) = status_view(reports.report([reports.model(streams=(rows,))])).models[0].streams
    assert (shown.kind, shown.type, shown.missing_total, shown.unseen_total) == (
        "quality",
        "rows",
        None,
        None,
    )


def test_segments_are_told_apart_from_the_streams_the_drifting_first():
    segments = (reports.segment("NE"), reports.segment("SW", predictions=900, drifted=True))
    text = html(reports.report((reports.model(segments=segments),)))
    assert "prediction where region is SW has drifted: up 0.41 sd, PSI 0.31." in text
    assert "2 segments" in text
    assert text.index(">region: SW<") < text.index(">region: NE<")
    assert "drifting" in text[: text.index("2 segments")]
