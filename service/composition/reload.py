"""What a running process does when its configuration has changed: settings into its parts, anew."""

from collections.abc import Callable, Collection, Iterable
from importlib.metadata import version

from config.settings import Settings
from service.composition.wiring import (
    episode_rules,
    exchange_references,
    is_watched_otherwise,
    watches,
)
from service.errors import ConfigurationError, RecoverableError
from service.loops.reloading import Reloading, Taken
from service.loops.watching import Process, Watching
from service.monitor.counting.counted import CountedPartition
from service.monitor.counting.shard import Shard
from service.monitor.judging.judge import Judge
from service.monitor.references.given import GivenReferences, ReferenceSource
from service.state.snapshot import decode, encode
from service.values.streams import ModelKey

RegistryOf = Callable[[str], ReferenceSource]


def take_up(reloading: Reloading | None, apply: Callable[[Taken], None]) -> Taken | None:
    """What has changed, once `apply` has put it in force; None where nothing has, or where it
    cannot be used: then what held before holds on.
    """
    taken = None if reloading is None else reloading.take()
    if reloading is None or taken is None:
        return None
    try:
        apply(taken)
    except (ConfigurationError, RecoverableError) as error:
        reloading.failed(str(error), may_pass=isinstance(error, RecoverableError))
        return None
    reloading.took(taken)
    return taken


def judge_by(
    taken: Taken,
    before: Settings,
    judge: Judge,
    given: GivenReferences,
    registry_of: RegistryOf | None,
) -> None:
    """Judge by the settings that are taken up; models follow by `go_over`.

    Raises ConfigurationError and RecoverableError, and has changed nothing then.
    """
    exchange_references(given, taken.settings, registry_of)
    judge.episodes.rules = episode_rules(taken.settings, taken.config_hash)
    judge.watch_as(watches(taken.settings), is_watched_otherwise(before, taken.settings))


def go_over(judge: Judge, partitions: Collection[CountedPartition]) -> list[ModelKey]:
    """Have a few models go over to settings that were taken up: a thousand at once would keep the
    loop for a minute. Which these are.
    """
    return judge.watch_some(partitions, lambda state: decode(encode(state)))


def count_by(judge: Judge, changed: Iterable[ModelKey], shards: Iterable[Shard]) -> None:
    """Have the open panes of these follow the judge's new plans, where it counts itself."""
    models = list(changed)
    for shard in shards if models else ():
        for key in models:
            if key in shard.models:
                shard.models[key].follow(key, judge.plan)


def record(taken: Taken, watching: Watching) -> None:
    """Have the record say so."""
    watching.follow(Process(taken.config_hash, taken.text, version("anchorwatch")))
