"""What other budgets and tolerances would have made of the same panes."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from service.backtest.incidents import findings_of, missed
from service.backtest.recorder import Recorder, Stretch
from service.backtest.transitions import alarms_of, episode_count
from service.monitor.counting.panes import Pane
from service.monitor.judging.comparison import Comparison, Transition
from service.values.backtests import Alarm, Incident, Setting
from service.values.watches import Budget, Watch

DAY_SECONDS = 86_400.0
BUDGET_DAYS = (7, 30, 90)
TOLERANCES_SD = (0.10, 0.15, 0.25)

PROGRESS_PANES = 20

Progress = Callable[[int, int], None]
"""Is told how many panes are done, of how many."""


class Configured(Struct, frozen=True):
    """What the run itself judged by, and what came of it.

    `tolerance_sd` None: the models have different ones.
    """

    budget: Budget
    tolerance_sd: float | None
    alarms: Sequence[Alarm]


class Choice(Struct, frozen=True):
    """A budget and a tolerance; None leaves each model its own tolerance."""

    budget: Budget
    tolerance_sd: float | None

    def of(self, watch: Watch) -> Watch:
        """The same watch under this choice; windows cost time and are not asked for."""
        tolerance = watch.tolerance_sd if self.tolerance_sd is None else self.tolerance_sd
        return replace(watch, windows=(), budget=self.budget, tolerance_sd=tolerance)


def what_if(
    recorder: Recorder,
    configured: Configured,
    incidents: Sequence[Incident],
    progress: Progress = lambda _done, _total: None,
) -> tuple[Setting, ...]:
    """The table, row by row: every tolerance under every budget, as configured among them.

    `recorder` has to have kept the panes.
    """
    choices = list(_choices(configured))
    others = [choice for choice in choices if not _is_configured(choice, configured)]
    judged = dict(zip(others, _judged_again(recorder, others, progress), strict=True))
    settings = []
    for choice in choices:
        alarms = judged.get(choice, configured.alarms)
        found = findings_of(incidents, alarms, recorder.pane_seconds)
        settings.append(
            Setting(
                tolerance_sd=choice.tolerance_sd,
                budget=budget_text(choice.budget),
                configured=choice not in judged,
                episodes=episode_count(alarms),
                alarms=len(alarms),
                missed=missed(found),
            )
        )
    return tuple(settings)


def budget_text(budget: Budget) -> str:
    """`1 per 30 d`."""
    return f"{budget.alarms:g} per {budget.period_seconds / DAY_SECONDS:g} d"


def _choices(configured: Configured) -> Iterator[Choice]:
    now = configured.budget
    budgets = {(1.0, days * DAY_SECONDS) for days in BUDGET_DAYS}
    budgets.add((now.alarms, now.period_seconds))
    own = configured.tolerance_sd
    tolerances = [None, *TOLERANCES_SD] if own is None else sorted({*TOLERANCES_SD, own})
    for tolerance in tolerances:
        for alarms, period in sorted(budgets, key=lambda pair: -pair[0] / pair[1]):
            yield Choice(Budget(alarms, period, now.scope), tolerance)


def _is_configured(choice: Choice, configured: Configured) -> bool:
    return choice == Choice(configured.budget, configured.tolerance_sd)


def _judged_again(
    recorder: Recorder, choices: Sequence[Choice], progress: Progress
) -> list[tuple[Alarm, ...]]:
    """The alarms under each choice; every pane is taken up once and judged by all of them."""
    transitions: list[list[Transition]] = [[] for _ in choices]
    total = sum(stretch.panes for model in recorder.models.values() for stretch in model.stretches)
    done = 0
    for model in recorder.models.values():
        earlier: list[Comparison] = []
        for stretch in model.stretches:
            comparisons = _under(stretch.comparison, choices, earlier)
            for pane in _panes(stretch):
                for place, comparison in enumerate(comparisons):
                    transitions[place] += comparison.judge(pane)
                done += 1
                if done % PROGRESS_PANES == 0 or done == total:
                    progress(done, total)
            earlier = comparisons
    return [alarms_of(changed) for changed in transitions]


def _under(
    known: Comparison, choices: Sequence[Choice], earlier: Sequence[Comparison]
) -> list[Comparison]:
    """A comparison for each choice, that goes on with what does not depend on the reference."""
    comparisons = [known.under(choice.of(known.watch)) for choice in choices]
    for comparison, before in zip(comparisons, earlier, strict=False):
        comparison.take_over(before)
    return comparisons


def _panes(stretch: Stretch) -> Iterator[Pane]:
    for kept in stretch.log or ():
        pane = Pane(kept.start_seconds, stretch.comparison.plan)
        pane.summary.rows = kept.rows
        pane.summary.cells[:] = kept.cells
        yield pane
