"""A summary under another layout: of the streams that stay the same, all that was seen of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.carried import Carried
from detectors.summary.layout import Layout
from detectors.summary.summary import Summary

_OF_NUMBERS = ("moments", "numbers")
"""Sketches whose arrays are all over the numeric streams."""


def carried_summary(summary: Summary, layout: Layout, carried: Carried) -> Summary:
    """What `summary` has seen of the streams that are carried, under `layout`; it is left as it is.

    `carried` are places of streams, each with the same cells. Rows and weight stay; of the other
    streams of `layout` nothing was seen, not even that a value was missing.
    """
    known, state = summary.state(), Summary(layout).state()
    cells = carried.of_cells(summary.layout.offsets, layout.offsets)
    numbers = carried.up_to(summary.layout.numeric_count, layout.numeric_count)
    for name, fresh in state.items():
        if name.partition(".")[0] in _OF_NUMBERS:
            state[name] = numbers.into(fresh, known[name])
    state |= {"rows": known["rows"], "weight": known["weight"]}
    state["cells"] = cells.into(state["cells"], known["cells"])
    registers = "distinct.registers"
    state[registers] = carried.into(state[registers], known[registers])
    state |= _quantiles(state, known, numbers)
    state |= _names(summary.layout, layout, known, carried)
    return Summary.from_state(layout, state)


def _quantiles(
    state: Mapping[str, Any], known: Mapping[str, Any], numbers: Carried
) -> dict[str, Any]:
    """The histograms lie one behind the other, `sizes` buckets each."""
    ends = np.cumsum(known["quantiles.sizes"])
    starts = ends - known["quantiles.sizes"]
    order = np.argsort(numbers.new)
    held = [slice(starts[old], ends[old]) for old in numbers.old[order].tolist()]
    of_streams = {
        name: numbers.into(state[name], known[name])
        for name in ("quantiles.shifts", "quantiles.sizes")
    }
    of_buckets = {
        name: np.concatenate([known[name][:0], *(known[name][one] for one in held)])
        for name in ("quantiles.keys", "quantiles.counts")
    }
    return of_streams | of_buckets


def _names(
    before: Layout, layout: Layout, known: Mapping[str, Any], carried: Carried
) -> dict[str, Any]:
    """The sketches of names, one a categorical stream: `names.3.counts` and so on."""
    told: dict[str, Any] = {}
    for old, new in zip(carried.old.tolist(), carried.new.tolist(), strict=True):
        if new < layout.numeric_count:
            continue
        prefix = f"names.{old - before.numeric_count}."
        told |= {
            f"names.{new - layout.numeric_count}.{name.removeprefix(prefix)}": value
            for name, value in known.items()
            if name.startswith(prefix)
        }
    return told
