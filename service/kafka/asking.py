"""Questions to the brokers that end in time, whatever becomes of the client that asks."""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Generic, TypeVar

from kafka.errors import KafkaTimeoutError

T = TypeVar("T")


class Stuck(KafkaTimeoutError):  # type: ignore[misc]  # kafka-python has no types
    """The client itself does not come back; it is not to be used again."""


def within(
    seconds: float, question: Callable[[], T], too_late: Callable[[T], None] = lambda _: None
) -> T:
    """The answer, or the error that the question ended with.

    kafka-python keeps time on its IO thread, and who asks waits for that thread without a limit. So
    it is asked from a thread of its own, which is left behind when it does not come back; an answer
    that comes all the same is given to `too_late`, to be let go of.

    Raises:
        Stuck: `seconds` are over.
    """
    asking = _Asking(question, too_late)
    thread = Thread(target=asking.run, name="kafka-question", daemon=True)
    thread.start()
    thread.join(seconds)
    answers = asking.leave()
    if asking.errors:
        raise asking.errors[0]
    if not answers:
        raise Stuck(f"the client did not come back within {seconds:g} s")
    return answers[0]


def aside(ending: Callable[[], None]) -> None:
    """Have it done without waiting for it, by a thread of its own: it may never come back."""

    def end() -> None:
        with suppress(Exception):
            ending()

    Thread(target=end, name="kafka-ending", daemon=True).start()


class _Asking(Generic[T]):
    """The answer belongs to whoever comes second: who waits, or the thread that was left behind."""

    def __init__(self, question: Callable[[], T], too_late: Callable[[T], None]) -> None:
        self.errors: list[Exception] = []
        self._question = question
        self._too_late = too_late
        self._answers: list[T] = []
        self._is_left = False
        self._lock = Lock()

    def run(self) -> None:
        """Ask."""
        try:
            answer = self._question()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            self.errors.append(error)
            return
        with self._lock:
            is_wanted = not self._is_left
            if is_wanted:
                self._answers.append(answer)
        if not is_wanted:
            with suppress(Exception):
                self._too_late(answer)

    def leave(self) -> list[T]:
        """The answer, if it is there; nobody waits for it any more."""
        with self._lock:
            self._is_left = True
            return self._answers
