"""How often a loop does what."""

from msgspec import Struct


class Cadence(Struct, frozen=True):
    """How often what is done, in seconds. A judge or a checkpoint may come sooner when it must."""

    poll_seconds: float = 0.2
    flush_seconds: float = 1.0
    checkpoint_seconds: float = 10.0
    backlog_judge_seconds: float = 0.1
