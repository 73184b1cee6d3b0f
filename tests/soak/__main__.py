"""What takes too long for every commit: `make soak`, or `python -m tests.soak`.

Random schedules of faults, as in tests/integration/fleet, from other seeds; then steady
traffic, with what the processes of a fleet need over time as a table.
"""

import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click

from tests.integration.fleet.random_faults import play, schedule, words
from tests.integration.fleet.stage import Stage, build_traffic_references
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.watched_topic import References
from tests.soak.steady import steady

FIRST_SEED = 1000
"""`make test` plays those below."""


@click.command()
@click.option("--schedules", default=200, help="Random schedules of faults.", show_default=True)
@click.option("--first-seed", default=FIRST_SEED, show_default=True)
@click.option("--minutes", default=30.0, help="Of steady traffic.", show_default=True)
@click.option("--at-a-time", default=4, help="Schedules at once.", show_default=True)
def main(schedules: int, first_seed: int, minutes: float, at_a_time: int) -> None:
    """The exit code is 0 when every event was counted once and nothing grew."""
    failed = False
    with tempfile.TemporaryDirectory(prefix="anchorwatch-soak-") as name, KafkaBroker() as broker:
        directory = Path(name)
        (directory / "references").mkdir()
        references = build_traffic_references(directory / "references")
        seeds = range(first_seed, first_seed + schedules)
        failed |= _schedules(broker.bootstrap, references, directory, seeds, at_a_time)
        if minutes:
            failed |= _steady(Stage(broker.bootstrap, references, directory / "steady"), minutes)
    sys.exit(int(failed))


def _schedules(
    bootstrap: str, references: References, directory: Path, seeds: range, at_a_time: int
) -> bool:
    """Whether any failed."""
    print(f"{len(seeds)} random schedules from seed {seeds.start}, {at_a_time} at a time")
    begun, failures = time.monotonic(), 0
    with ThreadPoolExecutor(at_a_time) as pool:
        stages = {seed: Stage(bootstrap, references, directory / f"seed-{seed}") for seed in seeds}
        futures = {pool.submit(_play, stages[seed], seed): seed for seed in seeds}
        for done, future in enumerate(as_completed(futures), 1):
            seed, error = futures[future], future.exception()
            failures += error is not None
            told = "ok" if error is None else f"FAILED: {words(schedule(seed))}"
            elapsed = time.monotonic() - begun
            print(f"  {elapsed:6.0f} s  {done:3}/{len(seeds)}  seed {seed}  {told}", flush=True)
            if error is not None:
                traceback.print_exception(error, limit=-3, file=sys.stdout)
    print(f"{len(seeds) - failures} of {len(seeds)} schedules counted every event once\n")
    return bool(failures)


def _play(stage: Stage, seed: int) -> None:
    try:
        with stage.under_load(workers=2) as fleet:
            play(fleet, schedule(seed))
    finally:
        stage.close()


def _steady(stage: Stage, minutes: float) -> bool:
    """Whether anything grew."""
    print(f"steady traffic for {minutes:g} minutes, two workers and a judge", flush=True)
    try:
        lines = list(steady(stage, minutes))
    finally:
        stage.close()
    print("\n".join(lines), flush=True)
    return lines[-1] != "steady"


if __name__ == "__main__":
    main()
