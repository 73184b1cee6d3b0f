"""Which generated struct decodes the events of which model versions, and how it becomes columns."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import msgspec

from service.ingest.decode.binding import Binding
from service.ingest.decode.bindings import Bindings
from service.ingest.decode.identity import Pair
from service.ingest.decode.shapes import EventType, NoType, Shape, event_type, leaves_of
from service.ingest.decode.typed_columns import Reads, reads_of
from service.values.plans import Schedule
from service.values.streams import ModelKey

ROUTES_MAX = 5000
MODELS_MAX = 200
"""Structs in the union; the events of further models take the general path."""

_STRANGER = "\N{REPLACEMENT CHARACTER} no model of ours"


class Route(NamedTuple):
    """What the events of one raw model name and raw version are, while the schedule holds."""

    model: ModelKey
    schedule: Schedule
    binding: Binding
    reads: Reads


class Routes:
    """Grows by the model versions that the general path met, if their schedules allow it.

    Construction raises NoType when no struct can hold what the shape reads.
    """

    def __init__(self, shape: Shape, bindings: Bindings) -> None:
        self._shape = shape
        self._bindings = bindings
        self._routes: dict[Pair, Route] = {}
        self._refused: dict[Pair, Schedule] = {}
        self._types: dict[str, EventType] = {}
        self._models: dict[type, str] = {}
        # A union makes the tag obligatory, so there is always a second struct in it. It has what
        # every event has, in the same attributes.
        self._stranger = event_type(shape, _STRANGER, leaves_of(shape, ()))
        self.decode: Callable[[bytes], Any] | None = None

    @property
    def version_attribute(self) -> str | None:
        """The attribute of every struct that holds the raw version; None: it is a constant."""
        version = self._shape.version
        return self._stranger.attributes[version] if version else None

    def of(self, struct: type, version: str | int | None) -> Route | None:
        """The route of events, None when there is none or its schedule is no longer in force."""
        pair = (self._models.get(struct, ""), version)
        route = self._routes.get(pair)
        if route is None or self._bindings.schedule(route.model) is route.schedule:
            return route
        del self._routes[pair]
        return None

    def learn(self, seen: dict[Pair, ModelKey]) -> None:
        """Take over the model versions that were seen."""
        fresh: dict[str, dict[Pair, Route]] = {}
        for pair, model in seen.items():
            route = self._possible(pair, model)
            if route is not None:
                fresh.setdefault(pair[0], {})[pair] = route
        changed = [self._extend(name, routes) for name, routes in fresh.items()]
        if any(changed):
            self._assemble()

    def _possible(self, pair: Pair, model: ModelKey) -> Route | None:
        schedule = self._bindings.schedule(model)
        full = len(self._routes) >= ROUTES_MAX
        full |= pair[0] not in self._types and len(self._types) >= MODELS_MAX
        altered = pair[0] != model.model  # such as a lone surrogate, which cannot be a tag
        if (
            schedule is None
            or full
            or altered
            or pair in self._routes
            or self._refused.get(pair) is schedule
        ):
            return None
        plan = schedule.plans[0][1]
        if not schedule.settled or plan.learn_inputs:
            return None
        binding = self._bindings.binding(plan)
        if binding.excluded or not binding.exact:
            return None
        return Route(model, schedule, binding, Reads())

    def _extend(self, name: str, fresh: dict[Pair, Route]) -> bool:
        """Add routes of one model; True when its struct is another one now."""
        kept = {pair: route for pair, route in self._routes.items() if pair[0] == name}
        routes = kept | fresh
        old = self._types.get(name)
        try:
            leaves = leaves_of(self._shape, [route.binding for route in routes.values()])
            same = old is not None and old.leaves == leaves
            new = old if old is not None and same else event_type(self._shape, name, leaves)
        except NoType:
            self._refuse(fresh)
            return False
        self._types[name] = new
        for pair, route in routes.items():
            reads = reads_of(self._shape, new, route.binding)
            self._routes[pair] = route._replace(reads=reads)
        return not same

    def _refuse(self, fresh: dict[Pair, Route]) -> None:
        if len(self._refused) >= ROUTES_MAX:
            self._refused = {}
        self._refused.update({pair: route.schedule for pair, route in fresh.items()})

    def _assemble(self) -> None:
        self._models = {kind.struct: name for name, kind in self._types.items()}
        structs: list[Any] = list(self._models)
        if self._shape.model is not None:
            structs.append(self._stranger.struct)
        self.decode = msgspec.json.Decoder(reduce(or_, structs)).decode
