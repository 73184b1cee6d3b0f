"""However many threads a process starts, what they allocate lies in one heap."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc makes heaps by the thread"
)

PROGRAM = """
import ctypes
from threading import Barrier, Thread
from service.commands.run import serve

def all_allocate():
    at_once = Barrier(8)
    def allocate():
        kept = bytes(10_000)
        at_once.wait()
    threads = [Thread(target=allocate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

class Nothing:
    port = 0
    def start(self): ...
    def stop(self): ...
    def server(self, host, port): return self
    def alive(self): return None
    def run(self, stop): all_allocate()

{body}
library = ctypes.CDLL(None)
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
library.fflush(None)
"""


def heaps_after(body):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.count("<heap nr=")


def test_a_process_that_serves_keeps_one_heap_for_all_its_threads():
    assert heaps_after("serve(Nothing(), '127.0.0.1', 0)") == 1


def test_without_that_threads_have_heaps_of_their_own():
    assert heaps_after("all_allocate()") > 1
