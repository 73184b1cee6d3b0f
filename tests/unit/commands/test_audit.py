"""`anchorwatch audit`: on the terminal, as files, and what to do where it cannot be made."""

import csv
import hashlib
import io
import json

import click
import pytest
from click.testing import CliRunner

from config.errors import ConfigurationProblems
from service.__main__ import COMMANDS
from service.commands import load_settings
from service.commands.audit import command
from service.commands.audit_files import as_json
from service.commands.audit_period import period_of
from service.errors import ConfigurationError
from service.state.episode_record import EpisodeRecord
from tests.unit.audit.recording import D0, DAY, HOUR, model, three_days
from tests.unit.publish.test_audit_page import made

FROM = ("--from", "2023-11-15")
TO = ("--to", "2023-11-17")
NAME = "credit-risk-20231115-20231118"


@pytest.fixture
def record(tmp_path):
    directory = tmp_path / "episodes"
    kept = EpisodeRecord(directory, 1e12)
    for entry in three_days():
        kept.append_watched([entry], entry.at_seconds)
    kept.append_watched([model(HOUR, version="1")], D0 + HOUR)
    return directory


def run(record, *arguments, name="credit-risk"):
    typed = ["--record", record, "--offline", "--model", name, *arguments]
    return CliRunner().invoke(command, [str(one) for one in typed], catch_exceptions=False)


def table(directory, name):
    text = (directory / f"{NAME}-{name}.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_terminal_has_the_answers(record):
    told = run(record, *FROM, *TO)
    assert told.exit_code == 0
    first, *others = told.stdout.splitlines()
    assert first.startswith("credit-risk was watched in 4,230 of 4,320 minutes (97.92 %)")
    text = "\n".join(others)
    assert "2023-11-15 03:00  2023-11-15 04:30       90  no events" in text
    assert "did not run from 2023-11-16 10:00 to 2023-11-16 12:00 (stopped)" in text
    assert "No episode is recorded in this time." in text


def test_the_files_are_there_with_their_checksums(record, tmp_path):
    told = run(record, *FROM, *TO, "--output", tmp_path / "audit")
    assert told.exit_code == 0
    sums = (tmp_path / "audit" / f"{NAME}.sha256").read_text().splitlines()
    named = dict(line.split("  ")[::-1] for line in sums)
    there = {file.name for file in (tmp_path / "audit").iterdir()}
    assert there == {*named, f"{NAME}.sha256"}
    assert {f"{NAME}.html", f"{NAME}.json", f"{NAME}-days.csv"} <= there
    for name, digest in named.items():
        content = (tmp_path / "audit" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    rows = table(tmp_path / "audit", "days")
    assert [int(row["minutes_watched"]) for row in rows] == [1350, 1440, 1440]


def test_only_the_formats_that_are_asked_for_are_written(record, tmp_path):
    run(record, *FROM, "--output", tmp_path / "audit", "--format", "json")
    assert {file.suffix for file in (tmp_path / "audit").iterdir()} == {".json", ".sha256"}


def test_one_format_goes_to_standard_output(record):
    told = json.loads(run(record, *FROM, *TO, "--format", "json").stdout)
    assert told["minutes"]["by_fate"]["watched"] == 4230
    assert told["period"] == {"from": "2023-11-15T00:00:00Z", "to": "2023-11-18T00:00:00Z"}
    assert run(record, *FROM, *TO, "--format", "html").stdout.startswith("<!doctype html>")
    several = run(record, *FROM, "--format", "csv")
    assert several.exit_code == 2
    assert "--output DIR" in several.output
    assert "none of html, csv, json" in run(record, *FROM, "--format", "pdf").output


def test_times_in_json_are_rfc_3339_and_none_is_left_as_a_number():
    told = as_json(made())
    assert "_seconds" not in told
    tree = json.loads(told)
    assert tree["down"] == [
        {"from": "2023-11-16T10:00:00Z", "to": "2023-11-16T12:00:00Z", "stopped": True}
    ]
    assert tree["episodes"][0]["verdicts"][0]["by"] == "ada"


def test_what_others_wrote_is_no_formula_in_a_spreadsheet(record, tmp_path):
    run(record, *FROM, *TO, "--output", tmp_path, "--format", "csv")
    (row,) = table(tmp_path, "settings")[1:]
    assert row["changed"].startswith("'-")


@pytest.mark.parametrize("text", ["state: {store: topic}", "role: judge\nstate: {store: topic}"])
def test_the_file_of_a_fleet_need_not_say_a_role(tmp_path, text):
    file = tmp_path / "anchorwatch.yaml"
    file.write_text(text)
    assert load_settings(file).settings.state.episodes_topic == "anchorwatch.episodes"


def test_what_is_wrong_with_a_file_is_told_as_it_stands(tmp_path):
    file = tmp_path / "anchorwatch.yaml"
    file.write_text("role: worker\nstate: {store: directory}")
    with pytest.raises(ConfigurationProblems, match="role worker keeps its state in a topic"):
        load_settings(file)


class TestWhatToDo:
    def test_a_model_that_is_misspelt_has_its_nearest_named(self, record):
        told = run(record, *FROM, name="credit-rsik")
        assert told.exit_code == 2
        assert "Did you mean credit-risk?" in told.output

    def test_a_version_that_is_not_there_has_the_others_named(self, record):
        told = run(record, *FROM, "--version", "9")
        assert told.exit_code == 2
        assert "there are 3, 1" in told.output or "there are 1, 3" in told.output

    def test_one_version_can_be_asked_for(self, record):
        assert run(record, *FROM, *TO, "--version", "3").stdout.startswith("credit-risk v3 was")

    def test_a_time_of_which_nothing_is_recorded_says_what_there_is(self, record):
        with pytest.raises(ConfigurationError, match=r"goes from 2023-11-14 23:59 UTC to 2023-11"):
            run(record, "--from", "2024-01", "--to", "2024-06")
        with pytest.raises(ConfigurationError, match="nothing was recorded from 2022-01-01"):
            run(record, "--from", "2022-01", "--to", "2022-06")

    def test_a_record_that_begins_later_is_used_as_far_as_it_goes_and_says_so(self, record):
        told = run(record, "--from", "2023-11", *TO)
        assert "Note: The record begins at 2023-11-14 23:59 UTC" in told.stdout

    def test_a_record_without_any_entry_says_who_writes_them(self, tmp_path):
        (tmp_path / "episodes").mkdir()
        with pytest.raises(ConfigurationError, match="the service writes it from this version on"):
            run(tmp_path / "episodes", *FROM)

    def test_no_record_at_all_is_said(self, tmp_path):
        with pytest.raises(ConfigurationError, match="no record of episodes"):
            run(tmp_path / "none", *FROM)


class TestPeriod:
    NOW = D0 + 40 * DAY + 90.0

    def told(self, start, end=None):
        period = period_of(start, end, self.NOW)
        return (period.from_seconds - D0) / DAY, (period.to_seconds - D0) / DAY

    def test_a_day_or_a_month_is_meant_to_its_end(self):
        assert self.told("2023-11-15", "2023-11-15") == (0, 1)
        assert self.told("2023-11", "2023-11") == (-14, 16)
        assert self.told("2023-11-15T06:00", "2023-11-15T12:00") == (0.25, 0.5)

    def test_nothing_is_asked_of_the_future_and_minutes_are_whole(self):
        first, last = self.told("2d", "2030-01-01")
        assert round(last * DAY) == 40 * DAY + 60
        assert round(first * DAY) == 38 * DAY + 60

    @pytest.mark.parametrize(
        ("start", "end", "said"),
        [
            ("2023-11-17", "2023-11-15", "is not before --to"),
            ("2030-01", None, "is now or later"),
            ("2023-13", None, "there is no 2023-13"),
            ("never", None, "is no duration"),
            ("1990-01-01", None, "more than 4000 days"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_by_name(self, start, end, said):
        with pytest.raises(click.BadParameter, match=said):
            period_of(start, end, self.NOW)


def test_the_command_is_listed_and_tells_its_options():
    assert "audit" in COMMANDS
    told = CliRunner().invoke(command, ["--help"]).stdout
    assert "--recount" in told
    assert io.StringIO(told).readline().startswith("Usage:")
