import subprocess
import sys

import pytest

SECRET = "planted-secret"
PROGRAM = f"""
import logging, structlog
from service.logs import configure
configure({{form!r}}, "info")
def log_in(password):
    raise ValueError("refused")
for log in (structlog.get_logger("ours"), logging.getLogger("uvicorn.error")):
    try:
        log_in("{SECRET[:7]}" + "{SECRET[7:]}")
    except ValueError:
        log.exception("log_in_failed")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_told_with_its_lines_and_without_the_values_in_them(form):
    program = PROGRAM.format(form=form)
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stderr
    assert told.count("log_in_failed") == 2
    assert told.count("ValueError: refused") == 2
    assert SECRET not in told
