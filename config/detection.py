"""Section `detection`: how rarely it may be wrong, and what is too small to matter."""

import itertools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_serializer, model_validator

from config.season import SeasonSettings
from config.section import INTERPOLATION_PATTERN, Atom, Real, Seconds, Section, Whole, refuse
from config.units import format_duration, parse_duration

DETECTORS = ("e_detector", "adwin", "page_hinkley")
"""Our own detectors, by name; others are `river.<class of river.drift>`."""

_DEFAULTS = ("e_detector", "adwin", "page_hinkley")

_BUDGET = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) per (\S+) (per model|per team|in all)", re.ASCII)


class FalseAlarmBudget(Atom):
    """How many false alarms are accepted: `alarms` in `period_seconds` for each of `scope`.

    Written `1 per 30d per team`, `per model` or `in all`. Every threshold follows from it.
    """

    alarms: float = 1.0
    period_seconds: float = 30 * 86_400.0
    scope: Literal["per model", "per team", "in all"] = "per team"

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, Mapping | FalseAlarmBudget):
            return value
        match = _BUDGET.fullmatch(" ".join(value.split())) if isinstance(value, str) else None
        if match is None:
            raise ValueError("must read like: 1 per 30d per team (or per model, or in all)")
        alarms, period = float(match[1]), parse_duration(match[2])
        if not alarms or not period:
            raise ValueError("must allow for some alarms in some time: 0.1 per 30d in all is rare")
        return {"alarms": alarms, "period_seconds": period, "scope": match[3]}

    @model_serializer(mode="plain")
    def text(self) -> str:
        """As a file says it."""
        return f"{self.alarms:g} per {format_duration(self.period_seconds)} {self.scope}"

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Text in JSON Schema too."""
        said = r"^[0-9.]+ per \S+ (?:per model|per team|in all)$"
        return {"type": "string", "pattern": f"{said}|{INTERPOLATION_PATTERN}"}


class RateTolerance(Section):
    """A larger share does not matter up to the larger one of the two."""

    ratio: Annotated[float, Real("1", "1000")] = Field(
        default=1.5, description="So many times the usual share."
    )
    points: Annotated[float, Real("0", "1")] = Field(
        default=0.002, description="The usual share and so much more (0.002 is 0.2 points of 100)."
    )


class Tolerance(Section):
    """A smaller change never alarms, however certain it is."""

    shift: Annotated[float, Real("0", "10")] = Field(
        default=0.15,
        description="Numeric streams: shift of the mean in standard deviations of the reference, "
        "or as much in shape (0.15 is about PSI 0.02).",
    )
    rate: RateTolerance = Field(
        default=RateTolerance(),
        description="Shares (of two classes, missing, invalid, above a cut-off): both have to be "
        "exceeded.",
    )


class DetectorSettings(Atom):
    """One change detector: its name, and parameters beside those that the budget gives it.

    Written as the bare name, or as a mapping with `name` and the parameters.
    """

    name: str
    parameters: Mapping[str, bool | int | float | str] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, DetectorSettings):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise ValueError("must be a detector's name, or a mapping with name and parameters")  # noqa: TRY004 - pydantic's rule
        given = {key: item for key, item in value.items() if key != "name"}
        nested = given.pop("parameters", {})
        return {"name": value["name"], "parameters": {**nested, **given}}

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.name not in DETECTORS and not re.fullmatch(r"river\.[A-Za-z]\w*", self.name):
            known = ", ".join(DETECTORS)
            raise ValueError(f"must be one of {known}, or a class of river.drift: river.KSWIN")
        return self

    @model_serializer(mode="plain")
    def text(self) -> str | dict[str, Any]:
        """As a file says it."""
        return {"name": self.name, **self.parameters} if self.parameters else self.name

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """A name, or a mapping with a name."""
        name = {"type": "string", "pattern": rf"^(?:{'|'.join(DETECTORS)}|river\.[A-Za-z]\w*)$"}
        scalar = {"type": ["boolean", "number", "string"]}
        mapping = {
            "type": "object",
            "properties": {"name": name},
            "required": ["name"],
            "additionalProperties": scalar,
        }
        return {"anyOf": [name, mapping]}


Window = Annotated[float, Seconds("100ms", "7d")]


class DetectionSettings(Section):
    """How drift is judged."""

    false_alarm_budget: FalseAlarmBudget = Field(
        default=FalseAlarmBudget(),
        description="How many false alarms are accepted. Every threshold follows from it.",
    )
    tolerance: Tolerance = Field(default=Tolerance(), description="A smaller change never alarms.")
    pane: Annotated[float, Seconds("100ms", "1h")] = Field(
        default=60.0, description="The slice of event time in which events are counted together."
    )
    windows: tuple[Window, ...] = Field(
        default=(300.0, 3600.0, 86_400.0),
        min_length=1,
        max_length=8,
        description="Sliding windows that distances are told for: whole panes, ascending.",
    )
    lateness: Annotated[float, Seconds("0s", "24h")] = Field(
        default=60.0,
        description="How long after newer events an event still counts; later ones are late.",
    )
    season: SeasonSettings = Field(
        default=SeasonSettings(),
        description="What streams may follow by the hour without having drifted.",
    )
    recover_after: Annotated[int, Whole("1", "100000")] = Field(
        default=3, description="Quiet panes after which a drift is over."
    )
    idle_after: Annotated[float, Seconds("1s", "24h")] = Field(
        default=60.0, description="Silence after which a partition no longer holds up the others."
    )
    future: Annotated[float, Seconds("0s", "24h")] = Field(
        default=300.0, description="An event further ahead of our clock is rejected."
    )
    forget_after: Annotated[float, Seconds("1m", "400d")] = Field(
        default=7 * 86_400.0,
        description="A model version without an event for so long is forgotten: its series leave "
        "the page, its state the checkpoint.",
    )
    detectors: tuple[DetectorSettings, ...] = Field(
        default=tuple(DetectorSettings(name=name) for name in _DEFAULTS),
        max_length=8,
        description="Change detectors: e_detector (any change of shape, of quality and of volume; "
        "it may use 80 % of the budget), adwin and page_hinkley (of means), or a class of "
        "river.drift (river.KSWIN), each by name or as {name: ..., parameter: ...}.",
    )

    @property
    def window_names(self) -> tuple[str, ...]:
        """The label of each window: `5m`, `1h`, `24h`."""
        return tuple(format_duration(window) for window in self.windows)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        names = [detector.name for detector in self.detectors]
        refuse(
            (
                bool(windows_fault(self.windows, self.pane)),
                "windows",
                windows_fault(self.windows, self.pane),
            ),
            (len(set(names)) < len(names), "detectors", "each detector may be named once"),
        )
        return self


def windows_fault(windows: tuple[float, ...], pane: float) -> str:
    """What is wrong with sliding windows over panes of `pane` seconds; empty when all is well."""
    if any(later <= earlier for earlier, later in itertools.pairwise(windows)):
        return "must ascend, each window once"
    counts = [window / pane for window in windows]
    if any(count < 1 or abs(count - round(count)) > 1e-9 * count for count in counts):
        return f"must be whole panes: multiples of {format_duration(pane)}"
    return ""
