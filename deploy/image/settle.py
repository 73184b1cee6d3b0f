"""Makes an environment the same to the byte wherever it is built, and quick to start.

    /opt/anchorwatch/bin/python settle.py [ROOT]

Bytecode is made of the modules that the program imports, every command and detector of it, and of
nothing else; it is trusted unread, for nothing in an image changes. Times of files are those of
SOURCE_DATE_EPOCH. ROOT is where the standard library lies that will be used.
"""

import importlib
import os
import pkgutil
import py_compile
import sys
from pathlib import Path

PACKAGES = ("config", "detectors", "service")
NOT_IN_THE_IMAGE = {"pyspark": "the extra anchorwatch[spark]"}


def settle(root: Path | None) -> None:
    """Import the program, compile what that took, set the times."""
    for name in sorted(_modules()):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in NOT_IN_THE_IMAGE:
                raise
    environment, library = Path(sys.prefix), Path(os.__file__).parent
    found = {Path(f) for m in [*sys.modules.values()] if (f := getattr(m, "__file__", None))}
    importlib.import_module("river.drift")  # on request only: it works, and takes longer to start
    for path in sorted(path for path in found if path.suffix == ".py"):
        if path.is_relative_to(environment):
            _compile(path, path)
        elif root and path.is_relative_to(library):
            _compile(root / path.relative_to("/"), path)
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    for top in (environment, root) if root else (environment,):
        for path in [top, *top.rglob("*")]:
            os.utime(path, (seconds, seconds), follow_symlinks=False)


def _modules() -> list[str]:
    found = list(PACKAGES)
    for name in PACKAGES:
        package = importlib.import_module(name)
        found += [m.name for m in pkgutil.walk_packages(package.__path__, f"{name}.")]
    return [name for name in found if not name.startswith("service.python")]


def _compile(path: Path, known_as: Path) -> None:
    if path.is_file():
        py_compile.compile(
            str(path),
            dfile=str(known_as),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("set PYTHONHASHSEED=0: the order of sets is part of bytecode")
    settle(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
