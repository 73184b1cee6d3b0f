"""`anchorwatch check`: every problem before anything runs."""

import pytest
from click.testing import CliRunner

from config.errors import ConfigurationProblems
from service.commands.check import command
from service.errors import ConfigurationError
from service.monitor.reference_file import write
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

    def run(text=SOUND, changes=""):
        file = tmp_path / "anchorwatch.yaml"
        text = text.replace("STATE", str(tmp_path / "state"))
        file.write_text(text.replace("REFERENCES", str(tmp_path / "references")) + changes, "utf-8")
        return CliRunner().invoke(command, ["--config", str(file)])

    return run


def test_a_sound_configuration_is_summed_up(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference()), "utf-8")
    result = check()
    assert result.exit_code == 0
    for part in ("sound", "ml.predictions", "m 1", "adwin, page_hinkley", "1 per 30d per team"):
        assert part in result.output


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
    assert isinstance(result.exception, ConfigurationError)
    assert named in str(result.exception)


def test_a_reference_that_is_none_is_named(check, tmp_path):
    (tmp_path / "references" / "broken.json").write_text("{", "utf-8")
    result = check()
    assert isinstance(result.exception, ConfigurationError)
    assert "broken.json" in str(result.exception)


def test_a_key_that_nobody_knows_is_told_with_its_line(check):
    result = check(changes="kafkaa: {}\n")
    assert isinstance(result.exception, ConfigurationProblems)
    assert "kafkaa" in str(result.exception)
