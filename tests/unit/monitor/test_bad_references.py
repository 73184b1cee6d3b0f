"""References that are poor, and events that do not fit them: what the judge makes of each.

Every case goes the whole way: reference file, decoder, shard, judge, report, snapshot and back.
"""

import math
from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.summary.profile import Profile
from service.monitor.judging.judge import newest_by_model
from service.monitor.judging.reporting import model_reports
from service.monitor.references.file import read, write
from service.monitor.references.reference import build_reference, content_hash
from service.state.snapshot import decode, encode
from service.values.records import Chunk, Record
from service.values.references import Lineage, Reference
from service.values.reports import ModelReport, ReferenceState, StreamState
from service.values.streams import Kind, StreamKey, ValueType
from service.values.watches import DetectorChoice
from tests.unit.monitor.events import MODEL, P0, PANE, T0, World, judge_of, watch

DETECTORS = tuple(map(DetectorChoice, ("e_detector", "adwin", "page_hinkley")))
WATCH = watch(detectors=DETECTORS, learn=False)
LEARNS = watch(detectors=DETECTORS, learn_events=300)
PANES, ROWS = 20, 60
ABSENT = object()

NORMAL = np.random.default_rng(1).normal(size=40_000).tolist()

Values = Callable[[int], object]


def normal(row: int) -> object:
    return NORMAL[-1 - row]


def always(value: object) -> Values:
    return lambda _: value


def either(row: int) -> object:
    return row % 2 == 0


def built(**columns: Iterable[object]) -> Reference:
    profiles = {StreamKey(Kind.INPUT, name): Profile() for name in columns}
    for name, column in columns.items():
        profiles[StreamKey(Kind.INPUT, name)].update(column)
    rows = max((profile.rows for profile in profiles.values()), default=0)
    return build_reference("m", "1", profiles, rows, Lineage("t.csv", "abc", T0, "ada"))


class Outcome:
    """What a reference and events of these columns came to."""

    def __init__(self, reference, panes=PANES, rows=ROWS, watched=WATCH, **columns: Values) -> None:
        reference = read(write(reference), "m.json")
        self.world = World(reference, watched)
        for pane in range(panes):
            self.world.now = T0 + (pane + 1) * PANE
            self._apply(pane, rows, columns)
            self.world.advance()
            self.report: ModelReport = self._report()
        self._restart(reference, watched)

    @property
    def drifted(self) -> set[tuple[str, str]]:
        """Kinds and names of what drifts at the end."""
        return {(s.key.kind.value, s.key.name) for s in self.report.drifted}

    def words(self, kind: Kind, name: str) -> str:
        return next(s.summary for s in self.report.streams if s.key == (kind, name))

    def quality(self, name="x") -> tuple[int, int, int]:
        """Missing, invalid and unseen values of a feature."""
        (stream,) = (s for s in self.report.streams if s.key == (Kind.INPUT, name))
        return stream.missing_total, stream.invalid_total, stream.unseen_total

    def _apply(self, pane, rows, columns) -> None:
        shard = self.world.shards[P0]
        records = []
        for i in range(rows):
            at = T0 + pane * PANE + i * PANE / rows
            row = {name: of(pane * rows + i) for name, of in columns.items()}
            features = {name: value for name, value in row.items() if value is not ABSENT}
            body = {"model": "m", "version": "1", "timestamp": at, "features": features}
            value = msgspec.json.encode(body | {"prediction": 0.5})
            records.append(Record(shard.next_offset + i, at, value))
        chunk = Chunk(P0, records, shard.next_offset + rows)
        decoded = self.world.decode(chunk)
        assert not decoded.rejects
        assert not shard.apply(chunk, decoded, self.world.rules, self.world.now)
        self.world.judge.note_unknown(decoded.unknown_features)

    def _report(self) -> ModelReport:
        shards = list(self.world.shards.values())
        return model_reports(self.world.judge, shards, 60.0, self.world.now)[0]

    def _restart(self, reference, watched) -> None:
        shards = [shard.state() for shard in self.world.shards.values()]
        tree = decode(encode({"judge": self.world.judge.state(), "shards": shards}))
        restored = judge_of(reference, watched)
        restored.restore(tree["judge"], newest_by_model(tree["shards"]))
        assert restored.models[MODEL].panes_judged == self.world.judge.models[MODEL].panes_judged


class TestZeroRows:
    def test_all_is_learned_as_if_there_were_no_reference(self):
        outcome = Outcome(built(), watched=LEARNS, x=normal)
        streams = {s.key.name: s.state for s in outcome.report.streams if s.key.kind is Kind.INPUT}
        assert streams == {"x": StreamState.WATCHED}
        assert not outcome.drifted

    def test_nothing_but_the_volume_is_judged_where_nothing_is_learned(self):
        outcome = Outcome(built(), x=normal)
        assert outcome.report.reference_state is ReferenceState.READY
        assert {s.key.kind for s in outcome.report.streams} <= {Kind.VOLUME}
        assert outcome.report.unknown_features == ("x",)
        assert outcome.report.panes_judged_total > 10

    @pytest.mark.parametrize("column", [[1.0, 2.0, 3.0] * 20, ["a", "b"] * 50, [True, False] * 50])
    def test_streams_without_a_single_row_are_never_said_to_drift(self, column):
        """Only a file that was written by hand has them."""
        known = built(x=column)
        empty = tuple(replace(s, counts=s.counts * 0) for s in known.streams)
        hand_made = replace(known, rows=0, streams=empty, hash="")
        hand_made = replace(hand_made, hash=content_hash(0, empty, known.lineage))
        assert not Outcome(hand_made, x=always(column[0])).drifted


class TestOneRow:
    @pytest.mark.parametrize("value", [1.0, "a", True])
    def test_the_same_value_goes_on(self, value):
        assert not Outcome(built(x=[value]), x=always(value)).drifted

    @pytest.mark.parametrize(("value", "live"), [(1.0, normal), ("a", always("b")), (True, either)])
    def test_one_row_is_too_little_to_say_that_anything_changed(self, value, live):
        assert not Outcome(built(x=[value]), x=live).drifted


class TestConstantColumns:
    @pytest.mark.parametrize("value", [0.0, 3.0, -1e300, "a", True])
    def test_the_same_value_goes_on(self, value):
        assert not Outcome(built(x=[value] * 5000), x=always(value)).drifted

    @pytest.mark.parametrize(
        ("value", "live", "kind"),
        [
            (3.0, 4.0, "input"),
            (3.0, 3.0000001, "input"),
            (3.0, -999.0, "quality"),
            (0.0, -1.0, "quality"),
            ("a", "b", "quality"),
            (True, False, "input"),
        ],
    )
    def test_any_other_value_is_a_drift_or_strange(self, value, live, kind):
        outcome = Outcome(built(x=[value] * 5000), x=always(live))
        assert outcome.drifted == {(kind, "x")}

    def test_its_distances_that_need_a_spread_are_not_defined(self):
        outcome = Outcome(built(x=[3.0] * 5000), x=always(4.0))
        (stream,) = (s for s in outcome.report.streams if s.key == (Kind.INPUT, "x"))
        assert all(math.isnan(window.mean_shift_sd) for window in stream.windows)
        assert all(window.psi > 1 for window in stream.windows)


class TestAllMissingColumns:
    @pytest.mark.parametrize("live", [None, ABSENT])
    def test_missing_is_normal_then(self, live):
        outcome = Outcome(built(x=[None] * 5000), x=always(live))
        assert not outcome.drifted
        assert outcome.report.absent_features == ("x",)

    @pytest.mark.parametrize("live", [normal, always("a"), either])
    def test_values_that_turn_up_are_a_drift_of_its_quality(self, live):
        outcome = Outcome(built(x=[None] * 5000), x=live)
        assert outcome.drifted == {("quality", "x")}
        assert outcome.words(Kind.QUALITY, "x").startswith("of unknown categories from 0")

    def test_a_column_of_invalid_values_only_is_the_same(self):
        outcome = Outcome(built(x=[math.inf] * 5000), x=normal)
        assert outcome.drifted == {("quality", "x")}


class TestColumnsThatDoNotMatch:
    def test_one_unknown_to_the_reference_is_named_and_not_judged(self):
        outcome = Outcome(built(x=NORMAL[:5000]), x=normal, y=normal)
        assert outcome.report.unknown_features == ("y",)
        assert "y" not in {s.key.name for s in outcome.report.streams}
        assert not outcome.drifted

    def test_one_that_events_lack_is_missing_and_drifts_in_its_quality(self):
        known = built(x=NORMAL[:5000], y=NORMAL[5000:10_000])
        outcome = Outcome(known, x=normal)
        assert outcome.report.absent_features == ("y",)
        assert outcome.drifted == {("quality", "y")}
        assert outcome.words(Kind.QUALITY, "y") == "missing from 0.0 % to 100 %"
        assert outcome.quality("y") == (PANES * ROWS, 0, 0)

    def test_when_no_column_matches_all_are_missing(self):
        outcome = Outcome(built(x=NORMAL[:5000]), z=normal)
        assert outcome.report.unknown_features == ("z",)
        assert outcome.drifted == {("quality", "x")}


ROWS_ALL = PANES * ROWS

NUMBERS, TEXTS, BOOLEANS = NORMAL[:5000], ["a", "b"] * 2500, [True, False] * 2500


class TestTypesThatChange:
    @pytest.mark.parametrize(
        ("column", "live", "quality"),
        [
            (NUMBERS, always("hello"), (0, ROWS_ALL, 0)),
            (NUMBERS, lambda row: str(normal(row)), (0, ROWS_ALL, 0)),
            (NUMBERS, either, (0, ROWS_ALL, 0)),
            (NUMBERS, always([1.0]), (0, ROWS_ALL, 0)),
            (NUMBERS, always(2**1100), (0, ROWS_ALL, 0)),
            (TEXTS, normal, (0, 0, ROWS_ALL)),
            (TEXTS, either, (0, 0, ROWS_ALL)),
            (TEXTS, always({"a": 1}), (0, ROWS_ALL, 0)),
            (BOOLEANS, normal, (0, ROWS_ALL, 0)),
            (BOOLEANS, always("yes"), (0, ROWS_ALL, 0)),
        ],
    )
    def test_values_of_another_type_count_as_unusable_and_that_is_a_drift(
        self, column, live, quality
    ):
        outcome = Outcome(built(x=column), x=live)
        assert outcome.quality() == quality
        assert ("quality", "x") in outcome.drifted

    @pytest.mark.parametrize("live", [lambda row: row % 2, lambda row: str(row % 2 == 0).lower()])
    def test_booleans_may_be_written_as_numbers_or_words(self, live):
        outcome = Outcome(built(x=BOOLEANS), x=live)
        assert outcome.quality() == (0, 0, 0)
        assert not outcome.drifted

    def test_a_column_of_several_types_has_the_type_of_most_and_the_rest_is_invalid(self):
        mixed = [value for row in range(2500) for value in (NORMAL[row], "a")] + NORMAL[:100]
        known = built(x=mixed)
        assert known.streams[0].type is ValueType.NUMERIC
        outcome = Outcome(known, x=lambda row: normal(row) if row % 2 else "a")
        assert outcome.quality() == (0, ROWS_ALL // 2, 0)
        assert not outcome.drifted

    def test_a_change_of_type_in_the_middle_is_seen_and_its_end_too(self):
        def live(row: int) -> object:
            return str(normal(row)) if 10 * ROWS <= row < 16 * ROWS else normal(row)

        outcome = Outcome(built(x=NUMBERS), panes=60, x=live)
        told = [(t.stream.kind.value, t.drifted) for t in outcome.world.transitions]
        assert told == [("quality", True), ("quality", False)]


REFERENCE_VALUES = st.sampled_from(
    [None, 0.0, 1.0, -1e300, 5e-324, math.inf, "", "a", "\N{GREEK CAPITAL LETTER OMEGA}", True, 3]
)
LIVE_VALUES = st.sampled_from(
    [ABSENT, None, 0, 1.5, 1e300, 5e-324, "", "a", "new", True, False, 2**70, [1], {"k": None}]
)


@settings(max_examples=25, deadline=None)
@given(
    columns=st.dictionaries(
        st.sampled_from("xyz"),
        st.tuples(st.lists(REFERENCE_VALUES, max_size=5), st.sampled_from([1, 3, 100])),
    ),
    live=st.dictionaries(
        st.sampled_from("wxyz"), st.lists(LIVE_VALUES, min_size=1, max_size=5), min_size=1
    ),
    learns=st.booleans(),
)
def test_whatever_the_reference_and_the_events_hold_every_pane_is_judged(columns, live, learns):
    known = built(**{name: values * times for name, (values, times) in columns.items()})

    def of(values: list[object]) -> Values:
        return lambda row: values[row % len(values)]

    outcome = Outcome(
        known,
        panes=8,
        rows=50,
        watched=LEARNS if learns else WATCH,
        **{name: of(values) for name, values in live.items()},
    )
    assert outcome.report.panes_judged_total == 6
    assert outcome.report.unjudged_total == 0
