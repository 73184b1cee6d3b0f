"""The image is small, repeatable and unprivileged, and the Dockerfile says so."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from config.loader import load
from tests.unit.deploy.dockerfile import final, pairs, read_dockerfile

ROOT = Path(__file__).parents[3]
INSTRUCTIONS = read_dockerfile(ROOT / "Dockerfile")


def commands(stage: int) -> list[str]:
    return [i.value for i in INSTRUCTIONS if i.name == "RUN" and i.stage == stage]


def test_it_is_built_on_a_named_line_of_debian_and_holds_what_is_put_into_it_alone():
    bases = [i.value.split()[0] for i in INSTRUCTIONS if i.name == "FROM"]
    assert bases == ["${DEBIAN_IMAGE}", "debian", "scratch"]
    [base] = [i.value for i in INSTRUCTIONS if i.stage == 0]
    assert re.fullmatch(r"DEBIAN_IMAGE=debian:[a-z]+-slim", base)


def test_whatever_comes_from_an_index_is_checked_by_hash_and_not_compiled():
    installs = [c for c in commands(2) if " install " in c or " wheel " in c]
    assert len(installs) == 4
    for command in installs:
        assert "--no-index" in command or (
            "--require-hashes" in command and "--only-binary :all:" in command
        )


def test_what_is_never_used_is_taken_out_before_anything_is_copied_into_the_image():
    *_, slim, settle = commands(2)
    assert slim == "/opt/anchorwatch/bin/python slim.py"
    assert settle == "/opt/anchorwatch/bin/python settle.py /rootfs"  # bytecode of what is left


def test_bytecode_and_times_of_files_do_not_depend_on_when_it_is_built():
    for stage in (1, 2):
        assert "SOURCE_DATE_EPOCH=1580601600" in [
            i.value for i in INSTRUCTIONS if i.name == "ARG" and i.stage == stage
        ]
    [variables] = [i.value for i in INSTRUCTIONS if i.name == "ENV" and i.stage == 2]
    assert pairs(variables)["PYTHONHASHSEED"] == "0"
    assert all("--no-compile" in c for c in commands(2) if "anchorwatch/bin/python install" in c)


def test_the_final_stage_takes_the_root_and_the_environment_and_installs_nothing():
    assert [i.value for i in final(INSTRUCTIONS, "COPY")] == [
        "--from=build /rootfs /",
        "--from=build /opt/anchorwatch /opt/anchorwatch",
    ]
    [run] = commands(3)
    assert set(re.findall(r"(?:^|&& )(\w+)", run)) == {"mkdir", "chown"}


def test_it_runs_as_a_numbered_user_who_owns_the_state_and_nothing_else():
    [user] = final(INSTRUCTIONS, "USER")
    assert user.value == "10001:10001"  # a number: Kubernetes can tell that it is not root
    [run] = commands(3)
    assert "mkdir -m 0750 /var/lib/anchorwatch " in run
    assert re.findall(r"chown 10001:10001 (.+)$", run) == ["/var/lib/anchorwatch"]
    last_privileged = max(n for n, i in enumerate(INSTRUCTIONS) if i.name in {"RUN", "COPY"})
    assert INSTRUCTIONS.index(user) > last_privileged


def test_port_state_and_paths_are_those_of_the_default_settings():
    settings = load(None, {}).settings
    assert final(INSTRUCTIONS, "EXPOSE")[0].value == str(settings.web.port)
    assert final(INSTRUCTIONS, "VOLUME")[0].value == str(settings.state.path)
    [run] = commands(3)
    assert str(settings.reference.directory) in run.split()
    [health] = final(INSTRUCTIONS, "HEALTHCHECK")
    assert f"http://127.0.0.1:{settings.web.port}/livez" in health.value


def test_the_health_check_is_a_program_that_fails_when_nothing_listens():
    [health] = final(INSTRUCTIONS, "HEALTHCHECK")
    program = json.loads(health.value.partition("CMD ")[2])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "HEALTHCHECK", "exec")
    with pytest.raises(OSError, match="refused"):
        exec(program[2].replace(":9108", ":1"), {})  # noqa: S102 - the text of our own file


def test_the_program_is_told_its_configuration_in_exec_form():
    [entry] = final(INSTRUCTIONS, "ENTRYPOINT")
    [command] = final(INSTRUCTIONS, "CMD")
    assert entry.array == ["anchorwatch"]  # exec form: SIGTERM reaches the program, not a shell
    assert command.array == ["run", "--config", "/etc/anchorwatch/anchorwatch.yaml"]


def test_labels_say_what_it_is_and_of_which_revision():
    labels = pairs(final(INSTRUCTIONS, "LABEL")[0].value)
    prefix = "org.opencontainers.image"
    assert labels[f"{prefix}.licenses"] == "Apache-2.0"
    assert labels[f"{prefix}.revision"] == "${REVISION}"
    assert pairs(final(INSTRUCTIONS, "ENV")[0].value)["ANCHORWATCH_REVISION"] == "${REVISION}"


def test_the_version_is_the_projects():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"VERSION={version}" in [i.value for i in final(INSTRUCTIONS, "ARG")]


def test_all_that_is_copied_reaches_the_builder():
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    sources = [
        name
        for i in INSTRUCTIONS
        if i.name == "COPY" and "--from" not in i.value
        for name in i.value.split()[:-1]
    ]
    assert set(sources) == allowed
    assert all((ROOT / name).exists() for name in sources)
