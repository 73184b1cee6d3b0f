"""How the C library keeps memory for the threads of a process."""

import ctypes

_M_ARENA_MAX = -8
"""What mallopt(3) calls it: its header is nothing that Python could read."""


def use_one_arena() -> bool:
    """Let all threads that start from now on share one heap. False where the C library is not
    glibc: others make no heaps by the thread.

    glibc gives new threads heaps of their own, up to eight for each core, and every heap keeps what
    becomes free in it. Each question to a broker has a thread of its own (`service.kafka.asking`),
    and what it allocates is freed by others: so all heaps fill with holes, one after the other, for
    hours. They would be worth it where threads allocate at the same time, but the interpreter lets
    one run at a time.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(_M_ARENA_MAX, 1))
