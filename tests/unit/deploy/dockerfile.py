"""A Dockerfile as its instructions: as much of the format as ours needs, checked, not assumed."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

KNOWN = re.compile(
    r"(ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|RUN|STOPSIGNAL|USER|VOLUME|WORKDIR)"
)


class Instruction(NamedTuple):
    """One instruction, continuation lines joined. `stage` counts from 1; 0 is before any FROM."""

    stage: int
    name: str
    value: str

    @property
    def array(self) -> list[str]:
        """The exec form; an error when it is the shell form."""
        return json.loads(self.value)


def read_dockerfile(path: Path) -> list[Instruction]:
    """Every instruction in order; raises ValueError on a line that is none."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[Instruction] = []
    stage = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, value = line.partition(" ")
        if not KNOWN.fullmatch(name):
            raise ValueError(f"not an instruction: {line}")
        stage += name == "FROM"
        found.append(Instruction(stage, name, value.strip()))
    return found


def final(instructions: list[Instruction], name: str) -> list[Instruction]:
    """The instructions of this name in the last stage."""
    last = instructions[-1].stage
    return [i for i in instructions if i.stage == last and i.name == name]


def pairs(value: str) -> dict[str, Any]:
    """The `key=value` pairs of an ENV or LABEL."""
    return {k: v.strip('"') for k, v in re.findall(r'(\S+?)=("[^"]*"|\S+)', value)}
