"""`anchorwatch replay` says what it does not use: references, columns, rows."""

import csv
import gzip
import json

import pytest
from click.testing import CliRunner

from service.commands.replay import command
from service.errors import ConfigurationError
from service.monitor.references.file import write
from service.values.streams import ModelKey
from tests.unit.monitor.events import T0, reference, stream_of

LOG = stream_of(0.0, 12, 100)
TABLE = ("--model", "m", "--model-version", "1", "--time", "scored_at", "--prediction", "score")


@pytest.fixture
def site(tmp_path):
    """References of versions 1 and 9, the events of version 1, and the same rows as a table."""
    for version in ("1", "9"):
        (tmp_path / f"v{version}.json").write_text(write(reference(version=version)), "utf-8")
    (tmp_path / "any.json").write_text(write(reference(version=None)), "utf-8")
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(e.record(0).value for e in LOG))
    rows = [[T0 + e.at, e.x, e.state, 0.5, 10, n] for n, e in enumerate(LOG)]
    write_table(tmp_path / "table.csv", rows)
    return tmp_path


def write_table(path, rows, header=("scored_at", "x", "state", "score", "took", "row_id")):
    with path.open("w", newline="") as table:
        csv.writer(table).writerows([header, *rows])


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def refused(*arguments):
    result = run(*arguments)
    assert isinstance(result.exception, ConfigurationError), result.output
    return str(result.exception)


class TestReferences:
    def test_one_of_another_version_is_refused_before_the_rows_are_read(self, site):
        (site / "report.html").write_text("as it was")
        said = refused(
            site / "table.csv", *TABLE, "--reference", site / "v9.json", "--html",
            site / "report.html",
        )  # fmt: skip
        assert "v9.json (m, version 9) does not belong to the rows" in said
        assert "of m, version 1: nothing would be compared with it" in said
        assert "--model-version 9" in said
        assert (site / "report.html").read_text() == "as it was"

    def test_it_is_said_that_no_version_was_named(self, site):
        said = refused(
            site / "table.csv", "--model", "m", "--time", "scored_at", "--reference",
            site / "v9.json",
        )  # fmt: skip
        assert "version unversioned (what it is called without --model-version)" in said

    def test_one_of_another_model_is_refused(self, site):
        said = refused(
            site / "table.csv", "--model", "n", "--time", "scored_at", "--reference",
            site / "any.json",
        )  # fmt: skip
        assert "any.json (m, any version)" in said
        assert "Give the reference of n, or the rows' model by --model" in said

    def test_recorded_events_are_told_first_then_it_fails(self, site):
        arguments = (site / "events.jsonl", "--reference", site / "v9.json")
        result = run(*arguments)
        assert "1,200 predictions" in result.output
        assert "warning: --reference: " in result.output
        assert "v9.json (m, version 9) was not used: the events are of m version 1." in (
            result.output
        )
        assert "nothing was compared with" in refused(*arguments)

    def test_where_another_one_was_used_it_is_a_warning(self, site):
        given = ("--reference", site / "v1.json", "--reference", site / "v9.json")
        result = run(site / "events.jsonl", *given, "--json", "-")
        assert result.exit_code == 0, result.output
        (warning,) = json.loads(result.stdout)["warnings"]
        assert "v9.json (m, version 9) was not used: the events are of m version 1." in warning
        assert f"warning: {warning}" in result.stderr

    def test_one_of_any_version_gives_way_to_that_of_the_version_and_this_is_said(self, site):
        given = ("--reference", site / "any.json", "--reference", site / "v1.json")
        result = run(site / "events.jsonl", *given)
        assert result.exit_code == 0, result.output
        assert "any.json (m, any version) was not used" in result.stderr
        assert "there is a reference of exactly that version" in result.stderr

    def test_two_for_the_same_events_are_refused(self, site):
        (site / "copy.json").write_bytes((site / "v1.json").read_bytes())
        given = ("--reference", site / "v1.json", "--reference", site / "copy.json")
        assert "are for the same events" in refused(site / "events.jsonl", *given)


class TestColumns:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--time", "scored_att"), "--time: there is no column 'scored_att' in"),
            (("--time", "scored_att"), "did you mean 'scored_at'?"),
            (("--time", "scored_at", "--prediction", "scor"), "did you mean 'score'?"),
            (("--time", "scored_at", "--latency", "zzz"), "there are: row_id, score, "),
            (("--time", "x"), "column 'x' of"),
            (("--time", "x"), f"holds no times: '{LOG[0].x}' is none"),
            (("--time", "state"), "holds no times: 'MA' is none"),
            (("--time", "row_id"), "holds no times: '0' is none"),
        ],
    )
    def test_one_that_is_not_there_or_no_time_is_refused(self, site, options, said):
        assert said in refused(site / "table.csv", "--model", "m", *options)

    def test_a_time_that_one_of_several_files_lacks_is_refused(self, site):
        write_table(site / "u.csv", [[1]], ["x"])
        said = refused(site / "table.csv", site / "u.csv", *TABLE)
        assert f"--time: there is no column 'scored_at' in {site / 'u.csv'}" in said

    def test_those_of_the_usual_names_need_not_be_named(self, site):
        rows = [[T0 + e.at, e.x, e.state, 0.5, 10] for e in LOG]
        write_table(
            site / "usual.csv", rows, ["timestamp", "x", "state", "prediction", "latency_ms"]
        )
        unsaid = run(site / "usual.csv", *TABLE[:4], "--reference", site / "v1.json", "--json", "-")
        assert unsaid.exit_code == 0, unsaid.output
        (model,) = json.loads(unsaid.stdout)["models"]
        kinds = {(s["kind"], s["feature"]) for s in model["streams"]}
        assert {("output", "prediction"), ("latency", "latency")} <= kinds
        assert not [name for kind, name in kinds if kind == "input" and name == "timestamp"]
        assert not json.loads(unsaid.stdout)["warnings"]

    def test_a_name_with_dots_or_brackets_is_the_name_of_a_column(self, site):
        rows = [[T0 + e.at, e.x, e.state, 0.5] for e in LOG]
        write_table(site / "dots.csv", rows, ["at.utc", "x", "state", "score[1]"])
        options = ("--time", "at.utc", "--prediction", "score[1]", "--reference", site / "v1.json")
        result = run(site / "dots.csv", *TABLE[:4], *options, "--json", "-")
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        (model,) = told["models"]
        (prediction,) = (s for s in model["streams"] if s["kind"] == "output")
        assert (model["predictions"], prediction["missing"]) == (1200, 0)
        assert not [text for text in told["warnings"] if "score[1]" in text]

    def test_numbers_of_any_table_of_text_are_numbers(self, site):
        text = (site / "table.csv").read_text().replace(",", "\t")
        (site / "table.tsv.gz").write_bytes(gzip.compress(text.encode()))
        options = (*TABLE, "--reference", site / "v1.json", "--json", "-")
        results = [run(site / name, *options) for name in ("table.csv", "table.tsv.gz")]
        (csv_model,), (tsv_model,) = (json.loads(r.stdout)["models"] for r in results)
        assert csv_model == tsv_model

    def test_what_means_missing_can_be_said(self, site):
        rows = [[T0 + e.at, -999, "N/A", 0.5] for e in LOG]
        write_table(site / "gaps.csv", rows, ["scored_at", "x", "state", "score"])
        options = ("--reference", site / "v1.json", "--json", "-")
        said = ("--missing", "-999", "--missing", "N/A")
        result = run(site / "gaps.csv", *TABLE, *options, *said)
        (model,) = json.loads(result.stdout)["models"]
        missing = {s["feature"]: s["missing"] for s in model["streams"] if s["kind"] == "input"}
        assert missing == {"x": 1200, "state": 1200}

    def test_events_are_no_table(self, site):
        said = refused(site / "events.jsonl", "--model", "m")
        assert "events with an object `features`" in said

    def test_a_glob_of_ignore_that_fits_nothing_is_warned_of(self, site):
        result = run(site / "table.csv", *TABLE, "--ignore", "stat", "--ignore", "row*")
        assert "warning: --ignore: there is no column 'stat'" in result.stderr
        assert "'row*'" not in result.stderr

    def test_an_ignored_feature_is_no_gap_and_is_named(self, site):
        given = ("--reference", site / "v1.json", "--ignore", "x", "--json", "-")
        result = run(site / "table.csv", *TABLE, *given)
        told = json.loads(result.stdout)
        (model,) = told["models"]
        assert "x" not in {stream["feature"] for stream in model["streams"]}
        assert told["alarms"] == []
        by_hand, by_rule = told["notes"]
        assert by_hand == "Left out by --ignore: x."
        assert by_rule.startswith("Not looked at, since the configuration ignores them: row_id.")
        assert by_rule.endswith("models.m.features.row_id: {ignore: false}.")

    def test_columns_that_the_reference_does_not_know_are_named(self, site):
        result = run(site / "table.csv", *TABLE, "--reference", site / "v1.json")
        assert "m v1: not watched, since its reference does not know them: took." in result.stderr


class TestNothingRead:
    def test_a_table_without_a_model_is_refused_with_what_to_type(self, site):
        said = refused(site / "table.csv")
        assert "no column says which model a row is of" in said
        assert "--model NAME --time COLUMN" in said
        assert "It has the columns row_id, score, scored_at" in said

    def test_flat_json_without_a_model_says_why_and_fails(self, site):
        (site / "flat.jsonl").write_text('{"x": 1}\n' * 30)
        result = run(site / "flat.jsonl")
        assert "flat.jsonl, row 1: no name of a model where the mapping looks." in result.stderr
        said = refused(site / "flat.jsonl")
        assert "nothing could be read: of 30 records 30 rejected (no_model)." in said
        assert "--model NAME --time COLUMN" in said

    def test_an_empty_file_fails(self, site):
        (site / "empty.jsonl").write_text("\n\n")
        assert "the files hold no record" in refused(site / "empty.jsonl")

    def test_a_few_bad_rows_are_a_warning_with_the_first_of_them(self, site):
        with (site / "events.jsonl").open("ab") as file:
            file.write(b"\n{broken\n{again\n")
        result = run(site / "events.jsonl", "--reference", site / "v1.json")
        assert result.exit_code == 0, result.output
        assert "2 were rejected (malformed). The first: " in result.stderr
        assert "events.jsonl, row 1201: " in result.stderr


def test_the_version_may_be_typed_either_way(site):
    given = ("--time", "scored_at", "--reference", site / "v1.json", "--json", "-")
    for spelling in ("--model-version", "--version"):
        result = run(site / "table.csv", "--model", "m", spelling, "1", *given)
        assert result.exit_code == 0, result.output
        (model,) = json.loads(result.stdout)["models"]
        assert ModelKey(model["model"], model["model_version"]) == ("m", "1")


def test_the_report_holds_the_warnings(site):
    run(site / "table.csv", *TABLE, "--ignore", "stat", "--html", site / "report.html")
    assert "Warning:</strong> --ignore: there is no column" in (site / "report.html").read_text()
