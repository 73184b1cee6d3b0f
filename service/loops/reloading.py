"""Notices that the configuration has changed, and hands what is sound of it to the running service.

A thread looks at the files, since judging a configuration may take seconds; the loop takes up what
it has found, between two turns. What is wrong is refused alone and told: what held before holds on.
"""

import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from msgspec import Struct

from config.difference import taken_up
from config.document import Document
from config.errors import Problem
from config.including import contents_hash
from config.loader import Examined, Loaded
from config.settings import Settings
from config.show import show
from config.team_files import TeamFile
from service.clock import Clock
from service.values.reports import ConfigReport

LOOK_SECONDS = 2.0
AGAIN_SECONDS = 30.0

log = structlog.get_logger(__name__)

Examine = Callable[[Document | None, Mapping[str, TeamFile]], Examined]
"""Judges the files as they are now: with a document in place of the root file, and with the files
of teams that held until now.
"""

Keep = Callable[[Mapping[str, TeamFile]], None]
"""Remembers files of teams as they hold now, for a restart."""


class Taken(Struct, frozen=True):
    """A configuration to take up: what of it holds from now on, its hash and its text."""

    settings: Settings
    config_hash: str
    text: str


class Reloading:
    """One for a process. `look` and `ask` are for the thread and the signal, the rest for the loop.

    `keep` is given the files of teams that hold. A change is judged once it has been there for two
    looks, so that no half-written file is.
    """

    def __init__(
        self,
        file: Path | None,
        loaded: Loaded,
        examine: Examine,
        clock: Clock,
        keep: Keep = lambda _: None,
    ) -> None:
        self._file = file
        self._keep = keep
        self._examine = examine
        self._clock = clock
        self._found = self._taken = loaded
        self._settings = loaded.settings
        self._hash = loaded.hash
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._seen = self._judged = self._contents()
        is_ok = loaded.included.is_ok
        self._files = {str(file): True, **is_ok} if file is not None else {}
        self._problems = loaded.included.problems
        self._waiting: tuple[str, ...] = ()
        self._because = self._fault = ""
        self._again = self._judge_again = math.inf
        self._success_seconds = clock.now() if all(is_ok.values()) else None
        _tell_refused(self._problems)
        keep(loaded.included.teams)

    def ask(self) -> None:
        """Look at once, whether anything has changed or not."""
        self._asked.set()

    def run(self, stop: threading.Event) -> None:
        """Look every few seconds, or when asked, until `stop` is set; whatever a look raises."""
        while not stop.is_set():
            self._asked.wait(LOOK_SECONDS)
            if stop.is_set():
                return
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - nobody would look any more
                self._could_not_look(error)

    def look(self) -> None:
        """Judge the files anew, if they have changed or somebody has asked."""
        contents = self._contents()
        settled = contents == self._seen
        self._seen = contents
        if self._asked.is_set():
            self._asked.clear()
        elif not settled or (contents == self._judged and not self._is_due()):
            return
        self._judged, self._judge_again = contents, math.inf
        self._judge()
        with self._lock:
            self._fault = ""

    def take(self) -> Taken | None:
        """What is to be taken up, None where nothing has changed since it was last asked."""
        with self._lock:
            found = self._found
            if found is self._taken and self._clock.monotonic() < self._again:
                return None
            self._taken, self._again = found, math.inf
        settings, waiting = taken_up(self._settings, found.settings)
        self._waiting = waiting
        in_force = found.under(settings)
        if in_force.hash == self._hash:
            self._succeeded()
            return None
        return Taken(settings, in_force.hash, show(in_force))

    def took(self, taken: Taken) -> None:
        """All of it is in force."""
        before, self._settings, self._hash = self._hash, taken.settings, taken.config_hash
        self._because = ""
        self._succeeded()
        waiting = list(self._waiting)
        log.info("config_reloaded", hash=self._hash, before=before, waiting_for_restart=waiting)

    def failed(self, because: str, *, may_pass: bool) -> None:
        """It cannot be taken up: what held before holds on until the files change again, or for a
        while, if it is a failure that may pass.
        """
        if self._because != because:
            log.error("config_not_taken_up", reason=because)
        self._because = because
        self._again = self._clock.monotonic() + AGAIN_SECONDS if may_pass else math.inf

    def report(self) -> ConfigReport:
        """What is told of the configuration."""
        with self._lock:
            files, problems, fault = dict(self._files), self._problems, self._fault
        told = [f"{problem}. What it said last holds on" for problem in problems]
        told += [f"the configuration cannot be taken up: {self._because}"] if self._because else []
        told += [f"the configuration cannot be judged: {fault}"] if fault else []
        waits = ", ".join(self._waiting)
        told += [f"a restart is needed for what has changed of: {waits}"] if waits else []
        return ConfigReport(
            hash=self._hash,
            files=files,
            is_taken_up=all(files.values()) and not self._because and not fault,
            success_seconds=self._success_seconds,
            waiting=self._waiting,
            warnings=tuple(told),
        )

    def _judge(self) -> None:
        teams = self._found.included.teams
        examined = self._examine(None, teams)
        problems, root_is_ok = examined.problems, not examined.problems
        if not root_is_ok:
            # Files of teams are taken up all the same, with what the root file said last.
            examined = self._examine(self._found.places.document, teams)
        problems = (*problems, *examined.included.problems)
        _tell_refused(problems)
        self._keep(examined.included.teams)
        with self._lock:
            self._files = {str(self._file): root_is_ok, **examined.included.is_ok}
            self._problems = problems
            if not examined.problems:
                self._found = examined.loaded()

    def _could_not_look(self, error: Exception) -> None:
        """A fault of ours or of the machine: it is told once, and judged again after a while."""
        fault = f"{type(error).__name__}: {error}"
        if fault != self._fault:
            log.error("config_look_failed", reason=fault, exc_info=error)
        with self._lock:
            self._fault = fault
        self._asked.clear()
        self._judge_again = self._clock.monotonic() + AGAIN_SECONDS

    def _is_due(self) -> bool:
        return self._clock.monotonic() >= self._judge_again

    def _succeeded(self) -> None:
        with self._lock:
            if all(self._files.values()):
                self._success_seconds = self._clock.now()

    def _contents(self) -> bytes:
        return (
            b"" if self._file is None else contents_hash(self._file, self._found.settings.include)
        )


def _tell_refused(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        log.error("config_refused", file=problem.file, line=problem.line, reason=str(problem))
