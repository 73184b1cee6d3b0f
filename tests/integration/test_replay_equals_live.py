"""A recorded topic, replayed from a file, gives what the live service has counted and judged."""

import json

import numpy as np
import pytest

from config.loader import load
from config.sources import SourceSettings
from service.composition.wiring import given_references, time_rules, watches
from service.ingest.decode.decoder import Decoder
from service.ingest.files.source import FilesParameters, FilesSource
from service.loops.replay import Replay
from service.monitor.judging.judge import Judge
from service.monitor.references.planning import plan_for
from tests.integration.parts import events
from tests.integration.parts.agreement import kept_state
from tests.integration.parts.watched_topic import as_lines, read_log, send

HOURS = 3600.0
NOW_SECONDS = events.START_SECONDS + 24 * HOURS


@pytest.fixture
def live(kafka, topic, service_on):
    """(the stopped service, its last page, its log); the log is in order within the lateness."""
    name = topic(events.PARTITIONS)
    messages = events.synthetic_events(8000, 5 * HOURS, seed=12, faults=0.0)
    send(kafka.bootstrap, name, [altered(m, i > 5000) for i, m in enumerate(messages)])
    log = read_log(kafka.bootstrap, name)
    service = service_on(kafka.bootstrap, name)
    service.start()
    page = service.wait_for_records(len(log), name)
    assert service.process.terminate() == 0, service.log
    return service, page, log


def test_a_replay_of_the_recorded_topic_gives_the_same_panes(live, tmp_path):
    service, page, log = live
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text(as_lines(log), "utf-8")
    replay = replay_of(service.config, recorded)
    outcome = replay.run()
    state = kept_state(service)
    for report in outcome.models:
        labels = {"model": report.key.model, "model_version": report.key.version}
        assert report.predictions_total == page.get("predictions_total", **labels)
        assert report.late_total == page.get("rows_late_total", **labels) == 0
        assert report.unjudged_total == page.get("rows_unjudged_total", **labels) == 0
    assert all_panes(replay.judge.state(), []) == all_panes(state["judge"], state["shards"])
    judged = {key(m): m["judged_through_seconds"] for m in state["judge"]["models"]}
    told = episodes_told(service.log)
    assert told
    assert told == episodes_of(outcome, judged)


def altered(message, drifts):
    """With a time of its own, since a file keeps no other, and in the end with a drift."""
    event = json.loads(message.value)
    event.setdefault("timestamp", message.timestamp_ms)
    if drifts:
        event["features"]["n01"] += 6.0
    return message._replace(value=json.dumps(event).encode())


def all_panes(judge, shards):
    """The cells of the longest window's steps by model version, panes still open included."""
    found = {}
    for model in judge["models"]:
        window = model["comparison"]["windows"][-1]
        opened = [
            (pane["start_seconds"], pane["summary"])
            for shard in shards
            for part in shard["models"]
            if key(part) == key(model)
            for pane in part["panes"]
        ]
        steps = found[key(model)] = {}
        for start, summary in [*window["steps"], *opened]:
            step = start // window["step_seconds"] * window["step_seconds"]
            steps[step] = steps.get(step, 0) + np.asarray(summary["cells"])
    return {name: {s: c.tolist() for s, c in steps.items()} for name, steps in found.items()}


def key(model):
    return model["model"], model["version"]


def episodes_told(log):
    """(model version, episode, begins or ends) out of the service's log."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {
        ((e["model"], e["model_version"]), e["episode"], e["event"] == "episode_started")
        for e in lines
        if e["event"] in {"episode_started", "episode_recovered"}
    }


def episodes_of(outcome, judged_through):
    """The same of a replay, in the panes that the live service has judged, too."""
    found = set()
    for episode in outcome.episodes:
        through = judged_through[episode.key]
        if episode.started_seconds < through:
            found.add((tuple(episode.key), episode.id, True))
        if episode.ended_seconds is not None and episode.ended_seconds <= through:
            found.add((tuple(episode.key), episode.id, False))
    return found


def replay_of(config, recorded):
    settings = load(config, {}).settings
    source = SourceSettings(name="recorded", files=(str(recorded),))
    rules = time_rules(settings.detection, use_host_clock=False)
    idle_after, models_max = settings.detection.idle_after, settings.limits.models
    given = given_references(settings)
    judge = Judge(watches(settings), given, plan_for, rules, idle_after, models_max)
    decoder = Decoder(source, judge, settings.limits, rules.pane_seconds)
    reader = FilesSource(FilesParameters((str(recorded),)))
    return Replay(reader, decoder, judge, rules, NOW_SECONDS)
