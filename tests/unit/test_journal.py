"""What the loop logs: each thing that happens once, and nothing per record."""

from structlog.testing import capture_logs

from service.loops.cadence import Cadence
from service.values.rejects import Reason
from tests.unit.monitor.events import MODEL, P0, P1, Event, reference, stream_of
from tests.unit.programs import Program, World

OFTEN = Cadence(flush_seconds=0.0, checkpoint_seconds=0.0)


def world_of(*partitions, events=(), **source):
    world = World(partitions, **source)
    for partition in partitions:
        world.append(partition, events)
    return world


def told(logs, *events):
    return [entry for entry in logs if entry["event"] in events]


def test_partitions_that_come_and_go_are_told_with_where_they_are_read_from():
    program = Program(world_of(P0, P1, events=[Event(0.0)] * 3), cadence=OFTEN)
    with capture_logs() as logs:
        program.turns(2)
        program.source.revoke(P1)
        program.turns(1)
        program.source.assign(P1)
        program.turns(1)
    first, gone, back = told(logs, "partitions_assigned", "partitions_revoked")
    assert first["read_from"] == {"events/0": 0, "events/1": 0}
    assert (first["partitions"], first["new"]) == (2, 2)
    assert (gone["log_level"], gone["named"]) == ("warning", ["events/1"])
    assert (back["read_from"], back["new"]) == ({"events/1": 3}, 0)


def test_a_model_version_and_its_reference_are_told_once():
    program = Program(world_of(P0, events=stream_of(0.0, 5, 10)), reference(), cadence=OFTEN)
    with capture_logs() as logs:
        program.turns(10)
    events = [entry["event"] for entry in told(logs, "model_seen", "reference_in_force")]
    assert events == ["model_seen", "reference_in_force"]
    (seen,) = told(logs, "model_seen")
    assert (seen["model"], seen["model_version"]) == tuple(MODEL)
    assert seen["reference"] == reference().hash[:12]


def test_what_was_told_before_a_restart_is_not_told_again():
    world = world_of(P0, events=stream_of(0.0, 5, 10))
    Program(world, reference(), cadence=OFTEN).turns(10)
    again = Program(world, reference(), cadence=OFTEN)
    with capture_logs() as logs:
        again.loop.restore()
        again.turns(5)
    assert told(logs, "model_seen", "reference_in_force", "reference_learned") == []
    (restored,) = told(logs, "state_restored")
    assert (restored["models"], restored["partitions"]) == (1, 1)


def test_a_reference_that_was_learned_is_told_and_when_it_comes_into_force():
    log = stream_of(0.0, 120, 100)
    program = Program(world_of(P0, events=log, records_max=500), cadence=OFTEN)
    with capture_logs() as logs:
        program.turns(40)
    learned, in_force = told(logs, "reference_learned", "reference_in_force")[:2]
    assert learned["event"] == "reference_learned"
    assert learned["rows"] >= 1000
    assert learned["in_force_from"].startswith("20")
    assert in_force["reference"] == learned["reference"]
    (seen,) = told(logs, "model_seen")
    assert seen["reference"] == "learning"


def test_refusals_are_told_at_once_and_then_by_the_minute_with_one_example():
    world = world_of(P0, events=[Event(0.0)])
    program = Program(world, cadence=OFTEN).turns(2)
    with capture_logs() as logs:
        for _ in range(250):  # half a second each
            program.source.append(P0, b"{no json", world.clock.now())
            program.turns(1)
    first, *later = told(logs, "records_rejected")
    assert (first["topic"], first["reason"], first["count"]) == ("events", Reason.MALFORMED, 1)
    assert first["log_level"] == "warning"
    assert first["example"]["offset"] == 1
    assert first["example"]["detail"]
    assert [entry["count"] for entry in later] == [120, 120]


def test_late_rows_are_told_apart_and_calmly():
    program = Program(world_of(P0, events=[Event(900.0), Event(1.0)]), cadence=OFTEN)
    with capture_logs() as logs:
        program.turns(2)
    (late,) = told(logs, "rows_late", "records_rejected")
    assert (late["event"], late["log_level"]) == ("rows_late", "info")
    assert late["example"]["model"] == MODEL.model


def test_a_backlog_is_told_when_it_is_met_while_it_lasts_and_when_it_is_read():
    world = world_of(P0, events=[Event(float(i)) for i in range(200)], records_max=1)
    with capture_logs() as logs:
        Program(world, cadence=OFTEN).turns(210)
    lines = told(logs, "behind", "still_behind", "caught_up")
    assert [entry["event"] for entry in lines] == ["behind", "still_behind", "caught_up"]
    assert lines[0]["records"] == 199
    assert lines[2]["after_seconds"] == 100
    assert [entry["event"] for entry in told(logs, "ready")] == ["ready"]
