"""What is judged again under other settings is what separate replays under them find."""

import pytest
from msgspec.structs import replace

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.backtest.recorder import Recorder
from service.backtest.rejudging import Choice, judged_again, pane_count
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.loops.replay import Replay
from service.monitor.counting.shard import TimeRules
from service.monitor.judging.judge import Judge
from service.monitor.references.planning import plan_for
from service.values.watches import Budget, DetectorChoice
from tests.unit.monitor.events import MODEL, OTHER, PANE, T0, reference, stream_of, watch

RULES = TimeRules(use_host_clock=False)
DAY = 86_400.0
GIVEN = {MODEL: reference(outputs=False), OTHER: reference(model="other")}
WATCH = watch(
    budget="team",
    detectors=tuple(DetectorChoice(name) for name in ("e_detector", "adwin", "page_hinkley")),
)
# The second model comes later, and is one more to share the team's budget; what the first one's
# reference lacks is learned within its first panes.
EVENTS = sorted(
    [
        *stream_of(0.0, 60, 100),
        *stream_of(3600.0, 15, 100, shift=0.5, seed=1),
        *stream_of(4500.0, 45, 100, seed=2),
        *stream_of(7200.0, 15, 100, shift=0.3, seed=3),
        *stream_of(1800.0, 60, 100, seed=4, model=OTHER),
        *stream_of(5400.0, 30, 100, seed=5, shift=0.4, model=OTHER),
    ],
    key=lambda event: event.at,
)
CHOICES = [
    Choice(Budget(1.0, days * DAY, "team"), tolerance)
    for tolerance in (0.1, 0.25)
    for days in (7, 90)
]


def replayed(path, watched, *, keep_panes):
    recorder = Recorder(PANE, keep_panes=keep_panes)
    judge = Judge(lambda _: watched, GIVEN.get, plan_for, RULES, 60.0, 10, judged=recorder.record)
    settings = SourceSettings.model_validate({"name": "r", "files": [str(path)]})
    decoder = Decoder(settings, judge, LimitsSettings(), PANE)
    source = FilesSource(FilesParameters((str(path),), records_max=500))
    return recorder, Replay(source, decoder, judge, RULES, T0 + 1e8).run()


def untold(alarms):
    """Without the words, which tell of windows that are not kept."""
    return [replace(alarm, summary="") for alarm in alarms]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_bytes(b"\n".join(event.record(0).value for event in EVENTS) + b"\n")
    return path


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_setting_finds_what_a_replay_of_its_own_finds(events, jobs):
    recorder, outcome = replayed(events, WATCH, keep_panes=True)
    done = []
    found = judged_again(recorder, CHOICES, jobs, done.append)
    recorder.close()
    assert sum(done) == len(CHOICES) * pane_count(recorder)
    assert pane_count(recorder) == sum(model.panes_judged_total for model in outcome.models)
    for choice, alarms in zip(CHOICES, found, strict=True):
        _, other = replayed(events, choice.of(WATCH), keep_panes=False)
        assert untold(alarms) == untold(other.alarms)
        assert {alarm.model for alarm in alarms} == {MODEL, OTHER}
    assert len({tuple(untold(alarms)) for alarms in found}) > 1


def test_no_choice_finds_nothing(events):
    recorder, _ = replayed(events, WATCH, keep_panes=True)
    assert judged_again(recorder, [], 2, lambda _: None) == []
    recorder.close()
