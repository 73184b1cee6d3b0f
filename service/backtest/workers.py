"""Work that is parted among processes.

They are forked, so that what they work on need not be copied to them; what they find comes back as
bytes. So this is for work that reads much and tells little.
"""

import platform
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import msgspec

from service.errors import FatalError

Steps = Callable[[int], None]
"""Is told how many steps were done since it was told last."""

Work = Callable[[int, Steps], bytes]
"""Does the task of a number, tells its steps, and gives what was found."""

_Message = int | tuple[int, bytes]
"""Steps that were done, or a task and what was found."""


def shared_out(tasks: int, jobs: int, work: Work, steps: Steps) -> list[bytes]:
    """What `work` finds in each of so many tasks, which are begun in their order.

    In this process with 1 job, or where processes cannot be forked safely (elsewhere than on
    Linux). Raises FatalError when a process ends before it is done.
    """
    workers = min(jobs, tasks)
    if workers <= 1 or platform.system() != "Linux":
        return [work(task, steps) for task in range(tasks)]
    found: dict[int, bytes] = {}
    with _started(tasks, workers, work) as receivers:
        for message in _messages(receivers):
            if isinstance(message, int):
                steps(message)
            else:
                found[message[0]] = message[1]
    if len(found) < tasks:
        raise FatalError(
            "a process that was judging ended before it was done; is there too little memory? "
            "Fewer at a time, with --jobs 1, need less"
        )
    return [found[task] for task in range(tasks)]


@contextmanager
def _started(tasks: int, workers: int, work: Work) -> Iterator[Sequence[Connection]]:
    """The processes, told by where their messages come in; they end with the context."""
    context = get_context("fork")
    turn = context.Value("q", 0)

    def next_task() -> int:
        with turn.get_lock():
            turn.value += 1
            return int(turn.value) - 1

    pipes = [context.Pipe(duplex=False) for _ in range(workers)]
    processes = [
        context.Process(target=_work, args=(pipes, own, tasks, next_task, work), daemon=True)
        for own in range(workers)
    ]
    try:
        with warnings.catch_warnings():
            # Newer Pythons warn of forking with threads. Ours are those of numerical libraries,
            # which know of forks.
            warnings.simplefilter("ignore", DeprecationWarning)
            for process in processes:
                process.start()
        for _, sender in pipes:
            sender.close()
        yield [receiver for receiver, _ in pipes]
    finally:
        _end(processes)
        for receiver, _ in pipes:
            receiver.close()


def _end(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.pid is not None:
            process.terminate()
            process.join()


def _messages(receivers: Sequence[Connection]) -> Iterator[_Message]:
    """All that comes in, until nobody is there any more."""
    listening = list(receivers)
    while listening:
        ready = wait(listening)
        for receiver in [one for one in listening if one in ready]:
            try:
                yield msgspec.msgpack.decode(receiver.recv_bytes(), type=_Message)
            except EOFError:
                listening.remove(receiver)


def _work(
    pipes: Sequence[tuple[Connection, Connection]],
    own: int,
    tasks: int,
    next_task: Callable[[], int],
    work: Work,
) -> None:
    """The life of a process: one task after the other. Interrupted is who has started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number, (receiver, sender) in enumerate(pipes):
        # While others hold an end, nobody hears that the other end is gone.
        receiver.close()
        if number != own:
            sender.close()
    sender = pipes[own][1]

    def steps(done: int) -> None:
        sender.send_bytes(msgspec.msgpack.encode(done))

    while (task := next_task()) < tasks:
        sender.send_bytes(msgspec.msgpack.encode((task, work(task, steps))))
    sender.close()
