"""What is started and ended by whoever uses it: `with KafkaBroker() as broker`."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self


class Started(ABC):
    """As a context manager it starts, and closes at the end; also when it does not start."""

    @abstractmethod
    def start(self) -> None:
        """Returns once it answers; raises with the end of its log when it does not."""

    @abstractmethod
    def close(self) -> None:
        """Ends it, if it runs, and removes its data."""

    def __enter__(self) -> Self:
        with ExitStack() as unless_started:
            unless_started.callback(self.close)
            self.start()
            unless_started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
