"""What deploy/ and the Dockerfile promise, tried with the programs that will read them."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.parts.prometheus_server import promtool

ROOT = Path(__file__).parents[2]


def test_prometheus_accepts_its_configuration():
    done = promtool("check", "config", str(ROOT / "deploy" / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)  # installs every dependency anew
def test_the_build_steps_of_the_image_give_a_program_that_starts():
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    done = subprocess.run(
        [ROOT / "deploy" / "check_image_steps.sh"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=590,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the program of the image starts" in done.stdout
