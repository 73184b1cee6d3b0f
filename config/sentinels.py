"""Values that mean `not there`: -999, an empty text, N/A."""

import math
from typing import Annotated, Any

from pydantic import BeforeValidator


def _is_sentinel(value: Any) -> Any:
    is_nan = isinstance(value, float) and math.isnan(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or is_nan:
        raise ValueError("must be a number or a text (null is missing anyway)")
    return value


Sentinels = tuple[Annotated[float | str, BeforeValidator(_is_sentinel)], ...]
