"""References that are published while a fleet counts: no row is binned two ways, none unjudged."""

import json
import uuid

from config.settings import Settings
from service.composition.registry_access import open_registry
from service.monitor.references.file import read
from service.registry.publishing import publish, roll_back
from tests.integration.fleet.stage import scenario
from tests.integration.parts import traffic

MODEL = "credit"


class Pipeline:
    """Publishes the references of a stage, and others that bin alike, into a topic of their own."""

    def __init__(self, stage):
        self.topic = f"references-{uuid.uuid4().hex[:12]}"
        self._directory = stage.references.directory
        self._settings = Settings.model_validate({"kafka": {"bootstrap_servers": stage.bootstrap}})

    def publish(self, model, dataset=None):
        """Of another data set the same numbers have another hash."""
        tree = json.loads((self._directory / f"{model}.json").read_text())
        tree["lineage"]["dataset"] = dataset
        del tree["hash"]
        with open_registry(self._settings, self.topic, makes=True) as registry:
            return publish(registry, read(json.dumps(tree), model), by="pipeline", why="").current

    def roll_back(self, model):
        with open_registry(self._settings, self.topic) as registry:
            return roll_back(registry, model, None, to=None, by="ada", why="too early").current


def in_force(fleet):
    page = fleet.judge_page()
    return {labels["hash"] for labels, _ in page.each("reference_info", model=MODEL)}


def wait_for(fleet, chosen):
    fleet.wait_until(
        lambda: in_force(fleet) == {chosen.choice.hash}, f"{chosen.choice.hash[:12]} is in force"
    )


def wait_for_rows(fleet, rows):
    def counted():
        return fleet.judge_page().total("predictions_total", model=MODEL)

    before = counted()
    fleet.wait_until(lambda: counted() > before + rows, f"{rows} rows were counted by it")


@scenario
def test_a_fleet_takes_up_what_is_published_and_rolled_back_and_judges_every_row(stage):
    pipeline = Pipeline(stage)
    first = {model: pipeline.publish(model) for model in traffic.MODELS}
    fleet = stage.fleet(reference={"from": f"topic:{pipeline.topic}"})
    with stage.under_load(fleet, workers=2):
        wait_for(fleet, first[MODEL])
        for change in (lambda: pipeline.publish(MODEL, "July"), lambda: pipeline.roll_back(MODEL)):
            chosen = change()
            wait_for(fleet, chosen)
            wait_for_rows(fleet, 400)
        assert "schedule_taken_up" in fleet.log


@scenario
def test_a_worker_that_is_killed_reads_its_panes_by_the_references_they_were_counted_by(stage):
    pipeline = Pipeline(stage)
    for model in traffic.MODELS:
        pipeline.publish(model)
    fleet = stage.fleet(reference={"from": f"topic:{pipeline.topic}"})
    with stage.under_load(fleet, workers=2):
        chosen = pipeline.publish(MODEL, "July")
        fleet.workers[0].process.kill()
        wait_for(fleet, chosen)
        fleet.start_worker(0)
        fleet.wait_until_owned(6)
