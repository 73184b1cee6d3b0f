"""Which records count, and for how much."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from config.sources import SourceSettings, WeightSettings
from service.ingest.decode.scalars import number_in_text, text_of
from service.ingest.decode.where import Envelope, Origin, Read, compile_where

WEIGHT_MAX = 1e6

Test = Callable[[Envelope], bool]


def compile_filter(settings: SourceSettings, origin: Origin) -> Test | None:
    """True for records to keep: every `keep_if` holds and no `drop_if` does. None: no filter.

    Values are compared as text, so that a header "200" is the 200 of the configuration; null in
    the configuration holds for what is not there.
    """
    keep = _conditions(settings.keep_if, origin._replace(place=f"{origin.place}.keep_if"))
    drop = _conditions(settings.drop_if, origin._replace(place=f"{origin.place}.drop_if"))
    if not keep and not drop:
        return None
    return lambda envelope: (
        all(holds(envelope) for holds in keep) and not any(holds(envelope) for holds in drop)
    )


def compile_weight(weight: WeightSettings | None, origin: Origin) -> Callable[[Envelope], float]:
    """How many predictions a record stands for: in (0, 1e6], 1 when absent or out of range."""
    if weight is None:
        return lambda _: 1.0
    read = compile_where(weight.path, origin._replace(place=f"{origin.place}.weight"))
    inverse = weight.inverse

    def stands_for(envelope: Envelope) -> float:
        found = number_in_text(read(envelope))
        if not isfinite(found) or found <= 0.0:
            return 1.0
        found = 1.0 / found if inverse else found
        return found if found <= WEIGHT_MAX else 1.0

    return stands_for


def _conditions(conditions: Mapping[str, Any], origin: Origin) -> list[Test]:
    return [
        _condition(compile_where((where,), origin), wanted) for where, wanted in conditions.items()
    ]


def _condition(read: Read, wanted: Any) -> Test:
    if wanted == "present":
        return lambda envelope: read(envelope) is not None
    absent = None in wanted
    texts = {text_of(value) for value in wanted} - {None}

    def holds(envelope: Envelope) -> bool:
        found = read(envelope)
        return absent if found is None else text_of(found) in texts

    return holds
