import pytest

from service.publish.budget import choose
from service.publish.families import Detail
from service.publish.segment_series import add_segment, segment_series
from service.publish.series import add_distances, add_stream, distance_series, stream_series
from service.publish.sheet import Sheet
from service.values.streams import segment_of
from tests.unit.publish import reports

STREAMS = (reports.stream("a"), reports.stream("b", drifted=True), reports.category("c"))
MODELS = (reports.model(streams=STREAMS),)
SUMMARY = sum(map(stream_series, STREAMS))


def total(detail):
    return SUMMARY + sum(distance_series(stream, detail) for stream in STREAMS)


@pytest.mark.parametrize("detail", [Detail.SUMMARY, Detail.EPISODE, Detail.FULL])
@pytest.mark.parametrize("stream", [*STREAMS, reports.stream(policy=reports.policy())])
def test_what_is_counted_bounds_what_is_added(stream, detail):
    sheet = Sheet({})
    add_stream(sheet, MODELS[0], stream)
    assert sheet.series == stream_series(stream)
    add_distances(sheet, MODELS[0], stream, detail)
    assert sheet.series <= stream_series(stream) + distance_series(stream, detail)


def test_episode_adds_the_distances_of_what_has_drifted_alone():
    assert [distance_series(stream, Detail.EPISODE) for stream in STREAMS] == [0, 8, 0]


def test_auto_is_full_while_that_fits_half_the_limit():
    assert choose(MODELS, Detail.AUTO, 2 * total(Detail.FULL), 0).detail is Detail.FULL
    choice = choose(MODELS, Detail.AUTO, 2 * total(Detail.FULL) - 1, 0)
    assert choice.detail is Detail.EPISODE
    assert choice.omitted == {"full": 0, "segment": 0, "feature": 0}


def test_the_limit_gives_up_full_then_episode_then_streams():
    limits = [total(Detail.FULL) - 1, total(Detail.EPISODE) - 1, SUMMARY - 1]
    choices = [choose(MODELS, Detail.FULL, limit, 0) for limit in limits]
    assert [choice.detail for choice in choices] == [
        Detail.EPISODE,
        Detail.SUMMARY,
        Detail.SUMMARY,
    ]
    assert choices[0].omitted == {
        "full": total(Detail.FULL) - total(Detail.EPISODE),
        "segment": 0,
        "feature": 0,
    }
    assert choices[2].omitted["feature"] > 0


def test_what_has_drifted_is_given_up_last():
    choice = choose(MODELS, Detail.SUMMARY, stream_series(STREAMS[1]), 0)
    assert [stream.key.name for _, stream in choice.streams] == ["b"]


def test_streams_left_out_are_counted_and_the_rest_keeps_its_order():
    choice = choose(MODELS, Detail.SUMMARY, 100 + SUMMARY - 1, 100)
    assert [stream.key.name for _, stream in choice.streams] == ["a", "b"]
    assert choice.omitted == {
        "full": 0,
        "segment": 0,
        "feature": stream_series(STREAMS[2]),
    }


def test_no_model_needs_no_series():
    choice = choose((), Detail.AUTO, 0, 0)
    assert choice.streams == []
    assert choice.omitted == {"full": 0, "segment": 0, "feature": 0}


SEGMENTS = (
    reports.segment("NE", predictions=900),
    reports.segment("NW", predictions=4_000, score=0.7),
    reports.segment("SE", predictions=50, drifted=True),
)
SEGMENTED = (reports.model(streams=STREAMS, segments=SEGMENTS),)
OF_SEGMENTS = 1 + 2 + 2


def chosen(limit, segments_limit=5000):
    choice = choose(SEGMENTED, Detail.SUMMARY, limit, 0, segments_limit)
    names = [segment_of(stream.key).name for _, stream in choice.segments]
    return names, choice.omitted["segment"], choice.omitted["feature"]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_what_is_counted_of_a_segment_is_what_is_added(segment):
    sheet = Sheet({})
    add_segment(sheet, SEGMENTED[0], segment)
    assert sheet.series == segment_series(segment)
    assert sum(map(segment_series, SEGMENTS)) == OF_SEGMENTS


def test_segments_have_a_limit_of_their_own_and_the_largest_stay():
    assert chosen(10_000) == (["NW", "NE", "SE"], 0, 0)
    assert chosen(10_000, OF_SEGMENTS - 1) == (["NW", "NE"], 2, 0)
    assert chosen(10_000, 0) == ([], OF_SEGMENTS, 0)


def test_segments_are_given_up_before_streams():
    assert chosen(SUMMARY + 2) == (["NW"], 3, 0)
    names, segments, streams = chosen(SUMMARY - 1)
    assert (names, segments) == ([], OF_SEGMENTS)
    assert streams > 0


def test_segments_count_for_the_detail_that_fits():
    alone = choose(MODELS, Detail.AUTO, 2 * total(Detail.FULL), 0)
    beside = choose(SEGMENTED, Detail.AUTO, 2 * total(Detail.FULL), 0)
    assert (alone.detail, beside.detail) == (Detail.FULL, Detail.EPISODE)
