"""A fleet takes up a changed configuration, member by member, and counts every event once."""

import pytest
from msgspec import structs

from config.assignments import NOTHING
from service.commands.run import examiner
from service.commands.soundness import soundness
from service.composition.wiring import watches
from service.loops.reloading import Reloading
from tests.unit.fleet.members import World
from tests.unit.monitor.events import MODEL, P0, P1, X, reference, stream_of

ROOT = """
role: worker
sources: [{name: events, topics: [events]}]
state: {store: topic, every: 2s}
detection: {windows: [5m]}
models:
  m: {tier: 1}
"""


class Fleet:
    """Two workers and a judge, which follow one file."""

    def __init__(self, directory):
        self.file = directory / "anchorwatch.yaml"
        self.file.write_text(ROOT, "utf-8")
        self.loaded = soundness(self.file, {}, 0.0).loaded()
        world = self.world = World((P0, P1), [reference()])
        world.settings = self.loaded.settings
        self.workers = [self.worker(P0), self.worker(P1)]
        self.judge = world.judge()
        self.follow(self.judge)
        self.sent = 0

    def worker(self, partition):
        worker = self.world.worker(partition)
        shared = worker.shared()
        book = shared.schedules
        shared = structs.replace(shared, follow=lambda s: book.watch_as(watches(s)))
        worker.loop = worker.service.make_loop(shared)
        self.follow(worker)
        return worker

    def follow(self, member):
        clock = self.world.clock
        examine = examiner(self.file, NOTHING, clock)
        reloading = Reloading(self.file, self.loaded, examine, clock)
        member.service.parts = structs.replace(member.service.parts, reloading=reloading)
        return member

    @property
    def members(self):
        return [*self.workers, self.judge]

    def says(self, models):
        self.file.write_text(ROOT.replace("{tier: 1}", models), "utf-8")
        return self

    def take_up(self, *members):
        for member in members or self.members:
            member.service.parts.reloading.ask()
            member.service.parts.reloading.look()
        self.world.turns(6)
        return self

    def send(self, panes=6):
        for number, partition in enumerate((P0, P1)):
            seed = 10 * self.sent + number
            self.world.send(partition, stream_of(60.0 * self.sent, panes, 20, seed=seed))
        self.sent += panes
        self.world.turns(30)
        return self

    def missing(self):
        return sum(stream.missing_total for stream in self.judge.model(MODEL).streams)

    def balances(self):
        """Every event is counted once, and none that was closed has gone unjudged."""
        model, loop = self.judge.model(MODEL), self.judge.loop
        assert model.predictions_total == 2 * 20 * self.sent
        assert model.unjudged_total == 0
        assert loop.images.tally.conflicts == 0


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path).send()


def test_what_the_judge_tells_of_a_model_follows_the_file(fleet):
    fleet.says("{tier: 3, team: credit}").take_up(fleet.judge)
    model = fleet.judge.model(MODEL)
    assert (model.tier, model.team) == (3, "credit")
    fleet.send().balances()


def test_workers_count_by_other_sentinels_from_the_next_record_on(fleet):
    assert fleet.missing() == 0
    fleet.says("{missing: [CA]}").take_up().send(8)
    assert fleet.missing() > 50
    fleet.balances()


def test_members_that_take_it_up_one_after_the_other_agree_in_the_end(fleet):
    fleet.says("{features: {x: {ignore: true}}}")
    for member in fleet.members:
        fleet.take_up(member).send(4)
    fleet.send(8)
    assert X not in {stream.key for stream in fleet.judge.model(MODEL).streams}
    fleet.balances()


def test_every_role_tells_which_configuration_it_has(fleet):
    fleet.says("{tier: 2}").take_up()
    wanted = soundness(fleet.file, {}, 0.0).loaded().hash
    for member in fleet.members:
        assert f'anchorwatch_config_info{{hash="{wanted}"}} 1' in member.page
        assert "anchorwatch_config_last_reload_successful 1" in member.page


def test_a_worker_that_was_started_anew_meanwhile_goes_on_with_what_was_counted(fleet):
    fleet.says("{missing: [CA]}").take_up(fleet.judge, fleet.workers[0])
    fleet.workers[1].dies()
    fleet.world.settings = fleet.loaded.settings
    fleet.workers[1] = fleet.worker(P1)
    fleet.take_up(fleet.workers[1]).send(4)
    fleet.balances()
