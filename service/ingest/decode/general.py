"""The general path: any record through the compiled mapping, one by one."""

from math import floor, inf, isnan, nan

from config.limits import LimitsSettings
from config.sources import SourceSettings
from service.ingest.decode.admission import clean_name
from service.ingest.decode.binding import Binding
from service.ingest.decode.bindings import Bindings
from service.ingest.decode.chain import compile_chain
from service.ingest.decode.columns import Common
from service.ingest.decode.fields import Sheet, compile_fields
from service.ingest.decode.filters import compile_filter, compile_weight
from service.ingest.decode.harvest import Harvest
from service.ingest.decode.identity import Identity
from service.ingest.decode.json_text import MalformedError
from service.ingest.decode.row import RowReader, why_unusable
from service.ingest.decode.scalars import AS_THEY_ARE, OUT_OF_TEXT, number_in_text
from service.ingest.decode.times import TIME_MAX_SECONDS, event_time
from service.ingest.decode.where import Envelope, Origin, compile_where
from service.values.batches import Batch
from service.values.plans import Plan, Schedule
from service.values.records import Record
from service.values.rejects import Reason
from service.values.streams import ModelKey

_VOID = "no features, prediction or latency where the mapping looks"

UNIT_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


class GeneralPath:
    """Reads records of one source. Raises ConfigurationError when the mapping cannot be read."""

    def __init__(
        self,
        settings: SourceSettings,
        limits: LimitsSettings,
        bindings: Bindings,
        pane_seconds: float,
        origin: Origin,
    ) -> None:
        self._limits = limits
        self._bindings = bindings
        self._pane_seconds = pane_seconds
        self._text = settings.text_numbers or "csv" in settings.decode
        self._decode = compile_chain(settings.decode, f"{origin.place}.decode")
        self._keeps = compile_filter(settings, origin)
        self.identity = Identity(settings, origin)
        self._time = compile_where(settings.time, origin._replace(place=f"{origin.place}.time"))
        self._sheet = compile_fields(settings, origin)
        place = f"{origin.place}.latency"
        self._latency = compile_where(settings.latency.path, origin._replace(place=place))
        self._latency_unit = UNIT_SECONDS[settings.latency.unit]
        self._weight = compile_weight(settings.weight, origin)
        self._rows = RowReader()
        compile_where(settings.id, origin._replace(place=f"{origin.place}.id", row=True))

    def read(self, position: int, harvest: Harvest) -> None:
        """Add all that is in one record to the harvest."""
        record = harvest.chunk.records[position]
        value = record.value
        if not value:
            harvest.ignored += 1  # a tombstone says nothing about predictions
        elif len(value) > self._limits.record:
            size = f"{len(value)} bytes, the limit is {self._limits.record}"
            harvest.reject(Reason.OVERSIZED, size, position)
        else:
            try:
                self._read_value(value, record, position, harvest)
            except MalformedError as error:
                harvest.reject(Reason.MALFORMED, str(error), position)

    def unknown_in(self, batch: Batch) -> set[str]:
        """The features of a batch's first row that its plan does not watch (nor ignore)."""
        record = batch.records[0]
        try:
            envelope = Envelope(self._decode(record.value), record, batch.partition.topic)
            rows = self._sheet(envelope, batch.plan.columns).rows
        except MalformedError:
            return set()
        binding = self._bindings.binding(batch.plan)
        names = {clean_name(name) for name in rows[int(batch.rows[0])].features}
        return {n for n in names - batch.plan.features if not binding.ignores(n)}

    def _read_value(self, value: bytes, record: Record, position: int, harvest: Harvest) -> None:
        envelope = Envelope(self._decode(value), record, harvest.chunk.partition.topic)
        if self._keeps is not None and not self._keeps(envelope):
            harvest.ignored += 1
            return
        model = self.identity.of(envelope)
        if model is None:
            harvest.reject(Reason.NO_MODEL, "no name of a model where the mapping looks", position)
            return
        # A record that says nothing must not make a model version known.
        if not self._bindings.knows(model) and self._is_void(envelope, self._sheet(envelope, ())):
            harvest.reject(Reason.NO_FIELDS, _VOID, position)
            return
        schedule = self._bindings.schedule(model)
        if schedule is None:
            detail = f"{model.model} {model.version} is one model version too many"
            harvest.reject(Reason.OVER_LIMIT, detail, position)
        else:
            self._read_rows(envelope, position, harvest, model, schedule)

    def _read_rows(
        self,
        envelope: Envelope,
        position: int,
        harvest: Harvest,
        model: ModelKey,
        schedule: Schedule,
    ) -> None:
        seconds = self._seconds(envelope)
        plan = self._plan(schedule, seconds)
        sheet = self._sheet(envelope, plan.columns)
        if self._is_void(envelope, sheet):
            harvest.reject(Reason.NO_FIELDS, _VOID, position)
        elif len(sheet.rows) > self._limits.rows_per_record:
            rows = f"{len(sheet.rows)} rows, the limit is {self._limits.rows_per_record}"
            harvest.reject(Reason.OVER_LIMIT, rows, position)
        elif isnan(seconds):
            for row in range(len(sheet.rows)):
                harvest.reject(Reason.TIMESTAMP, "unreadable time", position, row, model)
        else:
            common = Common(position, seconds, *self._latency_and_weight(envelope))
            self._add(sheet, common, harvest, model, self._bindings.binding(plan))

    def _is_void(self, envelope: Envelope, sheet: Sheet) -> bool:
        """True when nothing of what a mapping looks for is there."""
        return not sheet.found and isnan(self._latency_and_weight(envelope)[0])

    def _add(
        self, sheet: Sheet, common: Common, harvest: Harvest, model: ModelKey, binding: Binding
    ) -> None:
        builder = harvest.builder(model, binding)
        inputs = OUT_OF_TEXT if self._text or sheet.features_in_text else AS_THEY_ARE
        outputs = OUT_OF_TEXT if self._text or sheet.prediction_in_text else AS_THEY_ARE
        for number, row in enumerate(sheet.rows):
            wrong = why_unusable(row)
            if wrong:
                harvest.reject(Reason.MISTYPED, wrong, common.position, number, model)
                continue
            surplus = self._rows.add(row, number, common, builder, inputs, outputs)
            if surplus:
                harvest.too_many.setdefault(model, set()).update(surplus)

    def _latency_and_weight(self, envelope: Envelope) -> tuple[float, float]:
        latency = number_in_text(self._latency(envelope)) * self._latency_unit
        return (inf if latency < 0.0 else latency), self._weight(envelope)

    def _seconds(self, envelope: Envelope) -> float:
        found = self._time(envelope)
        if found is None or (self._text and found == ""):
            found = envelope.record.timestamp_seconds
            return found if 0.0 <= found <= TIME_MAX_SECONDS else nan
        return event_time(found)

    def _plan(self, schedule: Schedule, seconds: float) -> Plan:
        if schedule.settled or isnan(seconds):
            return schedule.plans[0][1]
        return schedule.at(floor(seconds / self._pane_seconds) * self._pane_seconds)
