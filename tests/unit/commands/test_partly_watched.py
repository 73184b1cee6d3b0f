"""A reference of which a part is ignored: the service, `check` and a replay say so."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from config.settings import Settings
from service.commands.check import command as check
from service.commands.partly_watched import partly_watched
from service.commands.reference import command as reference_command
from service.commands.run import command as run
from service.monitor.references.file import read


@pytest.fixture
def site(tmp_path):
    """A reference of which one feature of two that are related is ignored, and a configuration."""
    rng = np.random.default_rng(8)
    income = rng.normal(50, 9, 300)
    with (tmp_path / "train.csv").open("w", newline="") as file:
        debt = income + rng.normal(0, 1, 300)
        csv.writer(file).writerows([("income", "debt_id"), *zip(income, debt, strict=True)])
    for name in ("references", "state"):
        (tmp_path / name).mkdir()
    output = tmp_path / "references" / "m.json"
    options = ["--model", "m", "--take", "debt_id", "--output", str(output)]
    result = CliRunner().invoke(reference_command, ["build", str(tmp_path / "train.csv"), *options])
    assert result.exit_code == 0, result.output
    return tmp_path


def configured(site, **changes):
    tree = {
        "reference": {"from": str(site / "references")},
        "state": {"path": str(site / "state")},
        "sources": [{"name": "mine", "topics": ["t"]}],
        **changes,
    }
    (site / "aw.yaml").write_text(json.dumps(tree), "utf-8")
    return str(site / "aw.yaml")


def told(result):
    return " ".join(result.output.split())


def test_what_is_left_out_and_what_follows_is_known(site):
    settings = Settings.model_validate({"reference": {"from": str(site / "references")}})
    reference = read((site / "references" / "m.json").read_bytes(), "m.json")
    (part,) = partly_watched(settings, [reference])
    assert (part.features, part.loses_joint) == (("debt_id",), True)
    assert part.file_hash == reference.hash != part.hash
    words = part.sentences()
    assert (
        "not watched, since the configuration ignores them: debt_id. So how the features" in words
    )
    assert part.hash[:12] in words
    assert "models.m.features.debt_id: {ignore: false}" in words


def test_a_reference_that_is_watched_as_a_whole_is_none_of_them(site):
    rule = {"m": {"features": {"debt_id": {"ignore": False}}}}
    settings = Settings.model_validate({"models": rule})
    reference = read((site / "references" / "m.json").read_bytes(), "m.json")
    assert list(partly_watched(settings, [reference])) == []


def test_check_gives_a_hint_with_the_file(site):
    said = told(CliRunner().invoke(check, ["--config", configured(site)]))
    assert f"{site / 'references' / 'm.json'}: The reference of m, any version, holds" in said
    assert "how the features go together is not watched" in said
    rule = {"m": {"features": {"debt_id": {"ignore": False}}}}
    assert "not watched, since" not in told(
        CliRunner().invoke(check, ["--config", configured(site, models=rule)])
    )


def test_the_service_logs_it_before_it_reads_anything(site):
    nowhere = {"bootstrap_servers": ["127.0.0.1:1"]}
    config = configured(site, kafka=nowhere, sources=[{"name": "f", "files": ["*.jsonl"]}])
    result = CliRunner().invoke(run, ["--config", config])
    assert "reference_partly_watched" in result.output
    assert "debt_id" in result.output
