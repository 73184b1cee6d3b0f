"""Python imports this first where the directory is on PYTHONPATH: it tells of every file that a
program writes, makes, moves or removes, by a line in TOLD_WRITES.
"""

import os
import sys
from typing import Any

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_told = os.open(os.environ["TOLD_WRITES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _tell(event: str, arguments: tuple[Any, ...]) -> None:
    changes = event in _CHANGES or (event == "open" and arguments[2] & _WRITING)
    if changes and not isinstance(arguments[0], int):
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - pathlib is too late here
        os.write(_told, f"{path}\n".encode())


sys.addaudithook(_tell)
