"""Services of deploy/compose.yaml as processes of this machine: their command lines, their files.

What is changed, and nothing else: places (hosts, ports, directories), and times are shorter. The
program of an image is what the machine has of it; Anchorwatch runs by the ENTRYPOINT and CMD of the
Dockerfile. Kafka and Grafana have no program here.
"""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.integration.parts.process import ChildProcess
from tests.unit.deploy.dockerfile import final, read_dockerfile

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))[
    "services"
]

PROGRAMS = {
    "prom/prometheus": ["prometheus"],
    "prom/alertmanager": ["prometheus-alertmanager"],  # as Debian calls it
    "anchorwatch": [sys.executable, "-m", "service"],
}


class Composed:
    """One service below a directory of its own, which stands for `/` of its container.

    `changed` are texts of its files and its command line, and what they are here; each occurs.
    """

    def __init__(self, name: str, directory: Path, changed: Mapping[str, str]) -> None:
        self.name = name
        self._service = SERVICES[name]
        self._root = directory / name
        self._root.mkdir()
        self._changed = dict(changed)
        self._used: set[str] = set()
        self._mounts = [volume.split(":")[:2] for volume in self._service.get("volumes", ())]
        self._process: ChildProcess | None = None

    def start(self, *more: str) -> None:
        """Lay its files down and start its program, with `more` arguments: where to listen."""
        for path in self._made_by_the_image():
            (self._root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for source, target in self._mounts:
            self._lay(source, self._root / target.lstrip("/"))
        command = [*self._program(), *map(self._here, self._arguments()), *more]
        if unused := self._changed.keys() - self._used:
            raise LookupError(f"{self.name} has nowhere {', '.join(sorted(unused))}")
        self._process = ChildProcess(self.name, command, self._root / "output.log")

    @property
    def process(self) -> ChildProcess:
        """What was started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.terminate()

    @property
    def _image(self) -> str:
        image: str = self._service["image"].partition(":")[0]
        return image

    def _program(self) -> list[str]:
        first, *others = PROGRAMS[self._image]
        path = shutil.which(first) or shutil.which(first.removeprefix("prometheus-"))
        if path is None:
            raise FileNotFoundError(f"{first} is not installed: .ci/packages installs it")
        return [path, *others]

    def _arguments(self) -> list[str]:
        if "command" in self._service:
            return list(self._service["command"])
        [command] = final(read_dockerfile(ROOT / "Dockerfile"), "CMD")
        return command.array

    def _lay(self, source: str, target: Path) -> None:
        if not source.startswith("."):  # a volume: empty at first
            target.mkdir(parents=True, exist_ok=True)
            return
        found = DEPLOY / source
        for path in [found] if found.is_file() else found.rglob("*"):
            if path.is_file():
                copy = target if path == found else target / path.relative_to(found)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(self._here(path.read_text("utf-8")), "utf-8")

    def _made_by_the_image(self) -> list[str]:
        if self._image != "anchorwatch":
            return []
        runs = [run.value for run in final(read_dockerfile(ROOT / "Dockerfile"), "RUN")]
        made = re.findall(r"mkdir [^&]*", " ".join(runs))
        return [word for line in made for word in line.split() if word.startswith("/")]

    def _here(self, text: str) -> str:
        """In one pass, so that nothing is changed twice; what is longer goes before its parts."""
        tops = {"/".join(target.split("/")[:3]) for _, target in self._mounts}
        places = {top: f"{self._root}{top}" for top in tops}
        known = places | self._changed
        usual = sorted(known, key=len, reverse=True)
        pattern = "|".join(
            rf"(?<![\w/.]){re.escape(each)}(?![\w.])" if each in places else re.escape(each)
            for each in usual
        )

        def replace(match: re.Match[str]) -> str:
            self._used.add(match[0])
            return known[match[0]]

        return re.sub(pattern, replace, text)
