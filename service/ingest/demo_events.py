"""Events of the demo's models without an end, and what goes wrong with them again and again."""

import math

import msgspec
from msgspec import Struct

from service.ingest.demo import CardPayments, CreditApplicants

USUAL_MISSING = 0.002


class Story(Struct, frozen=True):
    """What is told of a time, and what is other in it: by how much incomes are too high, how many
    scores are missing, and whether payments come at all.
    """

    words: str
    income_sd: float = 0.0
    missing: float = USUAL_MISSING
    payments: bool = True


STEADY = Story("all is as usual")
STORIES = (
    Story("incomes of credit-risk arrive gross instead of net", income_sd=0.6),
    Story("every fifth bureau_score of credit-risk is missing", missing=0.2),
    Story("nothing comes of card-fraud", payments=False),
)


class Schedule(Struct, frozen=True):
    """Usual at first for `quiet_seconds`; then every `every_seconds` the next story begins, and
    lasts for `lasts_seconds`.

    Raises:
        ValueError: a story would last into the next one.
    """

    quiet_seconds: float = 300.0
    every_seconds: float = 900.0
    lasts_seconds: float = 300.0

    def __post_init__(self) -> None:
        """A story has to end before the next begins."""
        if not 0 < self.lasts_seconds < self.every_seconds:
            raise ValueError("a drift has to end before the next one begins")

    def story(self, elapsed_seconds: float) -> Story:
        """The one that is told so many seconds after the beginning."""
        since = elapsed_seconds - self.quiet_seconds
        if since < 0:
            return STEADY
        turn, within = divmod(since, self.every_seconds)
        return STORIES[int(turn) % len(STORIES)] if within < self.lasts_seconds else STEADY


class DemoEvents:
    """`per_second` events of each model, at times of a clock that others read."""

    def __init__(self, started_seconds: float, per_second: float, seed: int = 1) -> None:
        self._started = started_seconds
        self._rate = per_second
        self._credit, self._cards = CreditApplicants(seed), CardPayments(seed + 1)
        self._made = 0

    def due(self, now_seconds: float, story: Story) -> list[bytes]:
        """Records of what has become due since it was last asked; none if that is less than one."""
        count = math.floor((now_seconds - self._started) * self._rate) - self._made
        if count <= 0:
            return []
        times = [self._started + (self._made + i + 1) / self._rate for i in range(count)]
        self._made += count
        events = self._credit.events(times, story.income_sd, story.missing)
        if story.payments:
            events += self._cards.events(times)
        return [msgspec.json.encode(event) for event in events]
