"""The jars of Apache Kafka, fetched from Maven Central once into a cache outside the tree.

`python -m tests.integration.parts.kafka_jars` fetches them and prints the directory.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.parts.cached import cached

POM = Path(__file__).parents[2] / "kafka" / "pom.xml"


def kafka_version() -> str:
    """The version that tests/kafka/pom.xml names."""
    found = re.search(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text("utf-8"))
    if found is None:
        raise ValueError(f"{POM} has no <kafka.version>")
    return found[1]


def kafka_jars() -> Path:
    """The directory with the jars; fetches them when it is not there yet."""
    return cached(f"kafka-{kafka_version()}", _fetch)


def _fetch(directory: Path) -> None:
    command = [
        "mvn",
        "-q",
        "-B",
        "dependency:copy-dependencies",
        "-f",
        str(POM),
        f"-DoutputDirectory={directory}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except FileNotFoundError:
        raise FileNotFoundError("Maven is not installed: apt-get install maven") from None
    if done.returncode:
        raise RuntimeError(
            f"Maven could not fetch Kafka's jars:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )


if __name__ == "__main__":
    sys.stdout.write(f"{kafka_jars()}\n")
