"""A child process that does not outlive the tests."""

import atexit
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

TAIL_LINES = 40


class ChildProcess:
    """One program, its output in a file. It is ended by its own process id and by nothing else.

    It also ends when the tests are interrupted: at interpreter exit and, where the kernel can do
    it, even when the test process itself is killed.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ):
        self.name = name
        self.log = log
        with log.open("ab") as output:
            starting = _starter().submit(
                subprocess.Popen,
                [*_dies_with_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # Ctrl-C reaches pytest alone, which then stops us in order
            )
            self._process = starting.result()
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """False once it ended, for whatever reason."""
        return self._process.poll() is None

    def wait(self, deadline_seconds: float) -> int:
        """The exit code once it has ended by itself; TimeoutError with the end of its output."""
        try:
            self._process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            problem = f"{self.name} still runs after {deadline_seconds:.0f} s:\n{self.tail()}"
            raise TimeoutError(problem) from None
        return self._ended()

    def terminate(self, deadline_seconds: float = 30.0) -> int:
        """SIGTERM, wait, and SIGKILL when the deadline has passed. Returns the exit code."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(deadline_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._ended()

    def kill(self) -> int:
        """SIGKILL. Returns the exit code; does nothing when it has ended."""
        if self.running:
            self._process.kill()
        return self._ended()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, SIGSTOP and SIGCONT for instance."""
        self._process.send_signal(number)

    def tail(self) -> str:
        """The last lines of what it printed."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def _ended(self) -> int:
        code = self._process.wait(30)
        atexit.unregister(self.kill)
        return code


@cache
def _starter() -> ThreadPoolExecutor:
    """A thread that lives as long as this process does. The kernel ends a child with the *thread*
    that started it, and some tests start theirs in threads that end before.
    """
    return ThreadPoolExecutor(1, "starter of processes")


def _dies_with_us() -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    # If we died before it could ask, its parent is already another.
    unless_orphaned = '[ "$PPID" = "$0" ] && exec "$@"'
    return [setpriv, "--pdeathsig", "KILL", "sh", "-c", unless_orphaned, str(os.getpid())]
