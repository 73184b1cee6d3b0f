"""Tests that run side by side are given ports of their own."""

import subprocess
import sys

from tests.integration.parts import ports

ASK = """
import sys
from tests.integration.parts import ports

ports.LOWEST, ports.HIGHEST = map(int, sys.argv[1:])
print(ports.free_port())
"""
WIDTH = 200


def test_no_two_processes_are_given_the_same(monkeypatch):
    lowest = ports.free_port()
    monkeypatch.setattr(ports, "LOWEST", lowest)
    monkeypatch.setattr(ports, "HIGHEST", lowest + WIDTH)
    ours = {ports.free_port() for _ in range(WIDTH // 2)}
    assert len(ours) == WIDTH // 2
    command = [sys.executable, "-c", ASK, str(lowest), str(lowest + WIDTH)]
    theirs = {
        int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
        for _ in range(3)
    }
    assert not theirs & ours
