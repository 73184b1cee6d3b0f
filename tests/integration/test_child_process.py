"""Nothing that the tests start outlives them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.process import ChildProcess

ROOT = Path(__file__).parents[2]
STARTS_A_CHILD = """
import sys, threading, time
from pathlib import Path
from tests.integration.parts.process import ChildProcess

def start():
    print(ChildProcess("sleep", ["sleep", "600"], Path(sys.argv[1])).pid, flush=True)

if sys.argv[3] == "thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
time.sleep(float(sys.argv[2]))
"""


def parent(
    tmp_path: Path, seconds: float, where: str = "main"
) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_CHILD, tmp_path / "log", str(seconds), where],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process.stdout as output:
        return process, int(output.readline())


def ended(pid: int, deadline_seconds: float = 60.0) -> bool:
    """Whether the process is gone in time; one that nobody has waited for yet is gone too."""
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_child_ends_when_the_interpreter_exits(tmp_path):
    process, child = parent(tmp_path, 0.1)
    assert process.wait(60) == 0
    assert ended(child)


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_child_ends_when_the_tests_are_interrupted(tmp_path, number, where):
    process, child = parent(tmp_path, 60, where)
    time.sleep(0.2)
    assert psutil.Process(child).status() != psutil.STATUS_ZOMBIE
    process.send_signal(number)
    assert process.wait(60) != 0
    assert ended(child)


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path):
    deaf = ["bash", "-c", 'trap "" TERM; echo ready; while true; do sleep 0.1; done']
    child = ChildProcess("deaf", deaf, tmp_path / "log")
    while "ready" not in child.tail():
        time.sleep(0.01)
    assert child.terminate(deadline_seconds=0.5) == -signal.SIGKILL
    assert not child.running


def test_a_broker_that_cannot_start_says_why_and_leaves_nothing_behind():
    broker = KafkaBroker(log_segment_bytes="not a number")
    with pytest.raises(RuntimeError, match="not a number"), broker:
        raise AssertionError("it must not start")
    assert not broker.directory.exists()
