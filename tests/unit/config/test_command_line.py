import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from service.__main__ import COMMANDS, anchorwatch, main
from service.errors import AnchorwatchError, StateLost


def run(*arguments, **environ):
    return CliRunner().invoke(anchorwatch, arguments, env=environ, prog_name="anchorwatch")


def test_help_is_something_to_work_from():
    text = run("--help").output
    assert "anchorwatch demo" in text
    assert "anchorwatch run --config anchorwatch.yaml" in text
    assert "What is configured" in text


def test_help_imports_no_command():
    program = (
        "import sys; from click.testing import CliRunner; from service.__main__ import anchorwatch;"
        "CliRunner().invoke(anchorwatch, ['--help']);"
        "print([m for m in sys.modules if m.startswith('service.commands.')"
        " or m in ('kafka', 'pyarrow', 'river')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_commands_are_listed_in_the_order_of_first_use():
    assert list(COMMANDS) == [
        "demo",
        "check",
        "acl",
        "run",
        "reference",
        "episode",
        "drill",
        "replay",
        "audit",
        "config",
    ]


def test_an_unknown_command_is_wrong_usage():
    done = run("ruun")
    assert done.exit_code == 2
    assert "No such command 'ruun'. Did you mean 'run'?" in done.output
    assert "No such command 'xyz'." in run("xyz").output


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_without_its_option_is_answered_with_how_to_name_it(command):
    done = run(command, "anchorwatch.yaml")
    assert done.exit_code == 2
    assert f"Usage: anchorwatch {command} [--config FILE]" in done.output


def test_options_are_said_to_stand_behind_the_command():
    assert run("--help").output.startswith("Usage: anchorwatch COMMAND [OPTIONS]\n")


@pytest.mark.parametrize("group", ["config", "reference"])
def test_no_sentence_in_a_list_of_commands_is_cut_short(group):
    assert "..." not in run(group, "--help").output.partition("Commands:")[2]


def test_check_names_what_it_has_checked(write):
    path = write("sources: [{name: a, topics: {pattern: '^ml[a-z]+$'}}]")
    told = "".join(run("check", "--config", str(path)).output.split())
    assert told.startswith(f"{path}issound:")
    assert "topicslike^ml[a-z]+$" in told
    assert run("check").output.startswith("No file was named with --config.")


def test_run_without_a_source_says_where_to_name_one():
    done = run("run")
    assert "under `sources` in the file that --config names" in str(done.exception)


def test_the_version_is_told():
    assert run("--version").output.startswith("anchorwatch, version ")


def test_the_file_may_be_named_by_a_variable(write):
    path = write("kafka: {group: mine}")
    assert "group: mine" in run("config", "show", ANCHORWATCH_CONFIG=str(path)).output


def test_a_model_is_shown_with_origins(write):
    path = write("models:\n  credit-*:\n    team: risk\n")
    done = run("config", "show", "--config", str(path), "--model", "credit-risk", "--origin")
    assert f"# {path}:3" in done.output
    assert done.output.startswith(
        "# Model credit-risk: one line under `models` matches: credit-*\n"
    )
    assert "\nteam: risk " in done.output


def test_a_feature_needs_its_model():
    done = run("config", "show", "--feature", "income")
    assert done.exit_code == 2
    assert "--feature needs --model" in done.output


def test_the_schema_is_printed_as_json():
    assert json.loads(run("config", "schema").output)["additionalProperties"] is False


def test_a_wrong_configuration_exits_with_78_and_no_traceback(write, monkeypatch, capsys):
    path = write("log: {levl: info}")
    monkeypatch.setattr(sys, "argv", ["anchorwatch", "config", "show", "--config", str(path)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 78
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "anchorwatch: the configuration has 1 problem:\n"
        f"{path}:1: log.levl: unknown key. Did you mean level?\n"
    )


@pytest.mark.parametrize(("error", "code"), [(StateLost, 70), (AnchorwatchError, 70)])
def test_an_error_of_ours_exits_with_its_code(error, code, monkeypatch, capsys):
    def fail(**_):
        raise error("what is wrong and what to do")

    monkeypatch.setattr("service.__main__.anchorwatch", fail)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert capsys.readouterr().err == "anchorwatch: what is wrong and what to do\n"
