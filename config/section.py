"""What every section is made of: frozen models, and fields that know their unit and bounds."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, core_schema
from pydantic_core.core_schema import ValidationInfo

from config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)

INTERPOLATION_PATTERN = r"\$\{(?:env|file):[^}]+\}"

_T = TypeVar("_T")


class Section(BaseModel):
    """A frozen part of the configuration that refuses keys it does not know.

    `later` names the keys that are known and have no effect in this version: they are refused too,
    with another message, since a key without effect is worse than none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    later: ClassVar[frozenset[str]] = frozenset()


class Atom(Section):
    """A value of several parts that a file says in one text, so it has one line and one origin."""


class Misfit(ValueError):
    """Values that do not go together: pairs of the key at fault and why.

    A key is a name within the section, or the path to it from there.
    """

    def __init__(self, *faults: tuple[str | tuple[str | int, ...], str]) -> None:
        self.faults = tuple((key if isinstance(key, tuple) else (key,), why) for key, why in faults)
        super().__init__("; ".join(f"{'.'.join(map(str, k))}: {why}" for k, why in self.faults))


def refuse(*faults: tuple[bool, str | tuple[str | int, ...], str]) -> None:
    """Raise one Misfit of every (wrong?, key, why) that is wrong, if any is."""
    wrong = [(key, why) for is_wrong, key, why in faults if is_wrong]
    if wrong:
        raise Misfit(*wrong)


def later_values(*names: str, write: str) -> BeforeValidator:
    """A check that refuses values of a later version by name, and says what to write instead."""

    def check(value: Any) -> Any:
        if value in names:
            raise ValueError(f"{value} comes with a later version; write {write}")
        return value

    return BeforeValidator(check)


@dataclass(frozen=True)
class Quantity(ABC):
    """A bounded number: text with its unit in files; Python code may give the number itself.

    Bounds are inclusive and written as in a file; messages, schema and documentation show them.
    """

    at_least: str
    at_most: str
    has_unit: ClassVar[bool] = True

    @property
    def bounds(self) -> str:
        """The bounds in words: `from 1s to 1h`."""
        return f"from {self.at_least} to {self.at_most}"

    @abstractmethod
    def parse(self, text: str) -> float:
        """The number that a text stands for. Raises ValueError."""

    @abstractmethod
    def format(self, number: float) -> str | float:
        """The number as a file would say it."""

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a file may say."""

    def validate(self, value: Any, info: ValidationInfo) -> float:
        """The number within its bounds. Raises ValueError.

        A file (which the loader tells by a validation context) has to say the unit.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"must be one value {self.bounds}")  # noqa: TRY004 - pydantic's rule
        as_text = isinstance(value, str) or info.context is not None or not self.has_unit
        number = self.parse(str(value)) if as_text else float(value)
        if not self.parse(self.at_least) <= number <= self.parse(self.at_most):
            raise ValueError(f"must be {self.bounds}")
        return number

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with `validate`; write JSON as a file would say it."""
        return core_schema.with_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.format, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """What a file may say, a secret or an environment variable in its place included."""
        said = self.json_schema()
        either = [said, {"type": "string", "pattern": INTERPOLATION_PATTERN}]
        return {"anyOf": either, "x-bounds": self.bounds}


@dataclass(frozen=True)
class Seconds(Quantity):
    """A duration: `10s` in files, float seconds in Python."""

    def parse(self, text: str) -> float:
        """Seconds."""
        return parse_duration(text)

    def format(self, number: float) -> str:
        """Text with unit."""
        return format_duration(number)

    def json_schema(self) -> dict[str, Any]:
        """Text with unit."""
        return {"type": "string", "pattern": DURATION_PATTERN}


@dataclass(frozen=True)
class Bytes(Quantity):
    """A size: `1MiB` in files, int bytes in Python."""

    def parse(self, text: str) -> int:
        """Bytes."""
        return parse_size(text)

    def format(self, number: float) -> str:
        """Text with unit."""
        return format_size(int(number))

    def json_schema(self) -> dict[str, Any]:
        """Text with unit."""
        return {"type": "string", "pattern": SIZE_PATTERN}


@dataclass(frozen=True)
class Whole(Quantity):
    """A count: a whole number in files and Python alike."""

    has_unit: ClassVar[bool] = False

    def parse(self, text: str) -> int:
        """A whole number."""
        return _number(text, int, "must be a whole number")

    def format(self, number: float) -> int:
        """The number itself."""
        return int(number)

    def json_schema(self) -> dict[str, Any]:
        """A whole number within the bounds."""
        low, high = self.parse(self.at_least), self.parse(self.at_most)
        return {"type": "integer", "minimum": low, "maximum": high}


@dataclass(frozen=True)
class Real(Quantity):
    """A ratio or another number without a unit."""

    has_unit: ClassVar[bool] = False

    def parse(self, text: str) -> float:
        """A number."""
        return _number(text, float, "must be a number")

    def format(self, number: float) -> float:
        """The number itself."""
        return number

    def json_schema(self) -> dict[str, Any]:
        """A number within the bounds."""
        low, high = self.parse(self.at_least), self.parse(self.at_most)
        return {"type": "number", "minimum": low, "maximum": high}


def _number(text: str, kind: Callable[[str], _T], message: str) -> _T:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(message) from None
