"""The bindings of the plans in use, kept while their schedules stay the same."""

from service.ingest.decode.binding import Binding
from service.ingest.decode.schedules import Schedules
from service.values.plans import Plan, Schedule
from service.values.streams import ModelKey


class Bindings:
    """Asks for each model's schedule once a chunk, and makes each plan ready once."""

    def __init__(
        self,
        schedules: Schedules,
        missing: tuple[float | str, ...],
        never: tuple[str, ...],
        models_max: int,
    ) -> None:
        self._schedules = schedules
        self._missing = missing
        self._never = never
        self._models_max = models_max
        self._asked: dict[ModelKey, Schedule | None] = {}
        self._known: dict[ModelKey, Schedule] = {}
        self._bound: dict[int, Binding] = {}

    def begin(self) -> None:
        """A new chunk: schedules may have changed."""
        self._asked = {}
        if len(self._known) > 2 * self._models_max:
            self._known, self._bound = {}, {}

    def knows(self, model: ModelKey) -> bool:
        """True once a model version was asked about and admitted."""
        return model in self._known

    def schedule(self, model: ModelKey) -> Schedule | None:
        """The schedule for this chunk; None when it is one model too many."""
        if model in self._asked:
            return self._asked[model]
        schedule = self._schedules.schedule(model)
        self._asked[model] = schedule
        if schedule is not None and schedule is not self._known.get(model):
            self._forget(self._known.get(model), schedule)
            self._known[model] = schedule
        return schedule

    def binding(self, plan: Plan) -> Binding:
        """The plan made ready. It holds the plan, so that its identity stays its own."""
        binding = self._bound.get(id(plan))
        if binding is None:
            binding = self._bound[id(plan)] = Binding(plan, self._missing, self._never)
        return binding

    def _forget(self, old: Schedule | None, new: Schedule) -> None:
        kept = {id(plan) for _, plan in new.plans}
        for _, plan in old.plans if old else ():
            if id(plan) not in kept:
                self._bound.pop(id(plan), None)
