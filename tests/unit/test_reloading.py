"""A running service takes up a changed configuration, and says what it does not."""

import pytest

from config.assignments import NOTHING
from service.clock import ManualClock
from service.commands import run
from service.commands.run import examiner
from service.commands.soundness import soundness
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, time_rules
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.ingest.memory import MemorySource
from service.loops import reloading as reloading_module
from service.loops.reloading import Reloading
from service.monitor.judging.judge import WATCHED_AT_ONCE
from service.monitor.references.file import write
from service.state.accepted_files import FILE, keep_files
from service.state.episode_record import EpisodeRecord, read_watched
from service.state.memory import MemoryStore
from service.values.watched import SettingsWatched
from tests.unit.monitor.events import MODEL, P0, T0, X, reference, stream_of

ROOT = """
sources: [{name: events, topics: [events]}]
include: [models.d/*.yaml]
models:
  '*': {tier: 2}
"""
TEAM = "team: credit\nmodels:\n  m: {tier: 1}\n"
"""MODEL is version 1 of m."""


class Running:
    """A service of a root file and a team's file; a turn takes a second."""

    def __init__(self, directory, root=ROOT, team=TEAM, by_hand=True):
        (directory / "models.d").mkdir()
        self.directory = directory
        self.file = directory / "anchorwatch.yaml"
        self.write(root, team)
        self.clock = ManualClock(T0 + 10_000.0)
        self.source = MemorySource({P0: []})
        loaded = soundness(self.file, {}, self.clock.now()).loaded()
        self.reloading = Reloading(
            self.file, loaded, examiner(self.file, NOTHING, self.clock), self.clock
        )
        self.record = EpisodeRecord(directory / "episodes", 86_400.0)
        settings = loaded.settings
        self.service = Service(
            settings,
            loaded.hash,
            Parts(
                source=self.source,
                store=MemoryStore(),
                dead_letters=NoDeadLetters(),
                given=given_references(settings, [reference()] if by_hand else []),
                clock=self.clock,
                rules=time_rules(settings.detection),
                sources=settings.sources,
                episode_record=self.record,
                reloading=self.reloading,
            ),
        )
        self.sent = 0

    def write(self, root=None, team=None):
        if root is not None:
            self.file.write_text(root, "utf-8")
        if team is not None:
            (self.directory / "models.d" / "credit.yaml").write_text(team, "utf-8")
        return self

    def send(self, panes=3, **changes):
        for event in stream_of(60.0 * self.sent, panes, 60, seed=self.sent, **changes):
            record = event.record(0)
            self.source.append(P0, record.value, record.timestamp_seconds)
        self.sent += panes
        return self.turns()

    def turns(self, count=8):
        for _ in range(count):
            self.clock.sleep(1.0)
            self.service.loop.turn()
        return self

    def looked(self):
        """As the thread does: a change counts once it has been there for two looks."""
        self.reloading.look()
        self.reloading.look()
        return self.turns(2)

    def keep(self, teams):
        keep_files(self.directory, teams)

    @property
    def page(self):
        return self.service.board.current.page.text.decode()

    @property
    def config(self):
        return self.service.report.service.config

    @property
    def model(self):
        (model,) = self.service.report.models
        return model


@pytest.fixture
def running(tmp_path):
    return Running(tmp_path)


def hash_on(page):
    return page.partition('anchorwatch_config_info{hash="')[2].partition('"')[0]


def test_rules_of_a_team_hold_without_a_restart_and_nothing_counted_is_lost(running):
    running.send().write(team=TEAM.replace("1", "3"))
    assert (running.model.tier, running.model.predictions_total) == (1, 180)
    before, judged = hash_on(running.page), running.service.judge.models[MODEL].panes_judged
    running.looked()
    assert (running.model.tier, running.model.predictions_total) == (3, 180)
    assert hash_on(running.page) not in {"", before}
    assert hash_on(running.page) == soundness(running.file, {}, 0.0).loaded().hash
    running.send()
    assert running.model.predictions_total == 360
    assert running.service.judge.models[MODEL].panes_judged > judged
    assert running.model.unjudged_total == 0


def test_a_mute_ends_the_episode_that_lasts(running):
    running.send(10).send(6, shift=3.0)
    (episode,) = running.service.judge.episodes.open
    mute = "{x: {mute: {until: 2099-01-01, by: ada, why: known}}}"
    running.write(team=f"team: credit\nmodels:\n  m: {{tier: 1, features: {mute}}}\n").looked()
    running.send(4, shift=3.0)
    assert running.service.judge.episodes.open == ()
    (stream,) = (s for s in running.model.streams if s.key == X)
    assert stream.state.value == "muted"
    assert episode.id in {e.id for e in running.service.judge.episodes.ended}


def test_what_detectors_know_goes_on_over_a_change_of_something_else(tmp_path):
    """As if nothing had happened: the same evidence, pane by pane."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    changed, untouched = Running(tmp_path / "a"), Running(tmp_path / "b")
    for one in (changed, untouched):
        one.send(10)
    changed.write(team=TEAM.replace("1", "2")).looked()
    untouched.turns(2)
    for one in (changed, untouched):
        one.send(10, shift=0.3)
    assert [s.score for s in changed.model.streams] == [s.score for s in untouched.model.streams]
    assert changed.model.predictions_total == untouched.model.predictions_total


def test_sentinels_that_are_added_count_from_the_next_record_on(running):
    running.send(1).write(team=TEAM.replace("tier: 1", "missing: [CA]")).looked()
    assert sum(s.missing_total for s in running.model.streams) == 0
    running.send(4)
    assert sum(s.missing_total for s in running.model.streams) > 20


def test_a_feature_that_is_ignored_now_is_watched_no_longer(running):
    running.send(3).write(team=TEAM.replace("tier: 1", "features: {x: {ignore: true}}")).looked()
    running.send(12)
    assert X not in {s.key for s in running.model.streams}


def test_a_bad_file_is_refused_alone_and_told(running, tmp_path):
    running.send().write(
        root=ROOT.replace("tier: 2", "tier: 3"), team="team: credit\nmodels: ["
    ).looked()
    team = tmp_path / "models.d" / "credit.yaml"
    assert f'anchorwatch_config_file_ok{{file="{team}"}} 0' in running.page
    assert f'anchorwatch_config_file_ok{{file="{running.file}"}} 1' in running.page
    assert "anchorwatch_config_last_reload_successful 0" in running.page
    assert running.model.tier == 1
    assert running.service.settings.for_model("another").tier == 3
    (warning,) = running.config.warnings
    assert warning.startswith(f"{team}:")
    assert warning.endswith("What it said last holds on")
    running.write(team=TEAM).looked()
    assert "anchorwatch_config_last_reload_successful 1" in running.page
    told = running.page.rpartition("anchorwatch_config_last_reload_success_timestamp_seconds ")[2]
    assert float(told.split()[0]) == running.clock.now() - 1.0


def test_a_bad_root_file_does_not_keep_teams_from_changing_theirs(running):
    running.send().write(root=ROOT + "nonsense: 1\n", team=TEAM.replace("1", "3")).looked()
    assert running.model.tier == 3
    assert running.config.files[str(running.file)] is False


def test_what_needs_a_restart_is_said_by_name_and_the_rest_is_taken_up(running):
    running.send().write(
        root=ROOT + "kafka: {group: other}\ndetection: {lateness: 5s}\n",
        team=TEAM.replace("1", "3"),
    ).looked()
    assert running.config.waiting == ("kafka.group", "detection.lateness")
    assert running.model.tier == 3
    assert running.service.settings.kafka.group == "anchorwatch"
    assert "anchorwatch_config_restart_needed 1" in running.page
    running.write(root=ROOT).looked()
    assert "anchorwatch_config_restart_needed 0" in running.page


def test_half_a_file_is_not_judged_while_it_is_being_written(running):
    running.send().write(team="team: cre")
    running.reloading.look()
    running.write(team=TEAM.replace("1", "3"))
    running.reloading.look()
    running.turns(2)
    assert all(running.config.files.values())
    assert running.model.tier == 1
    running.looked()
    assert running.model.tier == 3


def test_who_asks_is_answered_at_once(running):
    running.send().write(team=TEAM.replace("1", "3"))
    running.reloading.ask()
    running.reloading.look()
    running.turns(2)
    assert running.model.tier == 3


class After:
    """A `stop` that is set after so many looks; `run` asks it twice a look."""

    def __init__(self, looks):
        self.left = 2 * looks

    def is_set(self):
        self.left -= 1
        return self.left < 0


def test_a_look_that_fails_is_told_and_is_not_the_last_one(running, monkeypatch):
    monkeypatch.setattr(reloading_module, "LOOK_SECONDS", 0.01)
    examine = running.reloading._examine
    running.reloading._examine = lambda *_: 1 // 0
    running.send().write(team=TEAM.replace("1", "3"))
    running.reloading.run(After(looks=4))
    running.turns(2)
    assert "anchorwatch_config_last_reload_successful 0" in running.page
    assert "ZeroDivisionError" in running.config.warnings[0]
    assert running.model.tier == 1

    running.reloading._examine = examine
    running.turns(40)
    running.reloading.run(After(looks=4))
    running.turns(2)
    assert "anchorwatch_config_last_reload_successful 1" in running.page
    assert running.config.warnings == ()
    assert running.model.tier == 3


def test_a_configmap_is_swapped_whole(tmp_path):
    running = Running(tmp_path)
    folder = tmp_path / "models.d"
    for number, tier in ((1, 1), (2, 3)):
        (folder / f"..v{number}").mkdir()
        (folder / f"..v{number}" / "credit.yaml").write_text(
            f"team: credit\nmodels: {{m: {{tier: {tier}}}}}"
        )
    (folder / "credit.yaml").unlink()
    (folder / "..data").symlink_to("..v1")
    (folder / "credit.yaml").symlink_to("..data/credit.yaml")
    running.send().looked()
    (folder / "..new").symlink_to("..v2")
    (folder / "..new").rename(folder / "..data")
    running.looked()
    assert running.model.tier == 3


def test_a_directory_of_references_that_is_not_there_refuses_the_file_that_names_it(running):
    running.send().write(team=TEAM.replace("1", "3, reference: {from: /not/there}")).looked()
    assert list(running.config.files.values()) == [True, False]
    assert "/not/there is no directory" in running.config.warnings[0]
    assert running.model.tier == 1


def test_references_of_a_team_are_looked_for_where_it_says_now(tmp_path):
    running = Running(tmp_path, by_hand=False).send()
    assert running.model.reference_hash == ""
    place = tmp_path / "mine"
    place.mkdir()
    mine = reference(3000, seed=5)
    (place / "m.json").write_text(write(mine), "utf-8")
    running.write(team=TEAM.replace("1", f"1, reference: {{from: {place}}}")).looked()
    assert running.model.reference_hash == mine.hash
    running.send(12)
    assert running.service.judge.models[MODEL].comparison.reference.hash == mine.hash


def test_the_record_has_what_was_in_force_when(running, tmp_path):
    running.send()
    running.service.loop.checkpoint()
    running.write(team=TEAM.replace("1", "3")).looked()
    running.service.loop.checkpoint()
    entries = read_watched(tmp_path / "episodes")
    hashes = [e.config_hash for e in entries if isinstance(e, SettingsWatched)]
    assert len(set(hashes)) == 2
    assert hashes[-1] == hash_on(running.page)


def test_a_new_episode_has_the_severity_of_the_tier_that_holds_now(running):
    running.send(10).write(team=TEAM.replace("1", "3")).looked()
    running.send(6, shift=3.0)
    (episode,) = running.service.judge.episodes.open
    assert (episode.tier, episode.severity.value) == (3, "log")


def test_a_restart_knows_what_a_broken_file_said_last(running, tmp_path):
    state = f"state: {{path: {tmp_path}}}\n"
    running.write(root=ROOT + state)
    clock = running.clock
    loaded = run.loaded_at_start(running.file, NOTHING, clock)
    Reloading(running.file, loaded, examiner(running.file, NOTHING, clock), clock, running.keep)
    running.write(team="team: [")
    again = run.loaded_at_start(running.file, NOTHING, clock)
    assert again.settings.for_model("m").team == "credit"
    assert list(again.included.is_ok.values()) == [False]
    (tmp_path / FILE).unlink()
    without = run.loaded_at_start(running.file, NOTHING, clock)
    assert without.settings.for_model("m").team == "unowned"


def test_what_is_hidden_from_now_on_is_taken_out_of_episodes_that_last(running):
    running.send(10).send(6, shift=3.0)
    (before,) = running.service.judge.episodes.open
    assert any("[" in cell.name for stream in before.streams for cell in stream.cells)
    assert before.evidence.counts
    running.write(team="team: credit\nmodels: {m: {features: {x: {values: hidden}}}}").looked()
    (after,) = running.service.judge.episodes.open
    (stream,) = after.streams
    assert (stream.words, stream.cells) == ("has changed; its values are hidden", ())
    assert after.words.startswith("x has changed; its values are hidden")
    assert after.evidence.counts == ()
    assert (after.id, after.score, after.onset_seconds) == (
        before.id,
        before.score,
        before.onset_seconds,
    )


def test_many_models_go_over_a_few_at_a_time(running):
    keys = [MODEL._replace(version=str(number)) for number in range(2 * WATCHED_AT_ONCE + 1)]
    for key in keys:
        running.send(1, model=key)
    running.write(team=TEAM.replace("1", "3"))
    running.reloading.ask()
    running.reloading.look()
    left = []
    for _ in range(4):
        running.turns(1)
        left.append(sum(model.tier == 1 for model in running.service.report.models))
    assert left == [WATCHED_AT_ONCE + 1, 1, 0, 0]
    assert sum(model.predictions_total for model in running.service.report.models) == 60 * len(keys)
