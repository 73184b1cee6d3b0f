"""A worker that kills itself at one step of its way: `--config FILE --at STEP:MOMENT:NTH`.

STEP is what it is about to append, or to do: parts, head, tombstones (of its state), panes,
progress (to the judge), commit. MOMENT is `before` or `after` it, or `amid`: half of it is there
(of a commit all). NTH counts how often it came to that step. The product has no hook for this: the
worker is put together as always, then its topics are wrapped.
"""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from msgspec import structs

from service.clock import SystemClock
from service.commands.run import serve
from service.commands.soundness import soundness
from service.composition.fleet import worker_service
from service.composition.worker import SharedParts
from service.logs import configure
from service.state.shards.layout import HEAD, decode_key
from service.values.keyed_log import Draft, Follower, KeyedLog
from service.values.records import Partition

STEPS = ("parts", "head", "tombstones", "panes", "progress", "commit")
MOMENTS = ("before", "amid", "after")


class Death(NamedTuple):
    """When it comes."""

    step: str
    moment: str
    nth: int

    @classmethod
    def read(cls, text: str) -> "Death":
        """As it is written on the command line."""
        step, moment, nth = text.split(":")
        if step not in STEPS or moment not in MOMENTS:
            raise ValueError(f"{text} is none of {STEPS}, {MOMENTS}")
        return cls(step, moment, int(nth))


class Fate:
    """Knows how often each step was reached, and ends the process when it is time."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._times = dict.fromkeys(STEPS, 0)

    def reach(self, step: str) -> bool:
        """Called before each step; whether it is to end amid or after this one."""
        self._times[step] += 1
        is_now = step == self._death.step and self._times[step] >= self._death.nth
        if is_now and self._death.moment == "before":
            die()
        return is_now

    @property
    def is_amid(self) -> bool:
        """Whether half of the step is to be done before."""
        return self._death.moment == "amid"


def die() -> None:
    """SIGKILL, to ourselves."""
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedLog:
    """A topic of ours whose appends may be the last."""

    def __init__(self, log: KeyedLog, fate: Fate) -> None:
        self._log = log
        self._fate = fate

    @property
    def topic(self) -> str:
        return self._log.topic

    @property
    def partition_count(self) -> int:
        return self._log.partition_count

    def append(self, drafts: Sequence[Draft]) -> float:
        steps = {step_of(draft) for draft in drafts}
        for step in [step for step in STEPS if step in steps]:
            if self._fate.reach(step):
                self._last(step, drafts)
        return self._log.append(drafts)

    def read(self, partition: int) -> Iterator[Any]:
        return self._log.read(partition)

    def follow(self, positions: Mapping[int, int | None]) -> Follower:
        return self._log.follow(positions)

    def close(self) -> None:
        self._log.close()

    def _last(self, step: str, drafts: Sequence[Draft]) -> None:
        """All before the step, and of it all or half; then the end."""
        ours = [i for i, draft in enumerate(drafts) if step_of(draft) == step]
        count = (len(ours) + 1) // 2 if self._fate.is_amid else len(ours)
        self._log.append(drafts[: ours[count - 1] + 1])
        die()


class DoomedSource:
    """A source whose commit may be the last that is asked for."""

    def __init__(self, source: Any, fate: Fate) -> None:
        self._source = source
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        ends = self._fate.reach("commit")
        self._source.commit(positions)
        if ends:
            die()


def step_of(draft: Draft) -> str:
    """Which step of a flush a record belongs to."""
    key = decode_key(draft.key)
    if key is None:
        (tag, *_), _ = msgspec.msgpack.decode(draft.key)
        return "panes" if tag == "pane" else "progress"
    if draft.value is None:
        return "tombstones"
    return "head" if key.part == HEAD else "parts"


@click.command()
@click.option("--config", "config_file", type=click.Path(path_type=Path), required=True)
@click.option("--at", required=True)
def main(config_file: Path, at: str) -> None:
    """Serve as a worker until then."""
    loaded = soundness(config_file, os.environ, SystemClock().now()).loaded()
    configure(loaded.settings.log.format, loaded.settings.log.level)
    service = worker_service(loaded.settings, loaded.hash)
    fate = Fate(Death.read(at))
    parts = service.parts

    def open_shared() -> SharedParts:
        shared = parts.open_shared()
        topics = shared.topics
        topics.store._log = DoomedLog(topics.store._log, fate)
        panes = DoomedLog(topics.panes, fate)
        return structs.replace(shared, topics=structs.replace(topics, panes=panes))

    source = DoomedSource(parts.source, fate)
    service.parts = structs.replace(parts, source=source, open_shared=open_shared)
    serve(service, loaded.settings.web.host, loaded.settings.web.port)


if __name__ == "__main__":
    main()
