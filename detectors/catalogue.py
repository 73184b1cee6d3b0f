"""Every detector of change by the name that an operator writes."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from detectors.change.adwin import Adwin, AdwinParameters
from detectors.change.e_detector import EDetectorParameters
from detectors.change.observation import Detector
from detectors.change.page_hinkley import PageHinkley, PageHinkleyParameters
from detectors.change.river import PREFIX, River, RiverParameters, river_names

_OURS: dict[str, tuple[type[Any], type[Any]]] = {
    "adwin": (Adwin, AdwinParameters),
    "page_hinkley": (PageHinkley, PageHinkleyParameters),
}


E_DETECTOR = "e_detector"
"""The name of the detector of shapes: it is fed counts, so that `build` has none of it."""


def names() -> tuple[str, ...]:
    """Every name that `build` knows: ours, then river's."""
    return (*_OURS, *river_names())


def build(name: str, streams: int, parameters: Mapping[str, Any] | None = None) -> Detector:
    """A fresh bank over `streams` streams.

    `parameters` are the fields of the detector's parameters (river's own arguments for `river.*`);
    what may be a number a stream is a list, a tuple or an array.
    Raises ValueError for an unknown name or parameter and for values out of bounds.
    """
    bank, checked = _resolve(name, parameters or {})
    detector: Detector = bank(streams, checked)
    return detector


def restore(name: str, parameters: Mapping[str, Any] | None, state: Mapping[str, Any]) -> Detector:
    """The bank that `state()` was taken of; raises ValueError as `build` does."""
    bank, checked = _resolve(name, parameters or {})
    detector: Detector = bank.from_state(checked, state)
    return detector


def check(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError, as `build` does, for what cannot be: `e_detector` is known here too."""
    if name == E_DETECTOR:
        _checked(name, EDetectorParameters, parameters)
    else:
        build(name, 1, parameters)


def _resolve(name: str, parameters: Mapping[str, Any]) -> tuple[type[Any], Any]:
    if name.startswith(PREFIX):
        return River, RiverParameters(name, dict(parameters))
    if name not in _OURS:
        known = ", ".join((E_DETECTOR, *names()))
        raise ValueError(f"there is no detector {name!r}; there are {known}")
    bank, kind = _OURS[name]
    return bank, _checked(name, kind, parameters)


def _checked(name: str, kind: type[Any], parameters: Mapping[str, Any]) -> Any:
    known = [f.name for f in fields(kind)]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{name} does not take {', '.join(unknown)}; it takes {', '.join(known)}")
    return kind(**{key: _frozen(value) for key, value in parameters.items()})


def _frozen(value: Any) -> Any:
    """A number a stream is kept as a tuple, however it was given."""
    return tuple(np.asarray(value).tolist()) if isinstance(value, list | np.ndarray) else value
