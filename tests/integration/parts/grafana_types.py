"""Grafana's own types of dashboards, as its makers publish them for programs that write some.

Grafana itself is not to be had here: this is the nearest to letting it load them. The program is
built once into a cache outside the tree; that takes half a minute of CPU.
"""

import subprocess
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from tests.integration.parts.cached import cached
from tests.integration.parts.go import go

SOURCE = Path(__file__).with_name("grafana_types")
"""Its module is pinned by go.sum."""


def problems(paths: Iterable[Path]) -> str:
    """What is wrong with dashboards, by file; empty when nothing is."""
    digest = sha256()
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.read_bytes())
    program = cached(f"grafanatypes-{digest.hexdigest()[:12]}", _build) / "read"
    command = [program, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(done.stderr)
    return done.stdout


def _build(directory: Path) -> None:
    output = f"-o={directory / 'read'}"
    flags = {"GOFLAGS": "-mod=readonly"}
    go("build", f"-C={SOURCE}", "-trimpath", output, ".", timeout_seconds=900, **flags)
