"""What other budgets and tolerances would have made of the same panes."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from service.backtest.incidents import findings_of, missed
from service.backtest.recorder import Recorder
from service.backtest.rejudging import Choice, judged_again, pane_count
from service.backtest.transitions import episode_count
from service.values.backtests import Alarm, Incident, Setting
from service.values.watches import Budget

DAY_SECONDS = 86_400.0
BUDGET_DAYS = (7, 30, 90)
TOLERANCES_SD = (0.10, 0.15, 0.25)

Progress = Callable[[int, int], None]
"""Is told how many panes are judged again, of how many; a pane counts once a setting."""


class Configured(Struct, frozen=True):
    """What the run itself judged by, and what came of it.

    `tolerance_sd` None: the models have different ones.
    """

    budget: Budget
    tolerance_sd: float | None
    alarms: Sequence[Alarm]


def what_if(
    recorder: Recorder,
    configured: Configured,
    incidents: Sequence[Incident],
    progress: Progress = lambda _done, _total: None,
    jobs: int = 1,
) -> tuple[Setting, ...]:
    """The table, row by row: every tolerance under every budget, as configured among them.

    `recorder` has to have kept the panes; so many `jobs` judge at a time.
    """
    choices = list(_choices(configured))
    others = [choice for choice in choices if not _is_configured(choice, configured)]
    total, done = pane_count(recorder) * len(others), 0

    def steps(panes: int) -> None:
        nonlocal done
        done += panes
        progress(done, total)

    judged = dict(zip(others, judged_again(recorder, others, jobs, steps), strict=True))
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
