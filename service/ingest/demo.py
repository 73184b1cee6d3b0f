"""The embedded stream of `anchorwatch demo`: two believable models, one of which drifts."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from detectors.summary.profile import Profile, Value
from service.clock import Clock
from service.values.records import Chunk, Partition, Record, Turn
from service.values.streams import (
    LATENCY,
    PREDICTION,
    Kind,
    ModelKey,
    StreamKey,
    class_probability,
)

TOPIC = "demo.predictions"
STATES = ("CA", "FL", "MA", "NY", "OH", "TX", "WA")
STATE_SHARES = (0.24, 0.13, 0.08, 0.17, 0.09, 0.22, 0.07)
CHANNELS = ("app", "branch", "web")
CHANNEL_SHARES = (0.45, 0.15, 0.40)

Event = dict[str, Any]


class Drift(Struct, frozen=True):
    """What goes wrong in the demo: incomes arrive higher by `income_sd` from `after_seconds` on, as
    if an upstream system had begun to send gross for net, and one in `missing` lacks its score.
    """

    after_seconds: float = 12.0
    income_sd: float = 0.6
    missing: float = 0.04


class CreditApplicants:
    """Applicants of `credit-risk`: features, the score of a fixed logistic model, its latency."""

    model, version = "credit-risk", "3"

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def events(
        self, times: list[float], income_shift_sd: float, score_missing: float
    ) -> list[Event]:
        """One event for each time (epoch seconds)."""
        random, n = self._random, len(times)
        age = np.clip(random.normal(43, 12, n), 18, 90).round()
        income = np.exp(random.normal(10.7, 0.5, n) + 0.5 * income_shift_sd)
        inquiries = random.poisson(1.1, n)
        bureau_score = np.clip(random.normal(690, 60, n) - 12 * inquiries, 300, 850).round()
        has_card = random.random(n) < 0.71
        logit = (
            -1.4 - 0.011 * (bureau_score - 690) + 0.3 * inquiries - 0.6 * np.log(income / 44_000)
        )
        score = 1 / (1 + np.exp(-logit - random.normal(0, 0.2, n)))
        absent = random.random(n) < score_missing
        state = random.choice(STATES, n, p=STATE_SHARES)
        channel = random.choice(CHANNELS, n, p=CHANNEL_SHARES)
        latency_ms = np.exp(random.normal(2.4, 0.45, n))
        return [
            {
                "model": self.model,
                "version": self.version,
                "timestamp": times[i],
                "features": {
                    "age": int(age[i]),
                    "income": round(float(income[i]), 2),
                    "bureau_score": None if absent[i] else int(bureau_score[i]),
                    "inquiries": int(inquiries[i]),
                    "has_card": bool(has_card[i]),
                    "state": str(state[i]),
                    "channel": str(channel[i]),
                },
                "prediction": round(float(score[i]), 4),
                "latency_ms": round(float(latency_ms[i]), 2),
            }
            for i in range(n)
        ]


class CardPayments:
    """Payments of `card-fraud`: it stays steady throughout, so that one sees the difference."""

    model, version = "card-fraud", "7"

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def events(self, times: list[float]) -> list[Event]:
        """One event for each time (epoch seconds)."""
        random, n = self._random, len(times)
        amount = np.exp(random.normal(3.4, 1.1, n))
        hour = random.normal(14, 4, n) % 24
        abroad = random.random(n) < 0.06
        merchant = random.choice(("food", "fuel", "online", "travel"), n, p=(0.4, 0.2, 0.33, 0.07))
        fraud = 1 / (
            1 + np.exp(5.5 - 1.8 * abroad - 0.2 * np.log(amount) - random.normal(0, 0.5, n))
        )
        latency_ms = np.exp(random.normal(1.6, 0.3, n))
        return [
            {
                "model": self.model,
                "version": self.version,
                "timestamp": times[i],
                "features": {
                    "amount": round(float(amount[i]), 2),
                    "hour": round(float(hour[i]), 3),
                    "abroad": bool(abroad[i]),
                    "merchant": str(merchant[i]),
                },
                "prediction": {
                    "fraud": round(float(fraud[i]), 5),
                    "genuine": round(1 - float(fraud[i]), 5),
                },
                "latency_ms": round(float(latency_ms[i]), 2),
            }
            for i in range(n)
        ]


class DemoSource:
    """A `Source` of one topic with two partitions, one a model, that fills as time passes."""

    def __init__(self, clock: Clock, drift: Drift, events_per_second: float, seed: int = 1) -> None:
        self.out_of_range_total = 0
        self._clock = clock
        self._drift = drift
        self._rate = events_per_second
        self._credit, self._cards = CreditApplicants(seed), CardPayments(seed + 1)
        self._partitions = (Partition(TOPIC, 0), Partition(TOPIC, 1))
        self._started = clock.now()
        self._made = 0
        self._joined = self._closed = False

    @property
    def drift_starts_seconds(self) -> float:
        """When the drift begins, epoch seconds."""
        return self._started + self._drift.after_seconds

    def poll(self, timeout_seconds: float) -> Turn:
        """What has become due, after waiting for `timeout_seconds`."""
        if not self._joined:
            self._joined = True
            return Turn(assigned=self.partitions())
        self._clock.sleep(timeout_seconds)
        now = self._clock.now()
        due = math.floor((now - self._started) * self._rate) - self._made
        if due <= 0:
            return Turn()
        times = [self._started + (self._made + i + 1) / self._rate for i in range(due)]
        self._made += due
        drifting = times[-1] >= self.drift_starts_seconds
        shift = self._drift.income_sd if drifting else 0.0
        absent = self._drift.missing if drifting else 0.002
        credit = self._credit.events(times, shift, absent)
        return Turn(
            chunks=[
                self._chunk(self._partitions[0], credit, times),
                self._chunk(self._partitions[1], self._cards.events(times), times),
            ]
        )

    def resume(self, positions: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """The stream only goes forward: every partition continues where it is."""
        return dict.fromkeys(positions, self._made)

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Both partitions move together."""

    def partitions(self) -> frozenset[Partition]:
        """Both partitions."""
        return frozenset(self._partitions)

    def ends(self) -> dict[Partition, int]:
        """The offset after the last event made."""
        return dict.fromkeys(self._partitions, self._made)

    def committed(self, partitions: frozenset[Partition]) -> dict[Partition, int]:  # noqa: ARG002
        """Nothing is ever committed here."""
        return {}

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """There is nobody to tell."""

    @property
    def finished(self) -> bool:
        """True once closed."""
        return self._closed

    def close(self) -> None:
        """Make no further events."""
        self._closed = True

    def _chunk(self, partition: Partition, events: list[Event], times: list[float]) -> Chunk:
        first = self._made - len(events)
        records = [
            Record(first + i, times[i], msgspec.json.encode(event))
            for i, event in enumerate(events)
        ]
        return Chunk(partition, records, self._made)


def demo_profiles(rows: int, seed: int = 101) -> dict[ModelKey, dict[StreamKey, Profile]]:
    """Profiles of both models over `rows` rows from before any drift, for their references."""
    times = [0.0] * rows
    credit = CreditApplicants(seed).events(times, 0.0, 0.002)
    cards = CardPayments(seed + 1).events(times)
    return {
        ModelKey(maker.model, maker.version): _profiles(events)
        for maker, events in ((CreditApplicants, credit), (CardPayments, cards))
    }


def _profiles(events: list[Event]) -> dict[StreamKey, Profile]:
    columns: dict[StreamKey, list[Value]] = {}
    for event in events:
        for name, value in event["features"].items():
            columns.setdefault(StreamKey(Kind.INPUT, name), []).append(value)
        columns.setdefault(LATENCY, []).append(event["latency_ms"] / 1000)
        prediction = event["prediction"]
        if isinstance(prediction, dict):
            for name, probability in prediction.items():
                columns.setdefault(class_probability(name), []).append(probability)
            columns.setdefault(PREDICTION, []).append(max(prediction, key=prediction.__getitem__))
        else:
            columns.setdefault(PREDICTION, []).append(prediction)
    profiles = {key: Profile() for key in columns}
    for key, values in columns.items():
        profiles[key].update(values)
    return profiles
