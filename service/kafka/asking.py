"""Questions to the brokers that end in time, whatever becomes of the client that asks."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from kafka.errors import KafkaTimeoutError

T = TypeVar("T")


class Stuck(KafkaTimeoutError):  # type: ignore[misc]  # kafka-python has no types
    """The client itself does not come back; it is not to be used again."""


def within(seconds: float, question: Callable[[], T]) -> T:
    """The answer, or the error that the question ended with.

    kafka-python keeps time on its IO thread, and who asks waits for that thread without a limit. So
    it is asked from a thread of its own, which is left behind when it does not come back.

    Raises:
        Stuck: `seconds` are over.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            errors.append(error)

    thread = Thread(target=ask, name="kafka-question", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise Stuck(f"the client did not come back within {seconds:g} s")
    return answers[0]
