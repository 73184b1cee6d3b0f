"""What was opened is closed where what comes behind it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Closable(Protocol):
    """What holds connections."""

    def close(self) -> None:
        """Let go of them."""


@contextmanager
def closed_on_error(opened: Closable) -> Iterator[None]:
    """Close what was opened where the body raises: a start is tried again and again."""
    try:
        yield
    except BaseException:
        opened.close()
        raise
