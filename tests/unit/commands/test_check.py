"""`anchorwatch check`: every problem before anything runs."""

import re

import pytest
from click.testing import CliRunner

from config.errors import ConfigurationProblems
from service.commands.check import command
from service.monitor.references.file import write
from tests.unit.monitor.events import reference

SOUND = """
sources:
  - name: mine
    topics: [ml.predictions]
state: {path: STATE}
reference: {from: REFERENCES}
"""


@pytest.fixture
def check(tmp_path):
    """Runs `check` on a configuration whose directories are there."""
    for name in ("state", "references"):
        (tmp_path / name).mkdir()

    def run(text=SOUND, changes="", options=()):
        file = tmp_path / "anchorwatch.yaml"
        text = text.replace("STATE", str(tmp_path / "state"))
        file.write_text(text.replace("REFERENCES", str(tmp_path / "references")) + changes, "utf-8")
        return CliRunner().invoke(command, ["--config", str(file), *options])

    return run


def told(result):
    """The problems of a configuration that is refused, a line each."""
    assert isinstance(result.exception, ConfigurationProblems), result.output
    return str(result.exception)


def test_a_sound_configuration_is_summed_up(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference()), "utf-8")
    result = check()
    assert result.exit_code == 0
    for part in ("sound", "ml.predictions", "m 1", "adwin, page_hinkley", "1 per 30d per team"):
        assert part in result.output


def test_it_is_said_when_detectors_alarm_and_how_small_a_change_they_notice(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    output = check().output
    levels, noticed = (line for line in output.splitlines() if line.startswith("m 1: "))
    assert levels.startswith("m 1: 7 streams; e_detector alarms at evidence 12.")
    assert "page_hinkley at 13." in levels
    found = re.fullmatch(
        r"m 1: at 10 events/s a shift of 0\.25 sd is noticed within about (\d+) panes of 1m, "
        r"one of (0\.\d\d) sd within an hour; nothing smaller than (0\.\d\d) sd alarms\.",
        noticed,
    )
    assert found
    assert 2 <= int(found[1]) <= 5
    assert 0.14 <= float(found[3]) <= float(found[2]) <= 0.2


def test_more_events_let_a_change_be_noticed_sooner(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    few, many = check(options=["--rate", "0.1"]).output, check(options=["--rate", "1000"]).output
    assert "at 1000 events/s a shift of 0.25 sd is noticed within a pane of 1m" in many
    panes = re.search(r"at 0\.1 events/s a shift of 0\.25 sd is noticed within about ([\d,]+)", few)
    assert int(panes[1].replace(",", "")) > 100


def test_a_wider_tolerance_lets_nothing_smaller_alarm(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    output = check(changes="detection: {tolerance: {shift: 0.4}}\n").output
    assert "a shift of 0.25 sd is never noticed" in output
    assert "nothing smaller than 0.4" in output


def test_without_a_reference_nothing_is_said_of_changes(check):
    assert "alarms" not in check().output


def test_a_hint_says_that_there_is_nothing_to_read(check):
    result = check(changes="", text="state: {path: STATE}\nreference: {from: REFERENCES}\n")
    assert result.exit_code == 0
    assert "no source has topics" in result.output


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ("detection: {detectors: [{name: adwin, delta: 7}]}\n", "delta"),
        ("detection: {detectors: [{name: adwin, speed: 7}]}\n", "speed"),
        ("detection: {detectors: [river.NoSuch]}\n", "NoSuch"),
    ],
)
def test_detectors_are_built_to_see_whether_they_can_be(check, changes, named):
    result = check(changes=changes)
    assert isinstance(result.exception, ConfigurationProblems)
    assert named in str(result.exception)
    assert "anchorwatch.yaml:7: detection.detectors[0]: " in str(result.exception)


def test_a_reference_that_is_none_is_named(check, tmp_path):
    (tmp_path / "references" / "broken.json").write_text('{\n"format": x}', "utf-8")
    (tmp_path / "references" / "cut.json").write_text('{\n"format":\n', "utf-8")
    assert "broken.json:2: JSON is malformed: invalid character: restore the file, or" in told(
        check()
    )
    assert "cut.json:3: ends too early: restore the file, or" in told(check())


def test_a_key_that_nobody_knows_is_told_with_its_line(check):
    result = check(changes="kafkaa: {}\n")
    assert isinstance(result.exception, ConfigurationProblems)
    assert "kafkaa" in str(result.exception)
