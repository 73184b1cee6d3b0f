"""Steady traffic for long: memory must not grow, nor what the kernel keeps for a process."""

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import psutil

from tests.integration.fleet.stage import Stage
from tests.integration.parts.fleet import Fleet

MIB = 2**20
EVERY_SECONDS = 5.0
WARM_UP = 0.3
"""Share of the time after which nothing new is to come: caches are full, windows have steps. But
for one thing: `detectors.dispersion` keeps another size of blocks each time that the panes have
doubled, up to 12 sizes after 2048 panes. That is 12 KiB a size and model version here, a fifth of
the bound over half an hour."""

SLOPE_MAX_MIB_AN_HOUR = 1.0


class Sample(NamedTuple):
    """One look at one process."""

    at_seconds: float
    resident_bytes: int
    descriptors: int
    threads: int


class Trend(NamedTuple):
    """What the samples of one process say, after the warm-up."""

    name: str
    first_mib: float
    last_mib: float
    slope_mib_an_hour: float
    slope_error: float
    descriptors: tuple[int, int]
    threads: tuple[int, int]

    @property
    def is_steady(self) -> bool:
        """Nothing grows: of memory up to the bound, or as much as the fit leaves open."""
        grows = self.slope_mib_an_hour - 2 * self.slope_error > SLOPE_MAX_MIB_AN_HOUR
        return not grows and self.descriptors[1] <= self.descriptors[0] and self._same_threads

    @property
    def _same_threads(self) -> bool:
        return self.threads[1] <= self.threads[0]

    def __str__(self) -> str:
        descriptors = "{} -> {}".format(*self.descriptors)
        threads = "{} -> {}".format(*self.threads)
        slope = f"{self.slope_mib_an_hour:+.2f} +-{self.slope_error:.2f}"
        verdict = "yes" if self.is_steady else "NO"
        memory = f"{self.first_mib:8.1f} {self.last_mib:8.1f} {slope:>18}"
        return f"  {self.name:<10} {memory} {descriptors:>12} {threads:>12}  {verdict}"


HEADER = (
    f"  {'process':<10} {'MiB then':>8} {'MiB now':>8} {'MiB an hour':>18} {'descriptors':>12} "
    f"{'threads':>12}  steady?"
)


def steady(stage: Stage, minutes: float) -> Iterator[str]:
    """Lines of a table as it comes; the last one says whether all is steady.

    Raises AssertionError where an event was not counted once.
    """
    samples: dict[str, list[Sample]] = {}
    with stage.under_load(workers=2) as fleet:
        begun = time.monotonic()
        while (at := time.monotonic() - begun) < minutes * 60:
            for name, process in _processes(fleet).items():
                samples.setdefault(name, []).append(_look(process, at))
            time.sleep(EVERY_SECONDS)
    trends = [trend(name, some) for name, some in samples.items()]
    yield HEADER
    yield from map(str, trends)
    yield "steady" if all(each.is_steady for each in trends) else "NOT STEADY"


def trend(name: str, samples: list[Sample]) -> Trend:
    """A line through the samples after the warm-up; of counts the medians of both halves, since
    a thread may be there for a moment only.
    """
    settled = samples[int(len(samples) * WARM_UP) :]
    hours = np.array([sample.at_seconds / 3600 for sample in settled])
    resident = np.array([sample.resident_bytes / MIB for sample in settled])
    slope, error = _slope(hours, resident)
    half = len(settled) // 2
    return Trend(
        name,
        float(resident[0]),
        float(resident[-1]),
        slope,
        error,
        _halves([sample.descriptors for sample in settled], half),
        _halves([sample.threads for sample in settled], half),
    )


def _slope(hours: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    if len(hours) < 3:
        sys.exit("too few samples: more minutes are needed")
    (slope, _), covariance = np.polyfit(hours, values, 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def _halves(counts: list[int], half: int) -> tuple[int, int]:
    return int(np.median(counts[:half])), int(np.median(counts[half:]))


def _processes(fleet: Fleet) -> dict[str, psutil.Process]:
    return {m.config.stem: psutil.Process(m.process.pid) for m in fleet.members}


def _look(process: psutil.Process, at_seconds: float) -> Sample:
    with process.oneshot():
        return Sample(
            at_seconds, process.memory_info().rss, process.num_fds(), process.num_threads()
        )
