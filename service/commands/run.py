"""`anchorwatch run`: the service."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

import click
import structlog

from config.assignments import NOTHING, Assignments
from config.document import Document
from config.loader import Examined, Loaded
from config.settings import Settings
from config.show import show
from config.team_files import TeamFile
from service.allocator import use_one_arena
from service.clock import Clock, SystemClock
from service.commands import config_option
from service.commands.check_references import read_references
from service.commands.partly_watched import partly_watched
from service.commands.soundness import Before, soundness
from service.commands.unused_order import unused_order
from service.composition.alone import service_of
from service.logs import configure
from service.loops.reloading import Examine, Reloading
from service.publish.server import Server
from service.state.accepted_files import keep_files, kept_files

_SWITCH_SECONDS = 0.001
"""How long the loop may hold the interpreter while a scrape waits; Python's default is 5 ms."""

_LAST_WORDS_SECONDS = 10.0
"""How long a failed liveness is shown before the process ends itself."""

log = structlog.get_logger(__name__)


@click.command("run", options_metavar="[--config FILE] [OPTIONS]")
@config_option
@click.option(
    "--accept-lost-state",
    is_flag=True,
    help="Start anew although the group has read before and there is no state of it. A worker "
    "gives up what was counted of the partitions whose state is lost or damaged, a judge what it "
    "has learned, its windows and the episodes that last.",
)
@click.option(
    "--role",
    type=click.Choice(["all", "worker", "judge"]),
    help="What this process does; over what the configuration says.",
)
def command(config_file: Path | None, role: str | None, *, accept_lost_state: bool) -> None:
    """Consume prediction events, judge them, and serve /metrics and a status page.

    Ends on SIGTERM or SIGINT after one last checkpoint. One process of role all does everything,
    with one state directory; it has to own every partition of its topics. A fleet is any number of
    workers, which share the partitions, and one judge; their state is in topics.

    \b
    anchorwatch run --config anchorwatch.yaml
    curl http://localhost:9108/metrics
    anchorwatch run --config anchorwatch.yaml --role worker
    """  # noqa: D301 - click reads \b as its paragraph mark
    said = NOTHING if role is None else Assignments((f"role={role}",), option="--{key}")
    clock = SystemClock()
    loaded = loaded_at_start(config_file, said, clock)
    configure(loaded.settings.log.format, loaded.settings.log.level)
    _tell_unwatched(loaded.settings)
    path = loaded.settings.state.path
    keep = partial(keep_files, path) if _has_directory(loaded.settings) else lambda _: None
    reloading = Reloading(config_file, loaded, examiner(config_file, said, clock), clock, keep)
    service = service_of(
        loaded.settings,
        loaded.hash,
        accept_lost_state=accept_lost_state,
        config_file=config_file,
        settings_text=show(loaded),
        reloading=reloading,
    )
    web = loaded.settings.web
    serve(service, web.host, web.port, reloading=reloading)


def loaded_at_start(config_file: Path | None, said: Assignments, clock: Clock) -> Loaded:
    """What holds from the start on: in place of a file of a team that is wrong, what it said when
    the process before had it, where that is known. Raises ConfigurationProblems.
    """
    loaded = soundness(config_file, os.environ, clock.now(), said).loaded()
    if not loaded.included.problems or not _has_directory(loaded.settings):
        return loaded
    detection = loaded.places.document.data.get("detection")
    kept = kept_files(loaded.settings.state.path, detection)
    return soundness(config_file, os.environ, clock.now(), said, Before(None, kept)).loaded()


def _has_directory(settings: Settings) -> bool:
    return settings.state.store == "directory"


def examiner(config_file: Path | None, said: Assignments, clock: Clock) -> Examine:
    """Judges the configuration anew, by all that `run` looks at before it begins."""

    def examine(root: Document | None, teams: Mapping[str, TeamFile]) -> Examined:
        found = soundness(config_file, os.environ, clock.now(), said, Before(root, teams))
        return found.examined.with_problems(found.problems)

    return examine


def _tell_unwatched(settings: Settings) -> None:
    """Log what is not watched of a reference, whose hash is that of no file then, and what is not
    used of one.
    """
    references, _ = read_references(settings, ())
    for part in partly_watched(settings, references.values()):
        log.warning(
            "reference_partly_watched",
            model=part.model,
            features=list(part.features),
            reference_hash=part.hash,
            file_hash=part.file_hash,
            words=part.sentences(),
        )
    for words in unused_order(settings, references.values()):
        log.warning("reference_partly_used", words=words)


class Serving(Protocol):
    """A process that shows a page, whatever its role."""

    def server(self, host: str, port: int) -> Server:
        """A server of its page."""
        ...

    def alive(self) -> str | None:
        """Why it is stuck, None while it is not."""
        ...

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        ...


def serve(
    service: Serving,
    host: str,
    port: int,
    started: Callable[[int], None] = lambda _: None,
    reloading: Reloading | None = None,
) -> None:
    """Serve until a signal says stop. A process that hangs ends itself, to be started anew.

    `reloading` looks for changes of the configuration meanwhile, at once after SIGHUP. `started` is
    told the port once it is served on; with `port` 0 nobody knows it earlier.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    use_one_arena()
    stop = stop_on_signals()
    server = service.server(host, port)
    server.start()
    log.info("serving", host=host, port=server.port)
    started(server.port)
    threading.Thread(target=_guard, args=(service, stop), name="watchdog", daemon=True).start()
    if reloading is not None:
        _follow_files(reloading, stop)
    try:
        service.run(stop)
    finally:
        server.stop()
    log.info("stopped")


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def _follow_files(reloading: Reloading, stop: threading.Event) -> None:
    def ask(_number: int, _frame: FrameType | None) -> None:
        reloading.ask()

    signal.signal(signal.SIGHUP, ask)
    threading.Thread(target=reloading.run, args=(stop,), name="config", daemon=True).start()


def _guard(service: Serving, stop: threading.Event) -> None:
    """kafka-python can wait for ever inside a call: then nobody else can end the process."""
    while not stop.wait(1.0):
        complaint = service.alive()
        if complaint is not None:
            log.critical("stuck", reason=complaint)
            time.sleep(_LAST_WORDS_SECONDS)
            if service.alive() is not None:
                os._exit(70)
