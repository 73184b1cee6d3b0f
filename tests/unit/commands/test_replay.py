"""`anchorwatch replay` as a backtest: known incidents, other settings, and the report."""

import json
import shlex
from datetime import UTC, datetime
from hashlib import sha256
from html import unescape

import pytest
from click.testing import CliRunner

from service.commands.replay import command
from service.errors import ConfigurationError
from service.monitor.references.file import write
from tests.unit.monitor.events import T0, reference, stream_of

LOG = stream_of(0.0, 15, 100) + stream_of(900.0, 10, 100, shift=1.5, seed=1)


def rfc3339(seconds):
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ref.json").write_text(write(reference()), "utf-8")
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(e.record(0).value for e in LOG))
    rows = [f"{rfc3339(900)},{rfc3339(1500)},x,shift", f"{rfc3339(60)},{rfc3339(120)},,[/nothing]"]
    text = "\n".join(["start,end,feature,what", *rows])
    (tmp_path / "incidents.csv").write_text(text, "utf-8")
    return tmp_path


def run(files, *arguments):
    given = (files / "events.jsonl", "--reference", files / "ref.json", *arguments)
    return CliRunner().invoke(command, [str(argument) for argument in given])


def test_the_report_and_the_json_and_the_terminal_say_the_same(files):
    result = run(
        files,
        "--expected",
        files / "incidents.csv",
        "--html",
        files / "report.html",
        "--json",
        files / "out.json",
    )
    assert result.exit_code == 0, result.output
    page = (files / "report.html").read_text("utf-8")
    told = json.loads((files / "out.json").read_text("utf-8"))
    sentence = "1 of 2 known incidents found; 0 of 1 episode unexpected."
    assert sentence in page
    assert sentence in result.output
    assert [incident["found"] for incident in told["incidents"]] == [False, True]
    assert len(told["what_if"]) == 9
    (episode,) = told["episodes"]
    assert episode["expected"] is True
    assert episode["id"] in page
    assert told["alarms"][episode["alarms"][0]]["histogram"]["live"]
    assert told["again"]["command"] in unescape(page)
    assert "[/nothing]" in result.output


def test_the_command_to_do_it_again_is_what_was_typed_however_the_process_was_started(
    files, monkeypatch
):
    monkeypatch.setattr("sys.argv", ["-c"])
    given = ("--no-what-if", "--expected", files / "incidents.csv", "--json", files / "my out.json")
    assert run(files, *given).exit_code == 0
    again = json.loads((files / "my out.json").read_text("utf-8"))["again"]["command"]
    program, name, *arguments = shlex.split(again)
    assert (program, name) == ("anchorwatch", "replay")
    wanted = (files / "events.jsonl", "--reference", files / "ref.json", *given)
    assert sorted(arguments) == sorted(map(str, wanted))
    (files / "my out.json").unlink()
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert json.loads((files / "my out.json").read_text("utf-8"))["again"]["command"] == again


def test_the_files_can_be_known_again(files):
    result = run(files, "--json", "-")
    assert result.exit_code == 0, result.output
    known = {file["path"]: file["sha256"] for file in json.loads(result.stdout)["again"]["files"]}
    for name in ("events.jsonl", "ref.json"):
        assert known[str(files / name)] == sha256((files / name).read_bytes()).hexdigest()


def test_other_settings_are_judged_only_when_somebody_wants_them(files):
    assert "What if" not in run(files).output
    assert "What if" in run(files, "--what-if").output
    run(files, "--html", files / "report.html", "--no-what-if")
    assert "Not computed" in (files / "report.html").read_text("utf-8")


def test_a_bad_file_of_incidents_is_refused_with_its_line_before_anything_is_read(files):
    (files / "incidents.csv").write_text("start,end\nyesterday,today\n", "utf-8")
    result = run(files, "--expected", files / "incidents.csv", "--html", files / "report.html")
    assert isinstance(result.exception, ConfigurationError)
    assert "line 2: start is 'yesterday'" in str(result.exception)
    assert not (files / "report.html").exists()


def test_a_report_that_cannot_be_written_is_refused_at_once(files):
    result = run(files, "--html", files / "nowhere" / "report.html")
    assert isinstance(result.exception, ConfigurationError)
    assert "nowhere" in str(result.exception)
