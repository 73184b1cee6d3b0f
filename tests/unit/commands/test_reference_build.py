"""`anchorwatch reference build` says what it leaves out, and leaves out what the service would."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from config.settings import Settings
from service.commands.reference import command
from service.composition.wiring import given_references
from service.errors import ConfigurationError
from service.monitor.references.file import read
from service.values.streams import JOINT, Kind, ModelKey
from tests.unit.monitor.events import T0

ROWS = 400
HEADER = ("timestamp", "row_id", "customer_id", "income", "age", "prediction")


@pytest.fixture
def site(tmp_path):
    rng = np.random.default_rng(4)
    age = rng.normal(40, 9, ROWS)
    income = 1000 * age + rng.normal(0, 900, ROWS)
    with (tmp_path / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(ROWS):
            writer.writerow([T0 + n, n, n % 50, income[n], age[n], rng.random()])
    (tmp_path / "references").mkdir()
    return tmp_path


def build(site, *options, output="references/m.json"):
    given = ["build", site / "train.csv", "--model", "m", "--output", site / output, *options]
    return CliRunner().invoke(command, [str(argument) for argument in given])


def built(site, *options):
    result = build(site, *options)
    assert result.exit_code == 0, result.output
    file = site / "references" / "m.json"
    return read(file.read_bytes(), "m.json"), result.stderr


def features(reference):
    return {stream.key.name for stream in reference.streams if stream.key.kind is Kind.INPUT}


def watched(site, **models):
    """The reference that a service would compare with."""
    settings = Settings.model_validate(
        {"reference": {"from": str(site / "references")}, "models": models}
    )
    return given_references(settings)(ModelKey("m", "1"))


def test_the_service_watches_all_of_it_so_the_hashes_are_the_same(site):
    reference, said = built(site)
    assert features(reference) == {"income", "age"}
    assert JOINT in {stream.key for stream in reference.streams}
    assert watched(site).hash == reference.hash
    assert "left out, as the service ignores them: row_id, customer_id. To have one" in said


def test_what_is_taken_all_the_same_is_said_to_be_ignored_by_the_service(site):
    reference, said = built(site, "--take", "customer_id")
    assert features(reference) == {"income", "age", "customer_id"}
    assert "left out, as the service ignores them: row_id. To have" in said
    assert "warning: the service ignores customer_id" in said
    assert watched(site).hash != reference.hash
    taken_back = {"m": {"features": {"customer_id": {"ignore": False}}}}
    assert watched(site, **taken_back).hash == reference.hash


def test_it_is_the_configuration_that_says_what_is_ignored(site):
    rules = {"m": {"features": {"customer_id": {"ignore": False}, "age": {"ignore": True}}}}
    (site / "aw.yaml").write_text(json.dumps({"models": rules}), "utf-8")
    reference, said = built(site, "--config", site / "aw.yaml")
    assert features(reference) == {"income", "customer_id"}
    assert "ignores them: row_id, age. To have" in said
    assert "warning: the service ignores" not in said
    assert watched(site, **rules).hash == reference.hash


def test_a_column_that_has_a_role_is_not_left_out(site):
    reference, said = built(site, "--prediction", "customer_id")
    assert Kind.OUTPUT in {stream.key.kind for stream in reference.streams}
    assert "ignores them: row_id. To have" in said


def test_what_is_ignored_by_hand_is_not_told_again(site):
    _, said = built(site, "--ignore", "*_id")
    assert "left out" not in said


@pytest.mark.parametrize("option", ["--ignore", "--take"])
def test_a_glob_that_fits_no_column_is_warned_of(site, option):
    _, said = built(site, option, "agee", option, "a*")
    assert f"warning: {option}: there is no column 'agee'" in said
    assert "'a*'" not in said


@pytest.mark.parametrize("option", ["--model-version", "--version"])
def test_the_version_may_be_typed_either_way(site, option):
    assert built(site, option, "3")[0].version == "3"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kind", "row_id=categorical"), "'row_id' is left out, since the service ignores it"),
        (("--time", "age"), "--time: column 'age' holds no times: its values are "),
        (("--time", "tim"), "--time: there is no column 'tim'"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(site, options, said):
    result = build(site, *options)
    assert isinstance(result.exception, ConfigurationError), result.output
    assert said in str(result.exception)


@pytest.mark.parametrize("most", ["0", "1", "-5", "10001"])
def test_a_number_of_categories_that_the_configuration_could_not_have_is_refused(site, most):
    result = build(site, "--categories-max", most)
    assert result.exit_code == 2
    assert "is not in the range 2<=x<=10000" in result.output


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("references", "references is a directory: name a file in it, "),
        ("nowhere/m.json", "nowhere. Make it first"),
        ("train.csv", "exists: name another file, or add --force"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_files_are_read(site, output, said):
    train = (site / "train.csv").read_bytes()
    result = build(site, "--time", "no_such_column", output=output)
    assert isinstance(result.exception, ConfigurationError), result.output
    assert said in str(result.exception)
    assert (site / "train.csv").read_bytes() == train


def test_no_bar_is_drawn_into_a_file(site):
    _, said = built(site)
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in said
