"""What was seen of one stream before there is a reference to compare it with."""

from typing import Final, TypeAlias, final


@final
class InvalidValue:
    """A value that was there but cannot be counted: an infinity, a list, a huge integer.

    There is one, `INVALID_VALUE`; compare with `is`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "INVALID_VALUE"


INVALID_VALUE: Final = InvalidValue()

Value: TypeAlias = float | str | bool | InvalidValue | None
"""One value of a stream without cells; None is missing."""
