"""How often a loop does what."""

from msgspec import Struct

STRETCH_MAX = 6.0
SHARE = 10.0


class Cadence(Struct, frozen=True):
    """How often what is done, in seconds. A judge or a checkpoint may come sooner when it must."""

    poll_seconds: float = 0.2
    flush_seconds: float = 1.0
    checkpoint_seconds: float = 10.0
    backlog_judge_seconds: float = 0.1

    @property
    def longest_checkpoint_seconds(self) -> float:
        """The longest time between two, where they take long."""
        return STRETCH_MAX * self.checkpoint_seconds

    def until_checkpoint(self, took_seconds: float) -> float:
        """From the beginning of one that took so long to the next: so that a tenth of the time goes
        into them at most, as long as that is not too seldom.
        """
        stretched = max(self.checkpoint_seconds, SHARE * took_seconds)
        return min(stretched, self.longest_checkpoint_seconds)
