"""Scenarios with fleets, several at a time: each takes half a minute, most of which is waiting.

    @scenario
    def test_a_fleet_counts_every_event_once(stage):
        with stage.under_load(workers=3) as fleet:
            ...

A scenario is written like a test. All that were selected are begun with the first of them, in
threads, `FLEETS` at a time; each test then waits for its own, and fails with what that raised.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any

from tests.integration.parts.fleet import Fleet, fleet_configuration
from tests.integration.parts.fleet_verdict import assert_counted_once
from tests.integration.parts.scrapes import Scrapes, scraping
from tests.integration.parts.topics import create_topic
from tests.integration.parts.traffic import MODELS, table, traffic
from tests.integration.parts.watched_topic import References, build_reference

FLEETS_AT_A_TIME = int(os.environ.get("FLEETS", "6"))
PARTITIONS = 6
PER_SECOND = 60.0
SCRAPE_SECONDS = 0.3


class Stage:
    """Where one scenario plays: brokers, and a directory of its own."""

    def __init__(
        self, bootstrap: str | Sequence[str], references: References, directory: Path
    ) -> None:
        self.bootstrap = bootstrap
        self.references = references
        self._directory = directory
        self._fleets: list[Fleet] = []

    def fleet(self, topic: str = "", **sections: Any) -> Fleet:
        """A fleet over a topic, a new one if none is named; not yet started."""
        directory = self._directory / f"fleet-{len(self._fleets)}"
        directory.mkdir(parents=True)
        name = topic or create_topic(self.bootstrap, PARTITIONS)
        config = fleet_configuration(self.bootstrap, name, self.references.directory, **sections)
        self._fleets.append(Fleet(directory, config))
        return self._fleets[-1]

    @contextmanager
    def under_load(
        self,
        fleet: Fleet | None = None,
        workers: int = 3,
        unjudged_max: int = 0,
        **sections: Any,
    ) -> Iterator[Fleet]:
        """A fleet with traffic while the body runs, from when every partition has its owner.

        Afterwards every event has to be counted once, and no scrape of the judge may have gone
        back.
        """
        fleet = fleet or self.fleet(**sections)
        with scraping(fleet.judge, every_seconds=SCRAPE_SECONDS) as scrapes:
            with self.traffic(fleet):
                fleet.start(workers)
                fleet.wait_until_owned(PARTITIONS)
                yield fleet
            self.assert_counted_once(fleet, unjudged_max)
        assert_never_back(scrapes)

    def traffic(self, fleet: Fleet, first: int = 0, end: int = PARTITIONS) -> Any:
        """A context manager: events to these partitions of the fleet's topic while it lasts."""
        seed = random.Random(f"{self._directory.name} {first}").randrange(2**31)
        numbers = range(first, end)
        return traffic(self.bootstrap, fleet.topic, numbers, seed=seed, per_second=PER_SECOND)

    def assert_counted_once(
        self, fleet: Fleet, unjudged_max: int = 0, partitions: int = PARTITIONS
    ) -> None:
        """Ends the fleet; see `fleet_verdict`."""
        contents = self.references.contents
        assert_counted_once(self.bootstrap, fleet, contents, partitions, unjudged_max)

    def close(self) -> None:
        """End every process at once."""
        for fleet in self._fleets:
            fleet.close()


def build_traffic_references(directory: Path) -> References:
    """The references of the models in `parts/traffic.py`, built with the real command."""
    contents = {
        model: build_reference(directory, model, table(2000, seed))
        for seed, model in enumerate(MODELS)
    }
    return References(directory, contents)


def assert_never_back(scrapes: Scrapes) -> None:
    """The judge told something, and never less than before."""
    assert not scrapes.problems, "\n".join(scrapes.problems[:20])
    assert scrapes.with_books > 10


class Performances:
    """The scenarios that were begun, by the id of their test."""

    def __init__(self, stage_of: Callable[[str], Stage]) -> None:
        self._stage_of = stage_of
        self._pool = ThreadPoolExecutor(FLEETS_AT_A_TIME, "scenario")
        self._stages: list[Stage] = []
        self._results: dict[str, Future[None]] = {}

    def begin(self, node: str, play: Callable[..., None], chosen: dict[str, Any]) -> None:
        """Put one on the list."""
        self._results[node] = self._pool.submit(self._perform, node, play, chosen)

    def result_of(self, node: str) -> None:
        """Wait for it; raises what it raised."""
        self._results[node].result()

    def close(self) -> None:
        """End them all, whether they are over or not."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for stage in self._stages:
            stage.close()
        self._pool.shutdown()

    def _perform(self, node: str, play: Callable[..., None], chosen: dict[str, Any]) -> None:
        stage = self._stage_of(node)
        self._stages.append(stage)
        try:
            play(stage, **chosen)
        finally:
            stage.close()


def scenario(play: Callable[..., None]) -> Callable[..., None]:
    """A test that waits for `play(stage, ...)`; what comes behind `stage` may be parametrized."""
    first, *others = signature(play).parameters
    if first != "stage":
        raise TypeError(f"{play.__name__} has to take the stage first")

    def test(performances: Performances, request: Any, **_: Any) -> None:
        performances.result_of(request.node.nodeid)

    names = ("performances", "request", *others)
    test.__signature__ = Signature([Parameter(n, Parameter.KEYWORD_ONLY) for n in names])
    test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
    test.play = play
    return test
