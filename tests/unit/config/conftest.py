from textwrap import dedent

import pytest

from config.errors import ConfigurationProblems
from config.loader import load


@pytest.fixture
def write(tmp_path):
    """Write a configuration file and return its path."""

    def write_file(text, name="anchorwatch.yaml"):
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def loaded(write):
    """Load a configuration text."""
    return lambda text="", **environ: load(write(text), environ)


@pytest.fixture
def problems(write, tmp_path):
    """The problems of a configuration text, as lines without the directory's name."""

    def find(text, **environ):
        with pytest.raises(ConfigurationProblems) as caught:
            load(write(text), environ)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return find
