"""What is installed is what pyproject.toml asks for, pinned by hash, from wherever it is served."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def pinned(path: Path) -> dict[str, str]:
    return {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE)
    }


def asked(path: Path) -> list[Requirement]:
    if path.suffix == ".toml":
        return [Requirement(r) for r in tomllib.loads(path.read_text())["project"]["dependencies"]]
    lines = path.read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        ("pyproject.toml", "requirements.lock"),
        ("requirements-build.in", "requirements-build.lock"),
        ("requirements-dev.in", "requirements-dev.lock"),
        ("pyproject.toml", "requirements-dev.lock"),
    ],
)
def test_a_lock_pins_all_that_its_source_asks_for(source, lock):
    versions = pinned(ROOT / lock)
    for requirement in asked(ROOT / source):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {lock}: run make lock"
        assert requirement.specifier.contains(version), f"{requirement}: run make lock"


def test_the_tests_run_on_the_versions_that_the_image_has():
    development = pinned(ROOT / "requirements-dev.lock")
    assert pinned(ROOT / "requirements.lock").items() <= development.items()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_lock_names_a_place(lock):
    text = lock.read_text("utf-8")
    blocks = re.split(r"\n(?=[\w.-]+==)", text)
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?:|--(extra-)?index|--find-links|file://|/home/|/tmp/", text)


def test_the_build_backend_is_pinned():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    versions = pinned(ROOT / "requirements-build.lock")
    assert all(canonicalize_name(Requirement(r).name) in versions for r in wanted)
