"""A change that is real becomes the new normal: from the state of a service to a file."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from service.commands.reference import command
from service.errors import ConfigurationError
from service.monitor.references.directory import ReferenceDirectory
from service.monitor.references.file import read, write
from service.state.directory import CURRENT, DirectoryStore
from service.state.episode_events import episode_line
from service.values.episodes import Category, Episode, EpisodeStream, Phase, Severity
from service.values.streams import Kind, ModelKey
from tests.unit.monitor.events import MODEL, P0, PANE, T0, World, reference, stream_of, watch

ROWS = 100
PANES = 40
SHIFTED_FROM = 20
"""The pane from which on x is 2 sd higher."""

SHIFT = 2.0
WHO = ("--by", "a.name", "--why", "new market")


def at(pane):
    """A pane's start as people write it; T0 is 22:00 of a day."""
    minute = 60 * 22 + pane
    return f"2023-11-14T{minute // 60:02d}:{minute % 60:02d}"


class Site:
    """A state directory, a directory of references, and a configuration that names both."""

    def __init__(self, path: Path, given=None, **changes: object) -> None:
        self.path = path
        self.references = path / "references"
        self.references.mkdir()
        self.state = path / "state"
        self.config = path / "anchorwatch.yaml"
        settings = {
            "state": {"path": str(self.state)},
            "reference": {"from": str(self.references)},
            **changes,
        }
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.given = given or reference(version=None)
        self.world = World({MODEL: self.given, ModelKey("m", "2"): self.given})

    def put(self, name="m.json", given=None):
        file = self.references / name
        file.write_text(write(given or self.given), encoding="utf-8")
        return file

    def run(self, panes=PANES, **more):
        for pane in range(panes):
            self.world.now = T0 + pane * PANE
            shift = SHIFT if pane >= SHIFTED_FROM else 0.0
            events = stream_of(pane * PANE, 1, ROWS, shift=shift, seed=pane, **more)
            self.world.send(P0, events)
            self.world.advance()
        return self

    def save(self):
        store = DirectoryStore(self.state)
        tree = {
            "judge": self.world.judge.state(),
            "shards": [shard.state() for shard in self.world.shards.values()],
            "episode_record": {},
        }
        store.save(tree)
        store.close()
        return self

    def record(self, episode: Episode):
        directory = self.state / "episodes"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "2023-11-14.jsonl").write_bytes(episode_line(episode))

    def accept(self, *arguments: str):
        given = ["accept", "--config", str(self.config), *arguments, *WHO]
        return CliRunner().invoke(command, given)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The state is the same for most tests, and takes a second to make."""
    return Site(tmp_path_factory.mktemp("site")).run().save()


@pytest.fixture
def site(prepared, tmp_path):
    fresh = Site(tmp_path)
    fresh.state.symlink_to(prepared.state)
    fresh.put()
    return fresh


def episode(*streams, **changes):
    standard = {
        "id": "m-20231114-2220",
        "sequence": 1,
        "phase": Phase.STARTED,
        "category": Category.DRIFT,
        "kind": "input",
        "model": "m",
        "version": "1",
        "team": "ours",
        "tier": 2,
        "severity": Severity.TICKET,
        "source": "",
        "onset_seconds": T0 + SHIFTED_FROM * PANE,
        "started_seconds": T0 + SHIFTED_FROM * PANE,
        "updated_seconds": T0 + PANES * PANE,
        "ended_seconds": None,
        "ended_because": "",
        "score": 5.0,
        "peak": 5.0,
        "told_score": 5.0,
        "streams": streams or (drifting(),),
        "streams_total": len(streams) or 1,
        "members": (),
        "upstream": "",
        "cause": "",
        "likely": "",
        "words": "",
        "backlog": False,
        "evidence": None,
    }
    return Episode(**(standard | changes))


def drifting(name="x", kind=Kind.INPUT, onset=SHIFTED_FROM, **changes):
    since = T0 + onset * PANE
    return EpisodeStream(kind, name, "", 5.0, 5.0, since, since, **changes)


def streams_of(found):
    return {stream.key.name: stream for stream in found.streams}


def the_file(site):
    (found,) = ReferenceDirectory(site.references)
    return found


def test_a_feature_is_accepted_and_all_others_stay_untouched(site):
    result = site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    assert result.exit_code == 0, result.output
    accepted, before = the_file(site), site.given
    assert accepted.version is None
    assert accepted.rows == before.rows
    new, old = streams_of(accepted), streams_of(before)
    assert new["x"].mean == pytest.approx(SHIFT, abs=0.1)
    assert new["x"].sd == pytest.approx(1.0, abs=0.1)
    assert new["x"].quantiles[0.5] == pytest.approx(SHIFT, abs=0.1)
    assert new["x"].valid == (PANES - SHIFTED_FROM) * ROWS
    assert len(new["x"].edges) > 10
    for name in ("state", "prediction", "latency"):
        assert msgspec.json.encode(str(new[name])) == msgspec.json.encode(str(old[name]))


def test_the_lineage_says_what_was_accepted_by_whom_and_from_when(site):
    site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    lineage = the_file(site).lineage
    assert (lineage.source, lineage.created_by) == ("accepted", "a.name")
    assert lineage.metadata == {
        "parent": site.given.hash,
        "features": "input x",
        "since": "2023-11-14T22:20:00Z",
        "until": "2023-11-14T22:40:00Z",
        "by": "a.name",
        "why": "new market",
    }


def test_it_says_in_words_what_changed_and_what_to_do_next(site):
    result = site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    said = _unfolded(result.output)
    assert "2,000 rows from 2023-11-14 22:20 to 2023-11-14 22:40 UTC" in said
    assert re.search(r"mean -?0\.\d+ → (1\.9|2\.0)\d* \(\+2 sd\)", said)
    assert "A running service that looks there takes it up within seconds" in said


def test_the_file_that_is_replaced_is_kept_under_a_name_that_is_no_reference(site):
    before = (site.references / "m.json").read_bytes()
    site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    old = site.references / f"m.json.{site.given.hash[:12]}.old"
    assert old.read_bytes() == before
    assert len(ReferenceDirectory(site.references)) == 1
    assert {file.name for file in site.references.iterdir()} == {"m.json", old.name}


def test_a_second_acceptance_before_a_restart_keeps_the_first(site):
    site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    first = the_file(site)
    result = site.accept("--model", "m", "--feature", "state", "--since", at(SHIFTED_FROM))
    assert result.exit_code == 0, result.output
    both = the_file(site)
    assert streams_of(both)["x"].mean == streams_of(first)["x"].mean
    assert streams_of(both)["state"].valid == (PANES - SHIFTED_FROM) * ROWS
    assert both.lineage.metadata["parent"] == first.hash


def test_the_change_does_not_alarm_any_more_after_a_restart_and_the_next_one_does(site):
    site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    world = World(the_file(site))
    for pane in range(20):
        world.now = T0 + pane * PANE
        world.send(P0, stream_of(pane * PANE, 1, ROWS, shift=SHIFT, seed=500 + pane))
        assert not world.advance(), pane
    for pane in range(20, 30):
        world.now = T0 + pane * PANE
        world.send(P0, stream_of(pane * PANE, 1, ROWS, shift=SHIFT + 1.0, seed=500 + pane))
        world.advance()
    assert {t.stream.name for t in world.transitions} == {"x"}


def test_the_state_may_be_in_use_and_is_not_touched(tmp_path):
    site = Site(tmp_path)
    site.put()
    site.run().save()
    service = DirectoryStore(site.state)
    before = {file.name: file.stat().st_mtime_ns for file in site.state.iterdir()}
    result = site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    after = {file.name: file.stat().st_mtime_ns for file in site.state.iterdir()}
    service.close()
    assert result.exit_code == 0, result.output
    assert after == before


def test_without_a_feature_every_stream_is_accepted(site):
    result = site.accept("--model", "m", "--since", at(SHIFTED_FROM))
    assert result.exit_code == 0, result.output
    rows = (PANES - SHIFTED_FROM) * ROWS
    assert {s.valid + s.missing for s in the_file(site).streams} == {rows}


def test_a_learned_reference_becomes_a_file_of_its_version(tmp_path):
    site = Site(tmp_path)
    site.world = World(None, watch(learn_events=500))
    site.run(PANES, prediction=None, latency_ms=None).save()
    result = site.accept("--model", "m", "--feature", "x", "--since", at(25))
    assert result.exit_code == 0, result.output
    accepted = the_file(site)
    assert (accepted.model, accepted.version) == ("m", "1")
    assert [file.name for file in site.references.iterdir()] == ["m-1.json"]
    assert accepted.lineage.metadata["learned"] == "all that is not accepted"
    restarted = World(accepted)
    restarted.send(P0, stream_of(0, 1, 10))
    assert not restarted.judge.schedule(MODEL).at(T0).learn_outputs


def test_for_one_of_two_versions_a_file_of_its_own_is_written(tmp_path):
    site = Site(tmp_path)
    file = site.put()
    site.run()
    site.world.send(P0, stream_of(PANES * PANE, 1, 5, model=ModelKey("m", "2")))
    site.save()
    unsaid = site.accept("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    assert "has the versions 1, 2: name one by --model-version" in unsaid.output
    result = site.accept(
        "--model", "m", "--version", "1", "--feature", "x", "--since", at(SHIFTED_FROM)
    )
    assert result.exit_code == 0, result.output
    assert read(file.read_bytes(), "m.json").hash == site.given.hash
    accepted = ReferenceDirectory(site.references).find("m", "1")
    assert (accepted.version, accepted.lineage.source) == ("1", "accepted")
    assert ReferenceDirectory(site.references).find("m", "2").hash == site.given.hash


def test_an_output_is_written_and_the_directory_left_alone(site, tmp_path):
    output = tmp_path / "accepted.json"
    arguments = ("--model", "m", "--feature", "x", "--since", at(SHIFTED_FROM))
    result = site.accept(*arguments, "--output", str(output))
    assert result.exit_code == 0, result.output
    assert the_file(site).hash == site.given.hash
    assert read(output.read_bytes(), "it").lineage.source == "accepted"
    again = site.accept(*arguments, "--output", str(output))
    assert isinstance(again.exception, ConfigurationError)
    assert "exists: name another file" in str(again.exception)


class TestEpisodes:
    def test_its_streams_are_accepted_from_its_onset_on(self, prepared, tmp_path):
        site = _copy_of(prepared, tmp_path)
        site.record(episode(drifting(), drifting("state", recovered_seconds=T0 + 1800.0)))
        result = site.accept("--episode", "m-20231114-2220")
        assert result.exit_code == 0, result.output
        accepted = the_file(site)
        assert accepted.lineage.metadata["features"] == "input x"
        assert accepted.lineage.metadata["episode"] == "m-20231114-2220"
        assert accepted.lineage.metadata["since"] == "2023-11-14T22:20:00Z"

    def test_the_quality_of_a_feature_is_part_of_its_stream(self, prepared, tmp_path):
        site = _copy_of(prepared, tmp_path)
        site.record(episode(drifting(kind=Kind.QUALITY), category=Category.QUALITY))
        assert site.accept("--episode", "m-20231114-2220").exit_code == 0
        assert the_file(site).lineage.metadata["features"] == "input x"

    @pytest.mark.parametrize(
        ("given", "named", "said"),
        [
            ({}, "m-20231114-2221", "Did you mean m-20231114-2220?"),
            (
                {"ended_seconds": T0 + 130.0},
                "m-20231114-2220",
                "is over since 2023-11-14 22:02:10 UTC",
            ),
            (
                {"ended_seconds": T0 + 130.0},
                "m-20231114-2220",
                "give --model and --since in place of --episode",
            ),
            ({"category": Category.VOLUME}, "m-20231114-2220", "is learned from the last weeks"),
            ({"category": Category.UPSTREAM}, "m-20231114-2220", "accept each"),
            ({"streams_total": 900}, "m-20231114-2220", "name them by --feature"),
        ],
    )
    def test_what_cannot_be_accepted_is_refused(self, prepared, tmp_path, given, named, said):
        site = _copy_of(prepared, tmp_path)
        site.record(episode(**given))
        result = site.accept("--episode", named)
        assert result.exit_code == 2
        assert said in _unfolded(result.output)
        assert the_file(site).hash == site.given.hash


def test_an_onset_before_what_is_kept_is_said_to_be_one(prepared, tmp_path):
    site = _copy_of(prepared, tmp_path)
    site.record(episode(drifting(onset=-30)))
    said = str(site.accept("--episode", "m-20231114-2220").exception)
    assert "the onset of m-20231114-2220, 2023-11-14 21:30 UTC, was before" in said
    assert "by --model, --feature and --since in place of --episode" in said


def test_steps_that_do_not_begin_with_a_minute_are_told_to_the_second(site):
    result = site.accept("--model", "m", "--feature", "x", "--since", f"{at(SHIFTED_FROM)}:20")
    assert result.exit_code == 0, result.output
    said = _unfolded(result.output)
    assert "it begins at 2023-11-14 22:25 UTC, not at 2023-11-14 22:20:20 UTC" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "mm", "--since", "22:30"), "no model 'mm'; did you mean 'm'?"),
        (("--model", "m", "--version", "9", "--since", "2h"), "no version '9' of m; there are: 1"),
        (("--model", "m"), "by --since, or by --episode"),
        (
            ("--model", "m", "--since", "2h", "--episode", "e"),
            "--since and --episode both say when it became normal",
        ),
        (("--since", "2h"), "say which model"),
        (("--model", "m", "--since", "soon"), "is no duration such as 2h"),
    ],
)
def test_wrong_usage_says_what_is_there(site, arguments, said):
    result = site.accept(*arguments)
    assert result.exit_code == 2
    assert said in _unfolded(result.output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--feature", "stat", "--since", at(20)), "no feature 'stat'; did you mean 'state'?"),
        (("--feature", "x", "--since", at(35)), "500 rows of m version 1 are kept since then, and"),
        (("--feature", "x", "--since", "2023-11-13"), "is kept since 2023-11-14 22:00 UTC only"),
        (("--feature", "x", "--since", "2023-11-13"), "from a later time on by --since, or"),
        (
            ("--feature", "x", "--since", "2023-11-15T00:00:30"),
            "since 2023-11-15 00:00:30 UTC: the last that is kept is of 2023-11-14 22:40 UTC",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_written(site, arguments, said):
    result = site.accept("--model", "m", *arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert said in str(result.exception)
    assert [file.name for file in site.references.iterdir()] == ["m.json"]


def test_a_directory_without_a_state_is_named(tmp_path):
    result = Site(tmp_path).accept("--model", "m", "--since", "2h")
    assert isinstance(result.exception, ConfigurationError)
    assert "there is no state in" in str(result.exception)


def test_a_broken_state_is_told(tmp_path):
    site = Site(tmp_path)
    site.state.mkdir()
    (site.state / CURRENT).write_bytes(b"ANCHORW\nbroken")
    result = site.accept("--model", "m", "--since", "2h")
    assert isinstance(result.exception, ConfigurationError)
    assert "no snapshot can be read" in str(result.exception)


def test_a_model_that_is_learning_has_nothing_to_accept(tmp_path):
    site = Site(tmp_path)
    site.world = World(None)
    site.run(2).save()
    result = site.accept("--model", "m", "--since", "2h")
    assert "is compared with no reference yet" in str(result.exception)


def _copy_of(prepared, tmp_path):
    site = Site(tmp_path)
    site.state.mkdir()
    (site.state / CURRENT).write_bytes((prepared.state / CURRENT).read_bytes())
    site.put()
    return site


def _unfolded(text):
    return " ".join(text.split())
