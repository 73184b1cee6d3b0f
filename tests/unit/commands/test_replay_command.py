"""`anchorwatch replay` as typed: events, tables, references and what it writes."""

import csv
import json

import pytest
from click.testing import CliRunner

from service.commands.replay import command
from service.monitor.references.file import write
from tests.unit.monitor.events import T0, reference, stream_of

LOG = stream_of(0.0, 15, 100) + stream_of(900.0, 10, 100, shift=1.5, seed=1)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ref.json").write_text(write(reference()), "utf-8")
    lines = [event.record(0).value for event in LOG]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    with (tmp_path / "table.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["scored_at", "x", "state", "score", "took", "row_id"])
        for number, event in enumerate(LOG):
            writer.writerow([T0 + event.at, event.x, event.state, 0.5, 10, number])
    return tmp_path


def run(files, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


TABLE = ("--model", "m", "--model-version", "1", "--time", "scored_at", "--prediction", "score")


def test_recorded_events_are_judged_against_the_reference(files):
    result = run(files, files / "events.jsonl", "--reference", files / "ref.json")
    assert result.exit_code == 0, result.output
    assert "2,500 records = 2,500 applied" in result.output


def test_the_json_holds_the_alarm_and_the_book(files):
    target = files / "out.json"
    result = run(files, files / "events.jsonl", "--reference", files / "ref.json", "--json", target)
    assert result.exit_code == 0, result.output
    told = json.loads(target.read_text("utf-8"))
    (alarm,) = told["alarms"]
    assert alarm["model"] == "m"
    assert "x" in json.dumps(alarm)
    assert told["books"][0]["applied"] == 2500


def test_a_table_says_the_same_as_the_events(files):
    outcomes = []
    for arguments in (
        (files / "events.jsonl",),
        (files / "table.csv", *TABLE, "--latency", "took", "--ignore", "*_id"),
    ):
        result = run(files, *arguments, "--reference", files / "ref.json", "--json", "-")
        assert result.exit_code == 0, result.output
        outcomes.append(json.loads(result.stdout))
    events, table = outcomes
    assert table["alarms"] == events["alarms"] != []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "m"), "--time: the column with the time of each row. There are: row_id"),
        (("--model", "m", "--time", "t", "--source", "s"), "exclude"),
        (("--time", "t"), "they need --model"),
        (("--ignore", "a"), "they need --model"),
        (("--missing", "-999"), "they need --model"),
        (("--model-version", "3"), "they need --model"),
    ],
)
def test_options_that_do_not_fit_together_are_named(files, arguments, message):
    result = run(files, files / "table.csv", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "named"), [(("nowhere.jsonl",), "nowhere.jsonl"), (("--source", "s"), "'s'")]
)
def test_what_is_not_there_is_named(files, arguments, named):
    first = () if arguments[0].endswith(".jsonl") else (files / "events.jsonl",)
    result = run(files, *first, *arguments)
    assert result.exit_code != 0
    assert named in str(result.exception)
