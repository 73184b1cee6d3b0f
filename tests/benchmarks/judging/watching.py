"""A model watched as the service watches it: the comparison with its reference, and the book of
episodes. Only windows are left out, which no verdict depends on.
"""

from msgspec.structs import replace

from config.settings import Settings
from service.composition.wiring import watches
from service.monitor.counting.panes import Pane
from service.monitor.episodes.book import EpisodeRules, Episodes
from service.monitor.episodes.pane_verdicts import PaneVerdict
from service.monitor.judging.comparison import Comparison
from service.monitor.judging.evidence import drifting
from service.monitor.references.reference import plan_of
from service.values.streams import ModelKey
from service.values.watches import Sharing
from tests.benchmarks.judging.streams import PANE_SECONDS, START_SECONDS

MODEL = ModelKey("model", "1")
_ALONE = Sharing()


def default_watch(models=1):
    """How a model is watched unless somebody says otherwise, but for whose the budget is: so many
    models that are judged as one have as many false alarms.
    """
    budget = {"false_alarm_budget": f"{models} per 30d per model"}
    settings = Settings.model_validate({"detection": budget})
    return replace(watches(settings)(MODEL.model), windows=())


class Watched:
    """Takes panes as counts; `detection` and `episodes` are the service's own.

    `sharing`: so many share the budget at least. `models`: the streams are those of so many
    models, each with a budget of its own; the volume is one stream of all of them.
    """

    def __init__(self, reference, sharing=_ALONE, models=1):
        self.plan = plan_of(reference)
        watch = default_watch(models)
        self.comparison = Comparison(
            MODEL, reference, self.plan, watch, float(PANE_SECONDS), sharing
        )
        self.detection = self.comparison.detection
        self.episodes = Episodes(EpisodeRules(float(PANE_SECONDS)))
        self._pane = Pane(START_SECONDS, self.plan)

    def judge(self, number, rows, counts):
        """Judge pane `number`; gives which streams began to drift, which are well again, and all
        that drift now as the episodes are told.
        """
        pane = self._pane
        pane.start_seconds = START_SECONDS + number * PANE_SECONDS
        pane.summary.rows = int(rows)
        pane.summary.cells[:] = counts
        started, recovered = self.detection.judge(pane)
        self.detection.forget(recovered)
        return started, recovered, drifting(self.comparison, pane)[0]

    def tell(self, number, rows, found, model=MODEL):
        """Let the book of episodes take the verdict on pane `number`: what drifts in a model."""
        if not found and not self.episodes.has_open(model):
            return []
        start = START_SECONDS + number * PANE_SECONDS
        verdict = PaneVerdict(
            model=model,
            team="",
            tier=2,
            start_seconds=start,
            end_seconds=start + PANE_SECONDS,
            rows=int(rows),
            reference_hash=self.plan.reference_hash,
            drifting=tuple(found),
        )
        return self.episodes.take(verdict, lambda _: {})
