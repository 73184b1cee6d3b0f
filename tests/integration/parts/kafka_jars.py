"""The jars of Apache Kafka, fetched from Maven Central once into a cache outside the tree.

`python -m tests.integration.parts.kafka_jars` fetches them and prints the directory.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

POM = Path(__file__).parents[2] / "kafka" / "pom.xml"


def kafka_version() -> str:
    """The version that tests/kafka/pom.xml names."""
    found = re.search(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text("utf-8"))
    if found is None:
        raise ValueError(f"{POM} has no <kafka.version>")
    return found[1]


def kafka_jars() -> Path:
    """The directory with the jars; fetches them when it is not there yet.

    Several test runs may ask at once: one fetches, the others wait.
    """
    cache = Path(os.environ.get("ANCHORWATCH_CACHE") or Path.home() / ".cache" / "anchorwatch")
    target = cache / f"kafka-{kafka_version()}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _fetch(target)
    return target


def _fetch(target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [
        "mvn",
        "-q",
        "-B",
        "dependency:copy-dependencies",
        "-f",
        str(POM),
        f"-DoutputDirectory={partial}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except FileNotFoundError:
        raise FileNotFoundError("Maven is not installed: apt-get install maven") from None
    if done.returncode:
        raise RuntimeError(
            f"Maven could not fetch Kafka's jars:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    partial.rename(target)


if __name__ == "__main__":
    sys.stdout.write(f"{kafka_jars()}\n")
