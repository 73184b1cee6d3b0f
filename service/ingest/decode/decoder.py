"""From bytes to columns: the decoder of one source."""

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.ingest.decode.bindings import Bindings
from service.ingest.decode.general import UNIT_SECONDS, GeneralPath
from service.ingest.decode.harvest import Harvest
from service.ingest.decode.schedules import Schedules
from service.ingest.decode.shapes import NoType, shape_of
from service.ingest.decode.typed import TypedPath
from service.ingest.decode.where import Origin
from service.values.batches import Batch, Decoded
from service.values.records import Chunk
from service.values.streams import ModelKey

UNKNOWN_MAX = 100


class Decoder:
    """Decodes chunks of one source. All that it says is a function of the bytes and the schedules.

    Construction raises ConfigurationError when the mapping cannot be read; `decode` never raises.
    `pane_seconds` is the length of the panes whose start selects a plan.
    """

    def __init__(
        self,
        settings: SourceSettings,
        schedules: Schedules,
        limits: LimitsSettings,
        pane_seconds: float,
    ) -> None:
        origin = Origin(f"source {settings.name!r}", *settings.patterns)
        self._bindings = Bindings(
            schedules, settings.missing, settings.features.exclude, limits.models
        )
        self._general = GeneralPath(settings, limits, self._bindings, pane_seconds, origin)
        self._typed = self._typed_path(settings, limits, origin)

    def decode(self, chunk: Chunk) -> Decoded:
        """What became of each record of a chunk; an empty chunk gives empty books."""
        self._bindings.begin()
        harvest = Harvest(chunk)
        left = self._typed.take(harvest) if self._typed else range(len(chunk.records))
        for position in left:
            self._general.read(position, harvest)
        seen = self._general.identity.taken()
        if self._typed:
            knows = self._bindings.knows
            self._typed.learn({pair: model for pair, model in seen.items() if knows(model)})
        batches = harvest.batches()
        return harvest.decoded(self._unknown(batches, harvest), batches)

    def _typed_path(
        self, settings: SourceSettings, limits: LimitsSettings, origin: Origin
    ) -> TypedPath | None:
        shape = shape_of(settings, origin)
        unit = UNIT_SECONDS[settings.latency.unit]
        try:
            return TypedPath(shape, self._bindings, limits.record, unit) if shape else None
        except NoType:
            return None

    def _unknown(self, batches: list[Batch], harvest: Harvest) -> dict[ModelKey, frozenset[str]]:
        """Features that no plan watches, looked for in the first record of each model version."""
        found = {model: set(names) for model, names in harvest.too_many.items()}
        looked_at: set[ModelKey] = set()
        for batch in batches:
            if batch.model in looked_at or batch.plan.learn_inputs:
                continue
            looked_at.add(batch.model)
            names = self._general.unknown_in(batch)
            found.setdefault(batch.model, set()).update(sorted(names)[:UNKNOWN_MAX])
        return {model: frozenset(names) for model, names in found.items() if names}
