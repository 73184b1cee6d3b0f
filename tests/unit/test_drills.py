"""A drill goes the way of an episode, marked all along it, and no figure of a model knows of it."""

import re

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from structlog.testing import capture_logs

from service.clock import SystemClock
from service.commands.drill import command
from service.commands.episode import command as episode_command
from service.state.episode_record import add_drill, read_record
from service.state.episode_topic import EpisodeTopic, append_drill
from service.values.drills import Drill, DrillKind
from service.values.episodes import Episode, Severity
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import T0
from tests.unit.test_reloading import ROOT, Running

CONFIG = ROOT + "state: {path: .}\n"


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path, root=ROOT + f"state: {{path: {tmp_path}}}\n").send()
    running.service.loop.checkpoint()
    return running


def drill(running, kind=DrillKind.DRIFT, lasts=600.0):
    now = running.clock.now()
    made = Drill(f"drill-{kind.value}", kind, "m", "1", "ada", now, now + lasts)
    add_drill(running.directory / "episodes", made)
    return made


def series(running, name):
    """Lines of a family without the ones that only say what time it is."""
    return [line for line in running.page.splitlines() if line.startswith(f"anchorwatch_{name}{{")]


def untouched(page):
    """All that is told of models, books and counts."""
    told = r"anchorwatch_(?!episode_active|episode_onset|series|loop_|checkpoint|report_|last_)\w+"
    of_models = re.compile(told + r"\{.*(model|topic|team)=")
    return [line for line in page.splitlines() if of_models.match(line)]


@pytest.mark.parametrize(
    ("kind", "label", "severity"),
    [
        (DrillKind.DRIFT, "input", "ticket"),
        (DrillKind.QUALITY, "quality", "page"),
        (DrillKind.SILENCE, "silent", "page"),
        (DrillKind.LAG, "lag", "page"),
    ],
)
def test_it_is_an_active_episode_with_the_labels_of_its_model_and_drill(
    running, kind, label, severity
):
    drill(running, kind)
    running.turns(7)
    (active,) = series(running, "episode_active")
    assert active == (
        f'anchorwatch_episode_active{{model="m",model_version="1",kind="{label}",'
        f'severity="{severity}",team="credit",episode="drill-{kind.value}",drill="true"}} 1'
    )


def test_no_figure_of_a_model_and_no_count_knows_of_it(running):
    running.turns(7)
    before = untouched(running.page)
    drill(running)
    running.turns(7)
    assert series(running, "episode_active")
    assert untouched(running.page) == before
    assert any(line.startswith("anchorwatch_episodes_total") for line in before)


def test_words_say_that_it_is_one_on_the_page_in_the_log_and_in_the_record(running):
    drill(running)
    with capture_logs() as logs:
        running.turns(7)
    (told,) = [entry for entry in logs if entry["event"] == "episode_started"]
    assert (told["drill"], told["what"].startswith("DRILL, nothing has happened")) == (True, True)
    (episode,) = running.service.report.episodes
    assert episode.likely.startswith("a drill, asked for by ada: nothing has happened")
    events = [e for e in read_record(running.directory / "episodes") if isinstance(e, Episode)]
    assert [(e.drill, e.phase.value) for e in events] == [(True, "started")]


def test_it_ends_by_itself(running):
    drill(running, lasts=60.0)
    running.turns(7)
    assert series(running, "episode_active")
    running.clock.sleep(60.0)
    running.turns(7)
    assert not series(running, "episode_active")
    (over,) = running.service.report.episodes
    assert over.ended_because == "the drill is over"


def test_it_ends_when_somebody_says_so(running):
    made = drill(running)
    running.turns(7)
    add_drill(running.directory / "episodes", replace(made, ends=True))
    running.turns(7)
    assert not series(running, "episode_active")


def test_it_lasts_over_a_restart_and_is_begun_once(running):
    drill(running)
    running.turns(7)
    episodes = running.service.judge.episodes
    state = episodes.state()
    episodes.restore(state)
    running.turns(7)
    assert len(series(running, "episode_active")) == 1
    events = [e for e in read_record(running.directory / "episodes") if isinstance(e, Episode)]
    assert len(events) == 1


def test_whom_it_reaches_is_as_the_running_service_has_it(running):
    running.write(team="team: other\nmodels: {m: {tier: 3}}").looked()
    drill(running, DrillKind.QUALITY)
    running.turns(7)
    assert not series(running, "episode_active")
    (episode,) = running.service.report.episodes
    assert (episode.team, episode.severity) == ("other", Severity.LOG)


def test_one_that_is_heard_of_when_its_time_is_over_is_nothing(running):
    drill(running, lasts=-1.0)
    running.turns(7)
    assert running.service.report.episodes == ()


def test_a_judge_hears_of_it_by_the_topic_of_the_record():
    log = KeyedLogMemory(3, "episodes")
    record = EpisodeTopic("episodes", lambda: log)
    assert record.new_verdicts() == []
    made = Drill("d", DrillKind.LAG, "m", "1", "ada", T0, T0 + 60.0)
    append_drill(log, made)
    assert (record.new_verdicts(), record.new_drills(), record.new_drills()) == ([], [made], [])


class TestCommand:
    """The real command on the record of a service whose clock is that of the host."""

    @pytest.fixture
    def asked(self, running):
        now = SystemClock().now()
        running.clock.sleep(now - running.clock.now())
        running.send(1)
        running.service.loop.checkpoint()

        def run(*options):
            arguments = ["--config", str(running.file), *options]
            return CliRunner().invoke(command, arguments, catch_exceptions=False)

        return run

    def test_it_begins_and_is_ended(self, running, asked):
        told = asked("--model", "m", "--kind", "quality", "--by", "ada").output
        assert re.match(r"drill-quality-m-\d{8}-\d{6} is a page for credit; until \d\d:", told)
        running.turns(7)
        assert 'model_version="1",kind="quality",severity="page",team="credit"' in running.page
        assert "ends within seconds" in asked("--model", "m", "--end").output
        running.turns(7)
        assert not series(running, "episode_active")
        assert asked("--model", "m", "--end").output == "No drill of m lasts.\n"

    def test_what_would_reach_nobody_is_said_and_may_be_tried_all_the_same(self, running, asked):
        running.write(team="team: credit\nmodels: {m: {tier: 3}}")
        assert "tells nobody, as tier and `severity` have it" in asked("--model", "m").output
        assert "is a page for credit" in asked("--model", "m", "--severity", "page").output

    def test_a_model_that_nobody_has_seen_is_refused(self, asked):
        done = asked("--model", "mm")
        assert done.exit_code == 2
        assert "has not seen a model 'mm' lately. Did you mean m?" in done.output

    def test_nobody_decides_whether_it_was_real(self, running, asked):
        name = asked("--model", "m").output.split()[0]
        running.turns(7)
        record = ["--record", str(running.directory / "episodes")]
        arguments = ["verdict", name, "true", "--by", "a", "--why", "b", *record]
        done = CliRunner().invoke(episode_command, arguments)
        assert done.exit_code == 2
        assert f"{name} is a drill" in done.output

    @pytest.mark.parametrize("lasts", ["0s", "2d", "soon"])
    def test_a_length_that_makes_no_sense_is_wrong_usage(self, asked, lasts):
        assert asked("--model", "m", "--for", lasts).exit_code == 2
