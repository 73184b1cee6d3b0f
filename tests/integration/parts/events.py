"""Logs of prediction events, from a seed: believable ones, and all that producers get wrong."""

import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

START_SECONDS = 1_700_006_400.0
PARTITIONS = 6
RECORD_BYTES_MAX = 16 * 1024
"""For `limits.record`: what the oversized events exceed."""

SYNTHETIC = "synthetic"
MARKET = "market"
MARKET_ROWS, MARKET_ROWS_ALONE = 45_312, 17_424
USUAL_PRICE = 0.06
NUMERIC = tuple(f"n{i:02}" for i in range(12))
CATEGORICAL = tuple(f"c{i}" for i in range(5))
BOOLEAN = tuple(f"b{i}" for i in range(3))


class Message(NamedTuple):
    """One record to be sent; None is a tombstone."""

    partition: int
    timestamp_ms: int
    value: bytes | None


def in_order(*streams: list[Message]) -> list[Message]:
    """Several models in one topic, by the time of arrival."""
    return sorted(
        (message for stream in streams for message in stream), key=lambda m: m.timestamp_ms
    )


def synthetic_row(rng: random.Random) -> dict[str, Any]:
    """The 20 features of one clean row, as the reference knows them."""
    row: dict[str, Any] = {}
    for i, name in enumerate(NUMERIC):
        row[name] = _number(rng, i)
    for i, name in enumerate(CATEGORICAL):
        row[name] = f"{name}-{min(rng.randrange(3 + 2 * i), rng.randrange(3 + 2 * i))}"
    for i, name in enumerate(BOOLEAN):
        row[name] = rng.random() < 0.2 + 0.3 * i
    return row


def synthetic_table(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows to build the reference from, flat."""
    rng = random.Random(seed)
    for _ in range(rows):
        yield {
            **synthetic_row(rng),
            "prediction": _score(rng),
            "latency_ms": rng.lognormvariate(2.5, 0.6),
        }


def synthetic_events(
    count: int, seconds: float, seed: int, *, faults: float = 1.0, several_rows: bool = False
) -> list[Message]:
    """Events of two versions over `seconds` of event time, shuffled by up to 40 s.

    `faults` scales how often something is wrong: missing, mistyped, non-finite and unseen values,
    rows too late or from the future, times that cannot be read, repeated, oversized and malformed
    records, tombstones. `several_rows`: some records hold three rows.
    """
    rng = random.Random(seed)
    messages: list[Message] = []
    for i in range(count):
        event_seconds = START_SECONDS + seconds * i / count
        arrival_ms = round((event_seconds + rng.uniform(0.1, 40.0)) * 1000)
        event = _synthetic_event(rng, event_seconds, faults)
        if several_rows and rng.random() < 0.02:
            _spread_over_three_rows(rng, event)
        value = json.dumps(event).encode()
        if rng.random() < 0.01 * faults:
            value = _spoiled(rng, event)
        partition = rng.randrange(PARTITIONS)
        messages.append(Message(partition, arrival_ms, value))
        if rng.random() < 0.005 * faults:
            messages.append(Message(rng.randrange(PARTITIONS), arrival_ms, value))
    return sorted(messages, key=lambda message: message.timestamp_ms)


@cache
def market_rows() -> list[dict[str, float]]:
    """A market of electricity, half-hour by half-hour, as data like Elec2 has it: prices wander and
    are rarely high, demands follow the day, and what the neighbour does is one value for a year, in
    which nothing is known of it. That year is what the reference is built of.
    """
    rng = random.Random(8)
    rows, price, tide = [], USUAL_PRICE, 0.4
    for i in range(MARKET_ROWS):
        period = i % 48 / 47
        jump = 0.3 * (rng.random() < 0.002)
        price = max(0.0, USUAL_PRICE + 0.9 * (price - USUAL_PRICE) + rng.gauss(0, 0.01) + jump)
        tide = 0.4 + 0.95 * (tide - 0.4) + rng.gauss(0, 0.02)
        demand = tide + 0.15 * math.sin(2 * math.pi * period)
        row = {"period": period, "nswprice": price, "nswdemand": demand}
        if i < MARKET_ROWS_ALONE:
            row |= {"vicprice": 0.0035, "vicdemand": 0.4229, "transfer": 0.4149}
        else:
            noise = [rng.gauss(0, 0.02) for _ in range(3)]
            row |= {
                "vicprice": max(0.0, 0.06 * price + noise[0] / 10),
                "vicdemand": demand + noise[1],
                "transfer": 0.5 + noise[2],
            }
        rows.append({name: round(value, 6) for name, value in row.items()})
    return rows


def market_table(rows: int) -> Iterator[dict[str, Any]]:
    """The first rows, flat, to build the reference from."""
    rng = random.Random(5)
    for row in market_rows()[:rows]:
        yield {**row, "prediction": _direction(row), "latency_ms": rng.uniform(1, 9)}


def market_events(seed: int) -> list[Message]:
    """One event a row and second, shuffled by up to 40 s."""
    rng = random.Random(seed)
    messages = []
    for i, row in enumerate(market_rows()):
        event_ms = round((START_SECONDS + i) * 1000)
        event = {
            "model": MARKET,
            "version": "2",
            "id": f"market-{i}",
            "timestamp": event_ms,
            "features": row,
            "prediction": _direction(row),
            "latency_ms": round(rng.uniform(1, 9), 3),
        }
        arrival_ms = event_ms + rng.randrange(40_000)
        messages.append(Message(rng.randrange(PARTITIONS), arrival_ms, json.dumps(event).encode()))
    return sorted(messages, key=lambda message: message.timestamp_ms)


def _direction(row: dict[str, float]) -> str:
    return "UP" if row["nswprice"] > USUAL_PRICE else "DOWN"


def _number(rng: random.Random, i: int) -> float | int:
    if i % 4 == 0:
        return round(rng.lognormvariate(3 + i / 4, 0.8), 2)
    if i % 4 == 1:
        return rng.gauss(i, 1 + i)
    if i % 4 == 2:
        return rng.randrange(18, 90)
    return 0.0 if rng.random() < 0.4 else rng.expovariate(1 / 50)


def _score(rng: random.Random) -> float:
    return round(rng.betavariate(2, 5), 4)


def _synthetic_event(rng: random.Random, event_seconds: float, faults: float) -> dict[str, Any]:
    if rng.random() < 0.01 * faults:
        event_seconds -= rng.uniform(200, 5000)  # far too late
    event = {
        "model": SYNTHETIC,
        "version": rng.choice(("1", "2", 2)),
        "id": f"{rng.getrandbits(48):012x}",
        "features": _with_faults(rng, synthetic_row(rng), faults),
        "prediction": _score(rng),
        "latency_ms": round(rng.lognormvariate(2.5, 0.6), 3),
    }
    if rng.random() < 0.01 * faults:
        event["prediction"] = rng.choice((None, "no number", [1, 2], True))
    if rng.random() < 0.01 * faults:
        event["latency_ms"] = rng.choice((None, -3.0, "slow", "12.5"))
    time = _time(rng, event_seconds)
    if time is not None:
        event["timestamp"] = time
    return event


def _time(rng: random.Random, seconds: float) -> Any:
    """RFC 3339, seconds, milliseconds, or none at all: the record's own time then counts."""
    way = rng.random()
    if way < 0.4:
        moment = datetime.fromtimestamp(round(seconds, 3), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if way < 0.6:
        return round(seconds, 3)
    return round(seconds * 1000) if way < 0.95 else None


def _with_faults(rng: random.Random, row: dict[str, Any], faults: float) -> dict[str, Any]:
    if rng.random() >= 0.3 * faults:
        return row
    for name in rng.sample(list(row), 2):
        wrong = rng.random()
        if wrong < 0.25:
            row[name] = None
        elif wrong < 0.5:
            del row[name]
        elif name in NUMERIC:
            row[name] = rng.choice(("12", True, [1.0], {"a": 1}, math.nan, math.inf, 10**400))
        elif name in BOOLEAN:
            row[name] = rng.choice(("yes", 2, "true", 0, 1.0, [True]))
        else:
            row[name] = rng.choice((f"new-{rng.randrange(50)}", 7, 2.5, False, ["c"], {}))
    return row


def _spread_over_three_rows(rng: random.Random, event: dict[str, Any]) -> None:
    event["features"] = [event["features"], synthetic_row(rng), synthetic_row(rng)]
    event["prediction"] = [_score(rng) for _ in range(3)]


def _spoiled(rng: random.Random, event: dict[str, Any]) -> bytes | None:
    way = rng.randrange(8)
    if way == 0:
        return json.dumps(event).encode()[:-20]
    if way == 1:
        return rng.choice((b"\x00\xff\xfe", b"hello", b"{", b'{"model": }'))
    if way == 2:
        return rng.choice((None, b""))
    if way == 3:
        del event["model"]
    elif way == 4:
        event |= {"features": {}, "prediction": None}
    elif way == 5:
        event["timestamp"] = rng.choice(("yesterday", True, [1], -5))
    elif way == 6:
        event["timestamp"] = "2199-01-01T00:00:00Z"
    else:
        event["note"] = "x" * RECORD_BYTES_MAX
    return json.dumps(event).encode()
