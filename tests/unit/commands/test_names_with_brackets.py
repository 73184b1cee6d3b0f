"""Names and values come from others: what looks like markup of the console is shown as it is."""

import pytest
from click.testing import CliRunner

from service.__main__ import anchorwatch


def run(*arguments):
    done = CliRunner().invoke(anchorwatch, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def table(tmp_path):
    """Columns and categories with closing and opening tags; the later half is another world."""
    rows = [f"{1_700_000_000 + n},{n % 7 + 50 * (n >= 3000)},[/red][b]" for n in range(6000)]
    path = tmp_path / "events.csv"
    path.write_text("timestamp,[/bold],[i]kind\n" + "\n".join(rows) + "\n")
    return path


def test_a_reference_with_brackets_in_its_names_is_shown(table, tmp_path):
    told = run(
        "reference", "build", str(table), "--model", "[/x]", "--output", str(tmp_path / "ref.json")
    )
    for name in ("[/x], any version", "[/bold]", "[i]kind", "[/red][b] (100.0 %)"):
        assert name in told


def test_a_replay_with_brackets_in_its_names_is_shown(table):
    told = run("replay", str(table), "--model", "[/x]", "--time", "timestamp")
    assert "[/x]" in told
    assert "predictions in" in told
