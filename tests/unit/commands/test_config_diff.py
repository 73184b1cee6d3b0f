"""`anchorwatch config diff`: files, and what was in force by the record."""

import pytest
from click.testing import CliRunner

from config.loader import load
from config.show import show
from service.commands.config import command
from service.errors import ConfigurationError
from service.state.episode_record import EpisodeRecord
from service.values.watched import SettingsWatched

OLD = """
kafka: {group: one, security: {protocol: SASL_SSL, mechanism: PLAIN, username: u,
  password: '${env:SECRET}'}}
models:
  a: {tier: 1}
  b: {tier: 2}
"""


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")


def run(*arguments):
    result = CliRunner().invoke(command, ["diff", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


@pytest.fixture
def files(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text + f"state: {{path: {tmp_path}}}\n", "utf-8")
        return path

    return write


def test_what_differs_is_told_with_what_needs_a_restart(files):
    old = files("old.yaml", OLD)
    new = files(
        "new.yaml", OLD.replace("group: one", "group: two").replace("a: {tier: 1}", "c: {}")
    )
    assert run(old, new) == (
        1,
        [
            "kafka.group: one -> two   (needs a restart)",
            "models.a: {tier: 1} -> none",
            "models.c: none -> {}",
        ],
    )


def test_the_same_in_other_words_is_the_same(files):
    other = "# a comment\n" + OLD.replace("tier: 1", "tier: 1 ").replace(
        "{tier: 2}", "\n    tier: 2"
    )
    assert run(files("a.yaml", OLD), files("b.yaml", other)) == (0, ["They are the same."])


def test_an_order_of_rules_that_differs_is_told(files):
    turned = OLD.replace("  a: {tier: 1}\n  b: {tier: 2}\n", "  b: {tier: 2}\n  a: {tier: 1}\n")
    code, (line,) = run(files("a.yaml", OLD), files("b.yaml", turned))
    assert (code, line) == (1, "models: [a, b] -> [b, a]")


def test_no_secret_is_told(files):
    changed = OLD.replace("${env:SECRET}", "${env:HOME}")
    _, lines = run(files("a.yaml", OLD), files("b.yaml", changed))
    assert lines == ["kafka.security.password: ${env:SECRET} -> ${env:HOME}   (needs a restart)"]


def test_files_of_teams_are_part_of_it(files, tmp_path):
    (tmp_path / "models.d").mkdir()
    (tmp_path / "models.d" / "t.yaml").write_text("team: t\nmodels: {t-*: {tier: 1}}", "utf-8")
    with_teams = files("new.yaml", OLD + "include: [models.d/*.yaml]\n")
    _, lines = run(files("old.yaml", OLD), with_teams)
    assert lines == ["models.t-*: none -> {team: t, tier: 1}"]


def test_a_file_is_held_against_what_was_in_force(files, tmp_path):
    old = files("old.yaml", OLD)
    loaded = load(old, {"SECRET": "hunter2"})
    record = EpisodeRecord(tmp_path / "episodes", 1e12)
    record.append_watched([SettingsWatched(5.0, loaded.hash, show(loaded))], 5.0)
    new = files("new.yaml", OLD.replace("tier: 2", "tier: 3"))
    assert run("--config", old) == (0, ["They are the same."])
    assert run("--config", new) == (1, ["models.b.tier: 2 -> 3"])
    assert run("--config", new, loaded.hash[:8]) == (1, ["models.b.tier: 2 -> 3"])
    with pytest.raises(ConfigurationError, match=f"begins with ffffff; it has {loaded.hash[:12]}"):
        run("--config", new, "ffffff")
