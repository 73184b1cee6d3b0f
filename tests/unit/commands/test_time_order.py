"""`reference build --time` learns dependence and seasons, and the service judges by them."""

import json
import math
import random
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scipy.signal import lfilter

from config.settings import Settings
from service.commands.check import command as check
from service.commands.profiling import Profiling, Roles
from service.commands.reference import command as reference_command
from service.commands.replay import command as replay_command
from service.commands.table_cells import TableCells
from service.commands.unused_order import unused_order
from service.errors import ConfigurationError
from service.ingest.files.tables import Cells, read_tables
from service.monitor.references.file import read
from service.monitor.references.reference import layout_of, reference_cells
from service.values.streams import JOINT, PREDICTION, Kind, StreamKey, above_cutoff

MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
DAY = 86_400.0
WAVE, STICKY, CHANNEL = (StreamKey(Kind.INPUT, name) for name in ("wave", "sticky", "channel"))
OPTIONS = ("--pane", "10m", "--time", "at", "--prediction", "score")


def rows_of(days, start=MONDAY, shift=0.0, seed=1, every=6.0):
    """A row every so many seconds: a feature with a daily season of 1 sd, one that is an AR(1)."""
    rng = np.random.default_rng(seed)
    at = start + np.arange(round(days * DAY / every)) * every
    mean = math.sqrt(2) * np.sin((at % DAY) / DAY * 2 * math.pi) + shift
    noise = rng.normal(0, math.sqrt(1 - 0.9**2), len(at) + 200)
    return {
        "at": at,
        "wave": rng.normal(mean),
        "sticky": lfilter([1], [1, -0.9], noise)[200:],
        "channel": rng.choice(["web", "app", "shop"], len(at), p=(0.5, 0.3, 0.2)),
        "score": rng.random(len(at)),
    }


def write(path, rows):
    pq.write_table(pa.table(rows), path)
    return path


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def build(site, *files, options=OPTIONS, output="ref.json"):
    given = ("--model", "m", "--output", site / output, "--force", *options)
    result = run(reference_command, "build", *files, *given)
    if result.exit_code:
        raise result.exception
    return read((site / output).read_bytes(), output), " ".join(result.stderr.split())


def known(reference, key):
    (stream,) = (s for s in reference.streams if s.key == key)
    return stream.in_time


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two weeks of training data, and the reference of them under a configuration."""
    path = tmp_path_factory.mktemp("site")
    write(path / "train.parquet", rows_of(14))
    (path / "aw.yaml").write_text(json.dumps(_config("10m", "day")))
    build(path, path / "train.parquet", options=(*OPTIONS, "--config", path / "aw.yaml"))
    return path


@pytest.fixture(scope="module")
def reference(site):
    return read((site / "ref.json").read_bytes(), "ref.json")


def test_dependence_and_seasons_are_in_the_file(reference):
    sticky, wave = known(reference, STICKY), known(reference, WAVE)
    assert 11 < sticky.values.phi < 24
    assert (sticky.values.panes, sticky.values.events, sticky.season) == (2_016, 100.0, None)
    assert sticky.quality.phi == 1.0
    assert wave.values.seasonal
    assert wave.values.phi < 2
    assert (wave.season.period, wave.season.timezone, wave.season.days) == ("day", "UTC", 14)
    assert wave.season.hours == tuple(range(24))
    assert wave.season.counts.sum() == reference.rows
    assert known(reference, CHANNEL).season is None


def test_what_was_learned_is_said(site):
    _, told = build(site, site / "train.parquet", output="again.json")
    assert "Learned from 2,016 panes of 10m in order of time, so that drift is judged" in told
    assert "a season by the week in UTC have wave" in told
    assert "warning" not in told


def test_the_same_files_give_the_same_hash_and_the_file_stays_small(site, reference):
    again, _ = build(
        site, site / "train.parquet", options=(*OPTIONS, "--config", site / "aw.yaml"), output="2"
    )
    assert again.hash == reference.hash
    assert (site / "ref.json").stat().st_size < 40_000


@pytest.mark.parametrize(
    ("shift", "drifts"), [(0.0, set()), (0.5, {"wave"})], ids=["none", "half an sd"]
)
def test_a_replay_judges_by_it_from_the_first_minute_on(site, tmp_path, shift, drifts):
    quiet = write(tmp_path / "1.parquet", rows_of(1, MONDAY + 14 * DAY, seed=2))
    then = write(tmp_path / "2.parquet", rows_of(0.5, MONDAY + 15 * DAY, shift, seed=3))
    options = ("--reference", site / "ref.json", "--config", site / "aw.yaml", *OPTIONS[2:])
    result = run(replay_command, quiet, then, "--model", "m", "--json", "-", *options)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {alarm["feature"] for alarm in told["alarms"]} - {JOINT.name} == drifts


def test_without_a_time_nothing_is_learned_and_the_file_is_as_it_was(site):
    plain, told = build(site, site / "train.parquet", options=("--ignore", "at"), output="p.json")
    assert all(stream.in_time is None for stream in plain.streams)
    assert "in_time" not in (site / "p.json").read_text()
    assert "order" not in told


def test_rows_that_are_not_in_order_of_time_teach_nothing_and_it_is_said(tmp_path):
    rows = rows_of(2)
    shuffled = np.random.default_rng(0).permutation(len(rows["at"]))
    file = write(tmp_path / "a.parquet", {name: column[shuffled] for name, column in rows.items()})
    reference, told = build(tmp_path, file)
    assert all(stream.in_time is None for stream in reference.streams)
    said = "warning: the rows are not in the order of 'at': more than one in 1,000 comes over 1h"
    assert said in told
    assert "sort the rows by it" in told


def test_rows_that_are_nearly_in_order_teach_the_same(tmp_path):
    rows = rows_of(2, every=20.0)
    by_minutes = np.argsort(rows["at"] + np.random.default_rng(0).uniform(0, 3000, len(rows["at"])))
    mixed = {name: column[by_minutes] for name, column in rows.items()}
    one, _ = build(tmp_path, write(tmp_path / "a.parquet", rows))
    other, told = build(tmp_path, write(tmp_path / "b.parquet", mixed))
    assert [s.in_time.values for s in one.streams] == [s.in_time.values for s in other.streams]
    assert "over 1h" not in told


def test_a_row_or_two_out_of_order_or_without_a_time_are_left_out_and_told(tmp_path):
    rows = rows_of(3)
    rows["at"][20_000] -= 2 * DAY
    rows["at"][30_000] = np.nan
    reference, told = build(tmp_path, write(tmp_path / "a.parquet", rows))
    assert known(reference, STICKY).values.panes == 432
    assert "warning: 1 rows came over 1h after newer ones" in told
    assert "warning: 1 rows have no time that can be read" in told


def test_files_follow_each_other_by_name(tmp_path):
    first, then = rows_of(2), rows_of(2, MONDAY + 2 * DAY)
    write(tmp_path / "a.parquet", first)
    write(tmp_path / "b.parquet", then)
    ordered, _ = build(tmp_path, tmp_path / "*.parquet")
    assert known(ordered, STICKY).values.panes == 576
    write(tmp_path / "b.parquet", first)
    write(tmp_path / "a.parquet", then)
    _, told = build(tmp_path, tmp_path / "*.parquet")
    assert "of several files the names have to be in its order too" in told


def test_too_few_panes_teach_nothing_and_a_short_time_is_said_to_be_one(tmp_path):
    reference, told = build(tmp_path, write(tmp_path / "a.parquet", rows_of(0.1)))
    assert all(stream.in_time is None for stream in reference.streams)
    assert "which is fewer than 30 panes of 10m" in told
    reference, told = build(tmp_path, write(tmp_path / "b.parquet", rows_of(1)))
    assert known(reference, STICKY).values.panes == 144
    assert "less than three days: wander of these is tolerated" in told


def test_a_time_that_is_far_off_is_named_where_nothing_can_be_learned(tmp_path):
    rows = rows_of(2)
    rows["at"][-1] = datetime(2099, 3, 4, tzinfo=UTC).timestamp()
    reference, told = build(tmp_path, write(tmp_path / "a.parquet", rows))
    assert all(stream.in_time is None for stream in reference.streams)
    assert "No stream is in 30 panes of 10m of the 28d up to 4 Mar 2099" in told


def test_without_any_stream_nothing_can_be_learned(tmp_path):
    only_times = {"at": rows_of(1)["at"]}
    reference, _ = build(
        tmp_path, write(tmp_path / "a.parquet", only_times), options=("--time", "at")
    )
    assert reference.streams == ()


def test_of_more_than_four_weeks_the_last_are_looked_at(tmp_path):
    reference, _ = build(tmp_path, write(tmp_path / "a.parquet", rows_of(40, every=120.0)))
    assert known(reference, STICKY).values.panes <= 28 * 144 + 1
    assert known(reference, WAVE).season.days <= 29


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pane", "2d"), "--pane 2d: "),
        (("--pane", "soon"), "--pane soon: must be a duration"),
        (("--timezone", "Mars/Olympus"), "--timezone Mars/Olympus: must be a time zone"),
    ],
)
def test_panes_and_hours_that_no_service_has_are_refused(site, options, said):
    with pytest.raises(ConfigurationError, match=said):
        build(site, site / "train.parquet", options=options, output="no.json")
    assert not (site / "no.json").exists()


def test_hours_are_those_of_the_zone(site):
    tokyo, _ = build(
        site, site / "train.parquet", options=(*OPTIONS, "--timezone", "Asia/Tokyo"), output="t"
    )
    season = known(tokyo, WAVE).season
    assert (season.timezone, season.period) == ("Asia/Tokyo", "week")
    first = np.array(season.counts[0])
    assert first.sum() == pytest.approx(2 * 3600 / 6, abs=1)


def test_what_is_not_used_is_said_by_check_and_replay(site, reference, tmp_path):
    assert list(unused_order(Settings.model_validate(_config("10m", "day")), [reference])) == []
    other = Settings.model_validate(_config("1m", "week"))
    (words,) = unused_order(other, [reference])
    assert "in panes of 10m, and detection.pane is 1m, so it is learned live" in words
    assert "by hours of the day in UTC, and the configuration's season is by hours of the" in words
    (tmp_path / "ref.json").write_bytes((site / "ref.json").read_bytes())
    tree = _config("1m", "week") | {"reference": {"from": str(tmp_path)}}
    (tmp_path / "aw.yaml").write_text(json.dumps(tree | {"state": {"path": str(tmp_path)}}))
    checked = run(check, "--config", tmp_path / "aw.yaml")
    assert "tells more than is used" in " ".join(checked.output.split())
    live = write(tmp_path / "live.parquet", rows_of(0.1))
    given = ("--reference", site / "ref.json", "--config", tmp_path / "aw.yaml", *OPTIONS[2:])
    replayed = run(replay_command, live, "--model", "m", *given)
    assert "tells more than is used" in " ".join(replayed.stderr.split())


def test_check_says_that_wander_need_not_be_learned(site, reference, tmp_path):
    (tmp_path / "ref.json").write_bytes((site / "ref.json").read_bytes())
    told = []
    for period in ("day", "week"):
        tree = _config("10m", period) | {"reference": {"from": str(tmp_path)}}
        (tmp_path / "aw.yaml").write_text(json.dumps(tree | {"state": {"path": str(tmp_path)}}))
        told.append(" ".join(run(check, "--config", tmp_path / "aw.yaml").output.split()))
    assert "how far it wanders is known from the reference" in told[0]
    assert "in its first 3 days, while its wander is learned" in told[1]


def _config(pane, period):
    return {"detection": {"pane": pane, "windows": ["1h"], "season": {"period": period}}}


def messy(rows=3_000, seed=3):
    """Events of which values are missing, of another type, rare, out of range, or a map."""
    draw = random.Random(seed)
    for i in range(rows):
        base = draw.gauss(0, 1)
        yield {
            "timestamp": MONDAY + i,
            "amount": draw.choice([base, base, base, 0.0, -0.0, None, "text", True, 1e9]),
            "related": base + draw.gauss(0, 0.3),
            "state": draw.choice(["MA", "NY", "CA", f"rare{i}", None, 7.0, 7.5, True]),
            "card": draw.choice([True, False, 1.0, 0.0, "true", "no", None, 2.0]),
            "prediction": draw.choice([draw.random(), draw.random(), None, "?"]),
        }


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """The reference of messy events, and how many of them `TableCells` puts into each cell."""
    path = tmp_path_factory.mktemp("messy") / "events.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in messy()))
    options = ("--pane", "10s", "--cutoff", "0.6", "--kind", "card=boolean")
    reference, _ = build(path.parent, path, options=(*options, "--kind", "state=categorical"))
    roles = Roles(prediction="prediction", time="timestamp", cutoffs=(0.6,))
    profiling, cells = Profiling(roles), TableCells(reference)
    layout = layout_of(reference)
    found = np.zeros(layout.cell_count, dtype=np.int64)
    rows = Cells(prediction="prediction", categorical=lambda name: name == "state")
    for table in read_tables([path], lambda _: None, rows):
        profiling.add(table)
        placed = cells.of(dict(profiling.streams(table)), table.rows)
        np.add.at(found, placed + layout.offsets[:-1, None], 1)
    return reference, found


def test_rows_lie_in_the_cells_that_the_reference_counted_them_in(counted):
    reference, found = counted
    assert {JOINT, PREDICTION, above_cutoff(0.6)} <= {s.key for s in reference.streams}
    assert found.tolist() == reference_cells(reference).tolist()


def test_panes_hold_all_rows_of_the_reference(counted):
    reference, _ = counted
    (stream,) = (s for s in reference.streams if s.key.name == "amount")
    assert stream.in_time.quality.panes == 300
    assert stream.in_time.quality.events == 10.0
