"""Bad input as a value: what was refused, why and where it stood."""

from enum import StrEnum

from msgspec import Struct

from service.values.records import Partition, Record
from service.values.streams import ModelKey


class Reason(StrEnum):
    """Why a record or a row was refused; the label `reason`. Closed, so that it can be routed on.

    Of records: MALFORMED (not what the decode chain expects), OVERSIZED, NO_MODEL (the mapping
    found no model name), NO_FIELDS (nor features, a prediction or a latency), OVER_LIMIT,
    CORRUPT_BATCH (Kafka's own framing is damaged).
    Of rows: MISTYPED (no usable features and no prediction), TIMESTAMP (unreadable), FUTURE,
    OVER_LIMIT. LATE rows are counted apart, since they are well formed.
    """

    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    NO_MODEL = "no_model"
    NO_FIELDS = "no_fields"
    OVER_LIMIT = "over_limit"
    CORRUPT_BATCH = "corrupt_batch"
    MISTYPED = "mistyped"
    TIMESTAMP = "timestamp"
    FUTURE = "future"
    LATE = "late"


class Reject(Struct, frozen=True):
    """One refused record, or one refused row of it.

    `row` is the row's position within the record, None when the whole record was refused;
    `model` is known only for rows. `detail` is for a person: the field and what was wrong.
    `record` is kept for the dead-letter topic.
    """

    reason: Reason
    detail: str
    partition: Partition
    record: Record
    row: int | None = None
    model: ModelKey | None = None
