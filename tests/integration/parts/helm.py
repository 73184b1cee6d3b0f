"""Helm, built of its Go module once into a cache outside the tree.

`python -m tests.integration.parts.helm` builds it and prints the program's path;
`python -m tests.integration.parts.helm render` writes deploy/kubernetes anew.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.integration.parts.cached import cached
from tests.integration.parts.go import go

VERSION = "v3.22.0"
"""Its module is checked against the public database of checksums, and pins what it is made of."""

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "anchorwatch"
MANIFESTS = ROOT / "deploy" / "kubernetes"
PLAIN = ("all", "fleet")
"""The value sets that deploy/kubernetes has: those that need no more than Kubernetes."""

KUBERNETES = "1.37.0"
"""What manifests are rendered for; nothing in them differs by version."""


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm; it talks to no cluster."""
    command = [helm_program(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def helm_program() -> Path:
    """The program; a few minutes when it is not built yet."""
    return cached(f"helm-{VERSION}", _build) / "helm"


def value_sets() -> dict[str, Path]:
    """The values that manifests are rendered for, by their name."""
    return {
        path.name.removesuffix("-values.yaml"): path
        for path in sorted((CHART / "ci").glob("*-values.yaml"))
    }


def notes(name: str) -> str:
    """What people read who install the chart with a value set.

    Helm shows it to those who have a cluster alone; a copy of the chart has it as a manifest.
    """
    with TemporaryDirectory() as directory:
        chart = Path(directory) / "anchorwatch"
        shutil.copytree(CHART, chart)
        shutil.copy(chart / "templates" / "NOTES.txt", chart / "files")
        manifest = '{"notes": {{ tpl (.Files.Get "files/NOTES.txt") . | toJson }}}'
        (chart / "templates" / "notes.yaml").write_text(manifest, "utf-8")
        only = ("--show-only", "templates/notes.yaml")
        text = template(value_sets()[name], *only, chart=chart)
    return str(yaml.safe_load(text)["notes"])


def template(
    values: Path, *arguments: str, kubernetes: str = KUBERNETES, chart: Path = CHART
) -> str:
    """The manifests of the chart with these values; raises RuntimeError with Helm's words."""
    done = helm(
        *("template", "anchorwatch", str(chart), "--namespace", "anchorwatch"),
        *("--kube-version", kubernetes, "--values", str(values), *arguments),
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def rendering(name: str) -> str:
    """What deploy/kubernetes/NAME.yaml has to hold: all but the test, which Helm alone starts."""
    values = value_sets()[name]
    said = f"# Rendered from deploy/helm/anchorwatch with ci/{values.name} by `make manifests`.\n"
    return said + template(values, "--skip-tests")


def _build(directory: Path) -> None:
    """As Helm's own releases are built: with its version, and the Kubernetes that it is for."""
    major, minor, _ = KUBERNETES.split(".")
    told = {
        "internal/version.version": VERSION,
        "pkg/chartutil.k8sVersionMajor": major,
        "pkg/chartutil.k8sVersionMinor": minor,
    }
    flags = " ".join(["-s -w", *(f"-X helm.sh/helm/v3/{k}={v}" for k, v in told.items())])
    arguments = ("-trimpath", f"-ldflags={flags}", f"helm.sh/helm/v3/cmd/helm@{VERSION}")
    go("install", *arguments, timeout_seconds=1800, GOBIN=str(directory))


if __name__ == "__main__":
    if sys.argv[1:] == ["render"]:
        for set_name in PLAIN:
            (MANIFESTS / f"{set_name}.yaml").write_text(rendering(set_name), "utf-8")
    else:
        sys.stdout.write(f"{helm_program()}\n")
