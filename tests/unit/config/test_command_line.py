import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from service.__main__ import COMMANDS, anchorwatch, main
from service.errors import AnchorwatchError, StateLost


def run(*arguments, **environ):
    return CliRunner().invoke(anchorwatch, arguments, env=environ)


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
    assert list(COMMANDS) == ["demo", "check", "run", "reference", "replay", "config"]


def test_an_unknown_command_is_wrong_usage():
    done = run("ruun")
    assert done.exit_code == 2
    assert "No such command 'ruun'" in done.output


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
