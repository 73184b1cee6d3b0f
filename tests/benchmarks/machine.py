"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("numpy", "kafka-python", "msgspec", "orjson", "river")


def facts() -> list[str]:
    """Lines about the processor, the memory, the load, and what runs."""
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, load {load}",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}",
    ]
    forced = os.environ.get("OPENBLAS_CORETYPE")
    if forced:
        lines.append(
            f"OPENBLAS_CORETYPE={forced}: linear algebra may be slow; nothing here uses it"
        )
    return lines


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    told = {name.strip(): value for name, _, value in (line.partition(":") for line in lines)}
    for name in ("model name", "CPU implementer"):
        if name in told:
            return told[name].strip()
    return platform.processor() or platform.machine()
