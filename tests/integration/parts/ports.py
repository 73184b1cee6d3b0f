"""Free TCP ports on the loopback interface."""

import random
import socket

LOWEST, HIGHEST = 10_000, 32_000

_claims: list[socket.socket] = []
"""Open for as long as this process lives: see `_claimed`."""


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now, and that is given to nobody else.

    It lies below the range that Linux gives to outgoing connections (32768 and up): a client that
    retries while its server is down could otherwise be given the very port, and connect to itself.
    """
    choice = random.SystemRandom()
    for _ in range(1000):
        port = choice.randrange(LOWEST, HIGHEST)
        if _is_free(port) and _claimed(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _claimed(port: int) -> bool:
    """Whether it is ours from now on: tests run side by side, and a server that starts or restarts
    leaves its port unbound for seconds. A name in Linux's abstract namespace belongs to one process
    and goes with it.
    """
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0anchorwatch-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
