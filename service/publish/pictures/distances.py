"""A distance to the reference, and beside it what sampling alone explains of it."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from service.publish.pictures.svg import bar, path, place, tag
from service.publish.words import decimals

WIDTH, HEIGHT = 96.0, 14.0
LOWEST, HIGHEST = 0.001, 1.0
"""The ends of the axis, which is logarithmic: what is beyond is drawn at them."""


def distance_bar(
    distance: float | None, expected: float | None, limits: Sequence[float] = ()
) -> Markup:
    """A bar of the distance over a band that ends with a line at `expected`, and a dashed line at
    each limit.

    The bar changes its colour from the first limit on. Empty where the distance is not known.
    """
    if distance is None or math.isnan(distance):
        return Markup("")
    known = expected is not None and not math.isnan(expected)
    by_chance = 0.0 if expected is None or not known else place_of(expected)
    strokes = "".join(f"M{place(place_of(limit))} 0V{place(HEIGHT)}" for limit in limits)
    over = bool(limits) and distance >= min(limits)
    return tag(
        "svg",
        bar(0, 0, WIDTH, HEIGHT, "track"),
        bar(0, 0, by_chance, HEIGHT, "band"),
        bar(0, 4, place_of(distance), 6, "value"),
        path(strokes, "level"),
        path(f"M{place(by_chance)} 0V{place(HEIGHT)}" if known else "", "chance"),
        role="img",
        class_="bar over" if over else "bar",
        viewBox=f"0 0 {place(WIDTH)} {place(HEIGHT)}",
        width=WIDTH,
        height=HEIGHT,
        aria_label=_sentence(distance, expected if known else None, limits),
    )


def place_of(distance: float) -> float:
    """Where a distance ends on the axis, from 0 to WIDTH."""
    inside = min(max(distance, LOWEST), HIGHEST)
    return WIDTH * math.log(inside / LOWEST) / math.log(HIGHEST / LOWEST)


def _sentence(distance: float, expected: float | None, limits: Sequence[float]) -> str:
    parts = [decimals(distance)]
    if expected is not None:
        parts.append(f"sampling alone explains {decimals(expected)}")
    if limits:
        parts.append(f"limits at {' and '.join(map(decimals, limits))}")
    return "; ".join(parts)
