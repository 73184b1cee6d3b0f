"""Free TCP ports on the loopback interface."""

import random
import socket

LOWEST, HIGHEST = 10_000, 32_000


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now.

    It lies below the range that Linux gives to outgoing connections (32768 and up): a client that
    retries while its server is down could otherwise be given the very port, and connect to itself.
    """
    choice = random.SystemRandom()
    for _ in range(1000):
        port = choice.randrange(LOWEST, HIGHEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} on 127.0.0.1")
