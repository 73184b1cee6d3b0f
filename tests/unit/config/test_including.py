"""Files of teams: each says only its own models, and a bad one stops nobody else."""

from fnmatch import fnmatchcase

import pytest

from config.including import respelled
from config.loader import examine, load
from config.show import show

ROOT = """
include: ['models.d/*.yaml']
models:
  '*': {team: unowned, tier: 3}
  ml-prod/*: {team: ml-platform}
  credit-risk: {tier: 2}
"""
CREDIT = """
team: credit
models:
  credit-*: {tier: 1}
"""
FRAUD = """
team: fraud
models:
  fraud-*: {tier: 2, tolerance: {shift: 0.3}}
"""


@pytest.fixture
def written(tmp_path):
    """Writes the root file and files of teams, and loads what they say."""
    (tmp_path / "models.d").mkdir()

    def write(root=ROOT, kept=None, **teams):
        path = tmp_path / "anchorwatch.yaml"
        path.write_text(root, "utf-8")
        for name, text in teams.items():
            file = tmp_path / "models.d" / f"{name}.yaml"
            if text is None:
                file.unlink()
            else:
                file.write_text(text, "utf-8")
        return examine(path, {}, kept=kept)

    return write


def told(examined, tmp_path):
    return [str(problem).replace(f"{tmp_path}/", "") for problem in examined.included.problems]


def names(files):
    return sorted(file.rpartition("/")[2].removesuffix(".yaml") for file in files)


def test_models_of_a_team_are_its_own_and_what_its_file_says_holds_over_the_root(written):
    loaded = written(credit=CREDIT, fraud=FRAUD).loaded()
    risk, fraud = loaded.settings.for_model("credit-risk"), loaded.settings.for_model("fraud-eu")
    assert (risk.team, risk.tier) == ("credit", 1)
    assert (fraud.team, fraud.tier, fraud.tolerance.shift) == ("fraud", 2, 0.3)
    assert loaded.settings.for_model("churn").team == "unowned"


def test_a_value_of_a_team_is_told_with_its_own_file_and_line(written, tmp_path):
    loaded = written(credit=CREDIT).loaded()
    assert loaded.origin(("models", "credit-*", "tier")) == f"{tmp_path}/models.d/credit.yaml:4"
    assert loaded.origin(("models", "credit-*", "team")) == f"{tmp_path}/models.d/credit.yaml:2"


def test_a_glob_that_stands_in_the_root_too_comes_after_it(written, tmp_path):
    loaded = written(credit="team: credit\nmodels:\n  credit-risk: {tier: 1}\n").loaded()
    assert loaded.settings.for_model("credit-risk").tier == 1
    origins = loaded.settings.for_model("credit-risk").origins
    assert loaded.origin(origins["tier",]) == f"{tmp_path}/models.d/credit.yaml:3"


@pytest.mark.parametrize("glob", ["*", "credit-*", "credit-risk", "*-risk", "?x*", "[ab]x*"])
def test_another_spelling_of_a_glob_matches_the_same(glob):
    other = respelled(glob, {glob})
    assert other != glob
    for name in ("", "credit-risk", "credit-", "card-risk", "ax", "bxy", "xx"):
        assert fnmatchcase(name, glob) == fnmatchcase(name, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {a: {}}", "1: team: must say whose models these are, for example team: "),
        ("team: t\nmodels: []", "2: models: must be a mapping from the names of models"),
        ("team: t\nmodels: {a: {tire: 1}}", "2: models.a.tire: unknown key. Did you mean tier?"),
        ("team: t\nmodels: {a: {tier: 9}}", "2: models.a.tier: must be from 1 to 3 (it is 9)"),
        (
            "team: t\nkafka: {}\nmodels: {a: {}}",
            "2: kafka: is for the root file: a team's file may say team, and models of its own",
        ),
        (
            "team: t\nmodels:\n  a: {team: u}",
            "3: models.a.team: is of team t, whose file this is; models of u belong into ",
        ),
        (
            "team: t\nmodels:\n  a: {runbook: 'https://r/${file:/etc/passwd}'}",
            "3: models.a.runbook: ${file:} and ${env:} are for the root file",
        ),
        ("team: t\nmodels: {a: [}", "2: not YAML: "),
        (
            "team: t\nmodels: {a: {windows: [90s]}}",
            "2: models.a.windows: must be whole panes: multiples of 1m",
        ),
        (
            "team: t\nmodels:\n  ml-*: {}",
            "3: models.ml-*: reaches into the models of team ml-platform: anchorwatch.yaml:5 has ",
        ),
    ],
)
def test_a_bad_file_is_refused_alone_with_line_and_reason(written, tmp_path, text, message):
    examined = written(bad=text, fraud=FRAUD)
    (line, *_) = told(examined, tmp_path)
    assert line.startswith(f"models.d/bad.yaml:{message}")
    assert examined.loaded().settings.for_model("fraud-eu").team == "fraud"
    assert {file.rpartition("/")[2]: ok for file, ok in examined.included.is_ok.items()} == {
        "bad.yaml": False,
        "fraud.yaml": True,
    }


def test_what_a_file_said_last_holds_on_while_what_it_says_now_is_wrong(written):
    before = written(credit=CREDIT, fraud=FRAUD)
    after = written(
        credit="team: credit\nmodels: {credit-*: {tier: one}}",
        fraud=FRAUD.replace("2", "3"),
        kept=before.included.teams,
    )
    settings = after.loaded().settings
    assert settings.for_model("credit-risk").tier == 1
    assert settings.for_model("fraud-eu").tier == 3
    assert names(f for f, ok in after.included.is_ok.items() if not ok) == ["credit"]


def test_a_file_that_is_taken_away_says_nothing_any_more(written):
    before = written(credit=CREDIT, fraud=FRAUD)
    after = written(credit=None, kept=before.included.teams)
    assert after.loaded().settings.for_model("credit-risk").team == "unowned"
    assert names(after.included.is_ok) == ["fraud"]


def test_who_reaches_into_another_team_is_refused_with_both_files_named(written, tmp_path):
    before = written(fraud=FRAUD)
    greedy = "team: a\nmodels:\n  fraud-e*: {tier: 1}\n"
    after = written(a=greedy, fraud=FRAUD, kept=before.included.teams)
    (line,) = told(after, tmp_path)
    assert line == (
        "models.d/a.yaml:3: models.fraud-e*: reaches into the models of team fraud: "
        "models.d/fraud.yaml:4 has fraud-*, and both match fraud-e"
    )
    assert after.loaded().settings.for_model("fraud-eu").team == "fraud"


def test_at_a_first_start_the_one_that_reaches_into_most_others_is_refused(written):
    examined = written(a="team: a\nmodels: {'*': {tier: 1}}", credit=CREDIT, fraud=FRAUD)
    assert names(examined.included.teams) == ["credit", "fraud"]


def test_a_model_moves_from_team_to_team_in_one_change(written):
    before = written(credit=CREDIT, fraud=FRAUD)
    after = written(
        credit="team: credit\nmodels: {credit-risk: {}}",
        fraud=FRAUD + "  credit-fraud: {}\n",
        kept=before.included.teams,
    )
    assert after.included.problems == ()
    assert after.loaded().settings.for_model("credit-fraud").team == "fraud"


def test_what_is_refused_keeps_others_from_what_it_holds_still(written):
    """Team fraud gives nothing up as its file is broken, so credit cannot have it yet."""
    before = written(credit=CREDIT, fraud=FRAUD)
    after = written(
        credit=CREDIT + "  fraud-new: {}\n", fraud="team: [", kept=before.included.teams
    )
    assert names(f for f, ok in after.included.is_ok.items() if ok) == []
    assert after.loaded().settings.for_model("fraud-new").team == "fraud"


def test_the_folders_of_a_mounted_configmap_count_once(written, tmp_path):
    data = tmp_path / "models.d" / "..2026_11_24"
    data.mkdir()
    (data / "credit.yaml").write_text(CREDIT, "utf-8")
    (tmp_path / "models.d" / "..data").symlink_to(data.name)
    (tmp_path / "models.d" / "credit.yaml").symlink_to("..data/credit.yaml")
    examined = written(ROOT.replace("*.yaml", "**/*.yaml"))
    assert names(examined.included.is_ok) == ["credit"]
    assert examined.included.problems == ()


def test_what_is_shown_is_a_configuration_that_gives_the_same(written, tmp_path):
    loaded = written(credit=CREDIT, fraud=FRAUD).loaded()
    other = tmp_path / "other.yaml"
    other.write_text(show(loaded), "utf-8")
    again = load(other, {})
    assert again.hash == loaded.hash
    assert again.settings.for_model("credit-risk").team == "credit"


def test_the_hash_changes_with_a_file_of_a_team(written):
    one = written(fraud=FRAUD).loaded().hash
    assert written(fraud=FRAUD.replace("0.3", "0.4")).loaded().hash != one
