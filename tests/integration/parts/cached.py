"""What the tests fetch or build once, in a cache outside the tree (ANCHORWATCH_CACHE)."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The directory of this name in the cache; `make` fills it when it is not there yet.

    Several test runs may ask at once: one makes it, the others wait. What `make` left unfinished
    is not taken for whole.
    """
    cache = Path(os.environ.get("ANCHORWATCH_CACHE") or Path.home() / ".cache" / "anchorwatch")
    target = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name.partition('-')[0]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            partial = cache / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(target)
    return target
