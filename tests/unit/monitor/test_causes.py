"""The table of likely causes, row by row."""

import pytest

from service.monitor.episodes.causes import LIKELY, Cause, Situation, Versions, likely_cause
from service.values.episodes import Category
from tests.unit.monitor.verdicts import CANARY, CREDIT, LIMIT, Timeline, drifting, verdict

ALIKE, STEADY, NONE = Versions.ALIKE, Versions.STEADY, Versions.NONE


@pytest.mark.parametrize(
    ("known", "cause"),
    [
        (Situation(inputs=True, upstream=True, versions=ALIKE), Cause.UPSTREAM_SOURCE),
        (Situation(inputs=True, outputs=True, upstream=True), Cause.UPSTREAM_SOURCE),
        (Situation(inputs=True, outputs=True, versions=STEADY), Cause.NEW_VERSION),
        (Situation(inputs=True, versions=STEADY), Cause.NEW_VERSION),
        (Situation(outputs=True, versions=STEADY), Cause.MODEL),
        (Situation(outputs=True, versions=NONE), Cause.MODEL),
        (Situation(outputs=True, versions=ALIKE), Cause.SHARED_SCORE),
        (Situation(inputs=True, outputs=True, quality=True), Cause.BROKEN_DATA),
        (Situation(inputs=True, quality=True, upstream=True), Cause.BROKEN_DATA),
        (Situation(inputs=True, versions=ALIKE), Cause.TOLERATED),
        (Situation(inputs=True, versions=NONE), Cause.TOLERATED),
        (Situation(inputs=True, outputs=True, versions=ALIKE), Cause.SHARED_INPUTS),
        (Situation(inputs=True, outputs=True, versions=NONE), Cause.INPUTS_AND_SCORE),
        (Situation(outputs=True, segments_only=True), Cause.SEGMENT),
        (Situation(inputs=True, outputs=True, segments_only=True), Cause.INPUTS_AND_SCORE),
        (Situation(), Cause.JOINT),
    ],
)
def test_the_cause_of_a_drift_by_what_else_is_known(known, cause):
    assert likely_cause(Category.DRIFT, known) is cause


@pytest.mark.parametrize(
    ("category", "known", "cause"),
    [
        (Category.QUALITY, Situation(inputs=True), Cause.BROKEN_DATA),
        (Category.LATENCY, Situation(), Cause.SERVING),
        (Category.VOLUME, Situation(), Cause.PRODUCER),
        (Category.VOLUME, Situation(behind=True), Cause.LAGGING),
        (Category.UPSTREAM, Situation(), Cause.UPSTREAM_SOURCE),
    ],
)
def test_the_cause_of_everything_else(category, known, cause):
    assert likely_cause(category, known) is cause


def test_every_cause_says_something_to_do():
    assert LIKELY.keys() == set(Cause)
    assert all(text.endswith(".") for text in LIKELY.values())


def causes(timeline, model=CREDIT):
    return [event.cause for event in timeline.told if event.key == model]


def test_a_score_that_follows_later_changes_what_is_likely():
    timeline = Timeline().draw({"income": "111", "output:prediction": ".11"})
    assert causes(timeline) == ["tolerated", "inputs_and_score"]


def test_a_quality_episode_beside_it_changes_what_is_likely_of_a_drift():
    timeline = Timeline().draw({"income": "11", "quality:income": ".1"})
    told = [(e.category.value, e.phase.value, e.cause) for e in timeline.told]
    assert told == [
        ("drift", "started", "tolerated"),
        ("quality", "started", "broken_data"),
        ("drift", "ongoing", "broken_data"),
    ]


def test_another_version_that_stays_steady_or_drifts_too_changes_it():
    timeline = Timeline()
    timeline.take(verdict(0, drifting("x", 0), model=CANARY, other_versions=("3",)))
    timeline.take(verdict(0, drifting("x", 0), model=CREDIT, other_versions=("4",)))
    timeline.take(verdict(1, drifting("x", 1), model=CANARY, other_versions=("3",)))
    assert causes(timeline, CANARY) == ["new_version", "tolerated"]
    assert causes(timeline, CREDIT) == ["tolerated"]


def test_a_source_that_models_share_is_the_cause_once_the_second_has_drifted():
    timeline = Timeline()
    for model in (CREDIT, LIMIT):
        timeline.take(verdict(0, drifting("x", 0, source="bureau"), model=model))
    assert causes(timeline) == ["tolerated", "upstream_source"]
    assert causes(timeline, LIMIT) == ["upstream_source"]


def test_a_segment_alone_is_told_from_all_predictions():
    timeline = Timeline().draw({"output:prediction{region=NE}": "111", "output:prediction": ".11"})
    assert causes(timeline) == ["segment", "model"]
