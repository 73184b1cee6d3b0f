"""A directory that somebody named has to be there; the default one may be missing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from config.errors import ConfigurationProblems
from config.settings import Settings
from service.__main__ import anchorwatch
from service.commands import require_references
from service.composition.wiring import given_references
from service.errors import ConfigurationError
from service.values.streams import ModelKey

SOURCES = "sources: [{name: a, topics: [t]}]\n"


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """A directory with the reference of version 1 of the model `churn`."""
    directory = tmp_path_factory.mktemp("references")
    table = directory / "train.csv"
    table.write_text("age,income\n" + "".join(f"{n % 50},{n * 7 % 90}\n" for n in range(500)))
    given = ["--model", "churn", "--version", "1", "--output", str(directory / "churn.json")]
    done = CliRunner().invoke(anchorwatch, ["reference", "build", str(table), *given])
    assert done.exit_code == 0, done.output
    return directory


def absent(loaded):
    with pytest.raises(ConfigurationProblems) as caught:
        require_references(loaded)
    return [(Path(p.file).name, p.line, p.path) for p in caught.value.problems]


def test_a_named_directory_that_is_not_there_is_told_with_its_line(loaded, tmp_path):
    missing = tmp_path / "none"
    found = loaded(f"version: 1\nreference:\n  from: {missing}\n")
    assert absent(found) == [("anchorwatch.yaml", 3, "reference.from")]
    with pytest.raises(ConfigurationProblems, match="none is no directory; make it, or take the"):
        require_references(found)


def test_one_that_is_named_for_some_models_is_told_with_its_line(loaded, tmp_path):
    found = loaded(
        f"""\
        models:
          credit-*:
            reference: {{from: {tmp_path}}}
          churn:
            reference:
              if_missing: stop
              from: {tmp_path}/none
        """
    )
    assert absent(found) == [("anchorwatch.yaml", 7, "models.churn.reference.from")]


def test_one_that_a_variable_names_is_told_with_the_variable(loaded):
    name = "ANCHORWATCH_REFERENCE__FROM"
    assert absent(loaded("", **{name: "/none"})) == [
        (f"environment {name}", None, "reference.from")
    ]


def test_a_file_is_no_directory(loaded, write):
    file = write("", "a-file")
    assert absent(loaded(f"reference: {{from: {file}}}")) == [
        ("anchorwatch.yaml", 1, "reference.from")
    ]


def test_the_default_directory_may_be_missing(loaded):
    default = Settings().reference.directory
    assert not default.exists()
    for text in (
        "",
        "reference: {if_missing: stop}",
        "models: {a: {reference: {if_missing: stop}}}",
    ):
        found = loaded(text)
        require_references(found)
        assert given_references(found.settings)(ModelKey("a", "1")) is None


def test_the_same_directory_must_be_there_once_somebody_names_it(loaded):
    default = Settings().reference.directory
    for text in (
        f"reference: {{from: {default}}}",
        f"models: {{a: {{reference: {{from: {default}}}}}}}",
    ):
        with pytest.raises(ConfigurationError, match="is not there"):
            given_references(loaded(text).settings)


def test_a_missing_directory_of_one_model_is_refused_at_the_start_not_at_its_first_event(loaded):
    settings = loaded("models: {churn: {reference: {from: /none}}}").settings
    with pytest.raises(ConfigurationError, match="the reference directory /none is not there"):
        given_references(settings)


def test_a_model_finds_its_reference_in_the_directory_named_for_it_alone(loaded, references):
    settings = loaded(f"models: {{churn: {{reference: {{from: {references}}}}}}}").settings
    find = given_references(settings)
    assert find(ModelKey("churn", "1")).model == "churn"
    assert find(ModelKey("churn", "2")) is None
    assert find(ModelKey("credit", "1")) is None


def test_a_model_whose_own_directory_is_empty_does_not_look_in_the_common_one(
    loaded, references, tmp_path
):
    (tmp_path / "empty").mkdir()
    settings = loaded(
        f"reference: {{from: {references}}}\n"
        f"models: {{churn*: {{reference: {{from: {tmp_path}/empty}}}}, churn: {{tier: 1}}}}\n"
    ).settings
    assert given_references(settings)(ModelKey("churn", "1")) is None


@pytest.mark.parametrize("command", ["check", "run"])
def test_the_commands_refuse_it_before_anything_else(command, write):
    path = write(f"{SOURCES}reference: {{from: /none}}\n")
    done = CliRunner().invoke(anchorwatch, [command, "--config", str(path)])
    assert isinstance(done.exception, ConfigurationProblems)
    assert str(done.exception) == (
        f"{path}:2: reference.from: /none is no directory; make it, or take the line out"
    )


def test_check_tells_what_every_directory_holds(write, references):
    path = write(f"{SOURCES}models: {{churn: {{reference: {{from: {references}}}}}}}\n")
    done = CliRunner().invoke(anchorwatch, ["check", "--config", str(path)])
    assert done.exit_code == 0, done.output
    told = "".join(done.output.split())
    assert "none:/etc/anchorwatch/referencesisnotthere;churn1in" in told
