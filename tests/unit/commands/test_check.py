"""`anchorwatch check`: every problem before anything runs."""

import re

import pytest
from click.testing import CliRunner

from config.errors import ConfigurationProblems
from service.commands.check import command
from service.commands.check_rates import parse_rate
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
    noticed, levels = (line for line in check().output.splitlines() if line.startswith("m v1"))
    assert levels.startswith("m v1: 7 streams; e_detector alarms at evidence 1")
    assert "page_hinkley at 1" in levels
    early = re.search(
        r"first 3 days, while its wander is learned, hardly anything below (0\.\d+) sd", levels
    )
    found = re.fullmatch(
        r"m v1 at 10 events/s: a shift of 0\.25 sd is noticed within about (\d+) min; nothing "
        r"smaller than (0\.\d+) sd alarms; a missing rate that goes from 0 % to 2 % within about "
        r"(\d) min\.",
        noticed,
    )
    assert found
    assert 2 <= int(found[1]) <= 6
    assert 0.14 <= float(found[2]) < 0.2 < float(early[1]) < 0.4


def test_what_takes_long_to_be_noticed_is_not_promised(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    output = check(options=["--rate", "1/min"]).output
    found = re.search(
        r"m v1 at 1 event/min: a shift of (\S+) sd is noticed within about (\d+) min; less than "
        r"(\S+) sd may be learned as normal before it alarms "
        r"\(longer panes help: detection\.pane\), nothing smaller than",
        output,
    )
    assert float(found[3]) <= float(found[1]) <= 2
    assert int(found[2]) <= 60
    assert "no shift up to 3 sd is sure to be noticed: longer panes (detection.pane)" in (
        check(options=["--rate", "1/h"]).output
    )


def test_longer_panes_let_a_slow_model_notice_smaller_changes(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    changes = "detection: {pane: 15m, windows: [1h, 24h]}\n"
    output = check(changes=changes, options=["--rate", "1/min"]).output
    assert re.search(r"a shift of 0\.5 sd is noticed within about \S+ h; less than 0\.3", output)


def test_each_model_can_have_a_rate_of_its_own(check, tmp_path):
    for model in ("m", "churn"):
        path = tmp_path / "references" / f"{model}.json"
        path.write_text(write(reference(10_000, model=model)), "utf-8")
    output = check(options=["--rate", "chu*=1/min", "--rate", "1000/s", "--rate", "x=1/h"]).output
    assert "churn v1 at 1 event/min: " in output
    assert "m v1 at 1000 events/s: a shift of 0.25 sd is noticed within about 1 min;" in output
    assert "Hint: --rate x=... is of no model that has a reference." in output


@pytest.mark.parametrize("rate", ["fast", "0/s", "1/fortnight", "=3/s", "m=", "-1/s", "nan"])
def test_a_rate_that_is_none_is_wrong_usage(check, rate):
    result = check(options=["--rate", rate])
    assert result.exit_code == 2
    assert "churn=1/min" in result.output


def test_rates_are_read_with_their_units():
    rates = [str(parse_rate(text)) for text in ("10", "1/min", "0.5/m", "3 / hour", "200/d")]
    assert rates == ["10 events/s", "1 event/min", "0.5 events/min", "3 events/h", "200 events/d"]
    assert parse_rate("120/h").per_second == pytest.approx(1 / 30)


def test_a_wider_tolerance_lets_nothing_smaller_alarm(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    output = check(changes="detection: {tolerance: {shift: 0.4}}\n").output
    assert "a shift of 0.5 sd is noticed" in output
    assert "nothing smaller than 0.4" in output


@pytest.mark.parametrize(
    ("detection", "said"),
    [
        ("tolerance: {shift: 5}", "7: detection.tolerance.shift: must be smaller than 5: not even"),
        (
            "detectors: [adwin, {name: e_detector, level: 1.0e+9}]",
            "7: detection.detectors[1]: must be less strict than it is set by hand: not even a",
        ),
    ],
)
def test_settings_with_which_nothing_would_be_noticed_are_a_problem(
    check, tmp_path, detection, said
):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    assert f"anchorwatch.yaml:{said}" in told(check(changes=f"detection: {{{detection}}}\n"))


def test_a_budget_that_allows_everything_is_a_hint(check, tmp_path):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    result = check(changes="detection: {false_alarm_budget: 1000 per 1m in all}\n")
    assert "detection.false_alarm_budget: 1000 per 1m in all is so much that" in result.output


@pytest.mark.parametrize(
    ("detectors", "said"),
    [
        ("[]", "nothing is noticed."),
        ("[adwin]", "how soon adwin would notice a shift is not known."),
        ("[page_hinkley]", "sd is noticed within an hour."),
    ],
)
def test_without_the_e_detector_only_what_is_known_is_said(check, tmp_path, detectors, said):
    (tmp_path / "references" / "m.json").write_text(write(reference(10_000)), "utf-8")
    assert said in check(changes=f"detection: {{detectors: {detectors}}}\n").output


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


def test_files_of_teams_are_checked_all_with_what_is_wrong_in_each(check, tmp_path):
    (tmp_path / "models.d").mkdir()
    (tmp_path / "models.d" / "a.yaml").write_text("team: a\nmodels: {a-*: {tier: 9}}", "utf-8")
    (tmp_path / "models.d" / "b.yaml").write_text(
        "team: b\nmodels:\n  b-*:\n    reference: {from: /not/there}\n", "utf-8"
    )
    lines = told(check(changes="include: [models.d/*.yaml]\n")).splitlines()
    assert [line.partition(f"{tmp_path}/models.d/")[2].split(": ")[:2] for line in lines] == [
        ["a.yaml:2", "models.a-*.tier"],
        ["b.yaml:4", "models.b-*.reference.from"],
    ]


def test_sound_files_of_teams_are_counted(check, tmp_path):
    (tmp_path / "models.d").mkdir()
    (tmp_path / "models.d" / "a.yaml").write_text("team: a\nmodels: {a-*: {tier: 1}}", "utf-8")
    result = check(changes="include: [models.d/*.yaml]\n")
    assert "anchorwatch.yaml and 1 file of a team are sound:" in " ".join(result.output.split())
