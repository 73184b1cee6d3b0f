"""How often a loop does what."""

from msgspec import Struct

STRETCH_MAX = 6.0
SHARE = 10.0
FLUSH_SHARE = 4.0
FLUSH_SECONDS_MAX = 15.0
"""As often as is scraped, by default."""


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

    def until_flush(self, took_seconds: float) -> float:
        """From the beginning of one that took so long to the next: so that a quarter of the time
        goes into telling of very many models at most, as long as a scrape finds something new.
        """
        stretched = min(FLUSH_SHARE * took_seconds, FLUSH_SECONDS_MAX)
        return max(self.flush_seconds, stretched)
