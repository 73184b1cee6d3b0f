"""Waiting for brokers at the start: a process comes up without them, and says what it waits for."""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from service.errors import RecoverableError

T = TypeVar("T")

CONNECTING = "connecting to the brokers"
RETRY_SECONDS = 2.0

log = structlog.get_logger(__name__)


def until_opened(
    make: Callable[[], T], stop: threading.Event, waits: Callable[[RecoverableError], None]
) -> T | None:
    """What `make` gives once it does not raise RecoverableError; None when `stop` is set before.

    `waits` is told of each failure; the log only where it is another one.
    """
    told = ""
    while not stop.is_set():
        try:
            return make()
        except RecoverableError as error:
            if str(error) != told:
                told = str(error)
                log.warning("waiting", reason=told)
            waits(error)
        stop.wait(RETRY_SECONDS)
    return None
