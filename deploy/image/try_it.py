"""Uses the program as people use the image: every command, every format, every detector.

    python try_it.py

Started inside, with the Python of the image, as its user; it writes to /tmp alone. Nothing is asked
of the figures but that there are some: what they should be is for the tests.
"""

import csv
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

COMMANDS = (
    *([], ["acl"], ["audit"], ["check"], ["config", "schema"], ["config", "show"], ["demo"]),
    *(["drill"], ["episode", "list"], ["reference", "build"], ["replay"], ["run"]),
)
ROWS = 3000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS_MAX = 120.0
CODECS = ("snappy", "zstd", "gzip", "lz4", "brotli")
DETECTORS = (
    "{detection: {detectors: [e_detector, adwin, page_hinkley, "
    "river.KSWIN, river.ADWIN, river.PageHinkley]}}"
)


def main() -> None:
    """Try it all; what fails is an error with what was said."""
    for command in COMMANDS:
        anchorwatch(*command, "--help")
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        files = write_tables()
        Path("detectors.yaml").write_text(DETECTORS)
        for file in files:
            build = ("reference", "build", file, "--model", "m", "--output", "reference.json")
            anchorwatch(*build, "--force")
            replay = ("replay", file, "--model", "m", "--reference", "reference.json")
            expect(f"{ROWS:,} applied", anchorwatch(*replay))
        told = anchorwatch(*replay, "--config", "detectors.yaml", "--html", "report.html")
        expect(f"{ROWS:,} applied", told)
        scrape_while(["demo", "--port", "9108", "--seconds", "60"], "/metrics", "anchorwatch_")
        Path("run.yaml").write_text(
            "{kafka: {bootstrap_servers: ['127.0.0.1:9']}, sources: [{name: s, topics: [t], "
            f"format: native}}], state: {{path: {directory}}}}}"
        )
        anchorwatch("check", "--config", "run.yaml")
        scrape_while(["run", "--config", "run.yaml"], "/livez", "")
    expect("ok", zones_and_trust())


def write_tables() -> list[str]:
    """The same rows as Parquet of every compression, as CSV and as JSON Lines."""
    rng = random.Random(0)  # noqa: S311 - examples, not secrets
    rows = [
        {
            "timestamp": (BEGIN + timedelta(seconds=n)).isoformat(),
            "prediction": rng.random(),
            "amount": rng.gauss(0.0, 1.0),
            "kind": rng.choice("ab"),
        }
        for n in range(ROWS)
    ]
    files = [f"{codec}.parquet" for codec in CODECS]
    for codec, file in zip(CODECS, files, strict=True):
        pq.write_table(pa.Table.from_pylist(rows), file, compression=codec)
    with Path("rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [*files, "rows.csv", "rows.jsonl"]


def anchorwatch(*words: str) -> str:
    """What it says, on both outputs; SystemExit when it fails."""
    done = subprocess.run(
        ["anchorwatch", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if done.returncode:
        sys.exit(f"anchorwatch {' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def scrape_while(words: list[str], path: str, wanted: str) -> None:
    """Start it, wait until it answers at `path`, end it as an orchestrator does: by SIGTERM."""
    process = subprocess.Popen(
        ["anchorwatch", *words],
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:9108{path}"
    until = time.monotonic() + SECONDS_MAX
    page = None
    while page is None and process.poll() is None and time.monotonic() < until:
        time.sleep(0.5)
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            page = answer.read().decode()
    process.terminate()
    code = process.wait(SECONDS_MAX)
    if page is None or code:
        sys.exit(f"anchorwatch {' '.join(words)}: no answer at {path}, or exit code {code}")
    expect(wanted, page)


def zones_and_trust() -> str:
    """Time zones by name, certificates that are trusted, names of hosts."""
    ZoneInfo("Europe/Zurich")
    trusted = ssl.create_default_context().cert_store_stats()["x509_ca"]
    socket.getservbyname("https")
    return "ok" if trusted > 50 else f"{trusted} certificates are trusted"


def expect(wanted: str, told: str) -> None:
    """SystemExit unless it is part of what was told."""
    if wanted not in told:
        sys.exit(f"expected {wanted!r} in:\n{told}")


if __name__ == "__main__":
    main()
