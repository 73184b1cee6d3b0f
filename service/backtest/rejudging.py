"""The kept panes of a replay, judged again under other budgets and tolerances."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from service.backtest.recorder import Recorder, Stretch
from service.backtest.transitions import alarms_of, in_order
from service.backtest.workers import Steps, shared_out
from service.monitor.counting.panes import Pane
from service.monitor.judging.comparison import Comparison, Transition
from service.values.backtests import Alarm
from service.values.watches import Budget, Watch

STEP_PANES = 250
"""So often it is told how far things are."""


class Choice(Struct, frozen=True):
    """A budget and a tolerance; None leaves each model its own tolerance."""

    budget: Budget
    tolerance_sd: float | None

    def of(self, watch: Watch) -> Watch:
        """The same watch under this choice; windows and policies cost time and judge nothing."""
        tolerance = watch.tolerance_sd if self.tolerance_sd is None else self.tolerance_sd
        return replace(watch, windows=(), policy=None, budget=self.budget, tolerance_sd=tolerance)


def pane_count(recorder: Recorder) -> int:
    """How many panes are judged again under each choice."""
    return sum(_panes_of(stretches) for stretches in _models(recorder))


def judged_again(
    recorder: Recorder, choices: Sequence[Choice], jobs: int, steps: Steps
) -> list[tuple[Alarm, ...]]:
    """The alarms under each choice, in order of time; `steps` counts panes, once a choice.

    They are those of a replay under that choice, told from the pane alone. Every model version
    under every choice is a task of its own: nothing that one learns concerns another.
    """
    # The longest first, so that none is left to be waited for at the end.
    models = sorted(_models(recorder), key=lambda stretches: -_panes_of(stretches))
    tasks = [(model, choice) for model in range(len(models)) for choice in range(len(choices))]

    def work(task: int, told: Steps) -> bytes:
        model, choice = tasks[task]
        return msgspec.msgpack.encode(_alarms(models[model], choices[choice], told))

    found: list[list[Alarm]] = [[] for _ in choices]
    for (_, choice), alarms in zip(tasks, shared_out(len(tasks), jobs, work, steps), strict=True):
        found[choice] += msgspec.msgpack.decode(alarms, type=list[Alarm])
    return [in_order(alarms) for alarms in found]


def _models(recorder: Recorder) -> list[list[Stretch]]:
    """The stretches of each model version."""
    return [model.stretches for model in recorder.models.values()]


def _panes_of(stretches: Sequence[Stretch]) -> int:
    return sum(stretch.panes for stretch in stretches)


def _alarms(stretches: Sequence[Stretch], choice: Choice, steps: Steps) -> tuple[Alarm, ...]:
    """Those of one model version under one choice."""
    transitions: list[Transition] = []
    earlier: Comparison | None = None
    untold = 0
    for stretch in stretches:
        comparison = _under(stretch, choice, earlier)
        for position, pane in enumerate(_panes(stretch)):
            if position in stretch.sharing:
                comparison.share_budget(stretch.sharing[position])
            transitions += comparison.judge(pane)
            untold += 1
            if untold == STEP_PANES:
                steps(untold)
                untold = 0
        earlier = comparison
    steps(untold)
    return alarms_of(transitions)


def _under(stretch: Stretch, choice: Choice, earlier: Comparison | None) -> Comparison:
    """A comparison under a choice, that goes on with what does not depend on the reference."""
    known = stretch.comparison
    comparison = known.under(choice.of(known.watch))
    if earlier is not None:
        comparison.take_over(earlier)
    return comparison


def _panes(stretch: Stretch) -> Iterator[Pane]:
    for kept in stretch.log or ():
        pane = Pane(kept.start_seconds, stretch.comparison.plan)
        pane.summary.rows = kept.rows
        pane.summary.cells[:] = kept.cells
        yield pane
