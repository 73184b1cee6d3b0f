"""What one chunk has yielded so far: rows by model version and plan, rejects, and the books."""

from service.ingest.decode.binding import Binding
from service.ingest.decode.columns import Columns, RowBuilder, joined, to_batch
from service.values.batches import Batch, Decoded
from service.values.records import Chunk
from service.values.rejects import Reason, Reject
from service.values.streams import ModelKey


class Harvest:
    """Gathers what becomes of each record of a chunk."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.ignored = 0
        self._rejects: list[tuple[int, Reject]] = []
        self._builders: dict[tuple[ModelKey, int], RowBuilder] = {}
        self._columns: dict[tuple[ModelKey, int], tuple[Binding, list[Columns]]] = {}
        self.too_many: dict[ModelKey, set[str]] = {}

    def builder(self, model: ModelKey, binding: Binding) -> RowBuilder:
        """Where rows of a model version and plan are added one by one."""
        key = (model, id(binding.plan))
        if key not in self._builders:
            self._builders[key] = RowBuilder(binding)
        return self._builders[key]

    def add(self, model: ModelKey, binding: Binding, columns: Columns) -> None:
        """Add many rows at once."""
        key = (model, id(binding.plan))
        self._columns.setdefault(key, (binding, []))[1].append(columns)

    def reject(
        self,
        reason: Reason,
        detail: str,
        position: int,
        row: int | None = None,
        model: ModelKey | None = None,
    ) -> None:
        """Note a refused record, or a refused row of it."""
        record = self.chunk.records[position]
        reject = Reject(reason, detail, self.chunk.partition, record, row, model)
        self._rejects.append((position, reject))

    def batches(self) -> list[Batch]:
        """One batch per model version and plan, by their first record."""
        for (model, _), builder in self._builders.items():
            if builder.positions:
                self.add(model, builder.binding, builder.columns())
        self._builders = {}
        whole = [
            (model, binding, joined(parts))
            for (model, _), (binding, parts) in self._columns.items()
        ]
        whole.sort(key=lambda entry: (int(entry[2].positions[0]), int(entry[2].rows[0])))
        chunk = self.chunk
        return [
            to_batch(model, binding, chunk.partition, chunk.records, columns)
            for model, binding, columns in whole
        ]

    def decoded(self, unknown: dict[ModelKey, frozenset[str]], batches: list[Batch]) -> Decoded:
        """The balanced books of the chunk."""
        self._rejects.sort(key=lambda entry: entry[0])
        rejects = [reject for _, reject in self._rejects]
        skipped = sum(s.last_offset - s.first_offset + 1 for s in self.chunk.skipped)
        rejected = sum(reject.row is None for reject in rejects) + skipped
        consumed = len(self.chunk.records) + skipped
        return Decoded(
            batches=batches,
            rejects=rejects,
            consumed=consumed,
            applied=consumed - self.ignored - rejected,
            ignored=self.ignored,
            rejected=rejected,
            unknown_features=unknown,
        )
