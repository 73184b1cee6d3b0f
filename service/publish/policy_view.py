"""A policy's limits as the page, the terminal and the reports tell them."""

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from service.publish.pictures.distances import distance_bar
from service.publish.words import count, decimals, duration, known, several
from service.values.reports import ModelReport, PolicyLevel, PolicyReport, StreamReport
from service.values.streams import StreamKey
from service.values.watches import PolicyLimits

METHODS = {
    "psi": "PSI",
    "jensen_shannon": "Jensen-Shannon distance",
    "ks": "Kolmogorov-Smirnov distance",
    "wasserstein_sd": "Wasserstein distance in sd",
}
BINNED = frozenset({"psi", "jensen_shannon"})
"""Methods that are taken over the policy's bins."""

FULL_RATIO = 0.96
"""From here on a window counts as full: it drops a thirtieth of itself at a time."""

NAMED_MAX = 3
_BY_ATTENTION = (PolicyLevel.RED, PolicyLevel.AMBER, PolicyLevel.WITHIN, PolicyLevel.UNKNOWN)


class PolicyRow(Struct, frozen=True):
    """One stream; None where not known. `bins` are those that have anything. `too_few`: sampling
    alone is expected to reach amber, so that the level says nothing.
    """

    name: str
    kind: str
    level: str
    distance: float | None
    expected: float | None
    values: int
    bins: int
    covers_seconds: float
    too_few: bool


class PolicyView(Struct, frozen=True):
    """A model version against its policy: the rows come by attention. Nothing of it alarms."""

    sentence: str
    method: str
    bins: int | None
    window: str
    amber: float
    red: float
    rows: tuple[PolicyRow, ...]


def policy_view(model: ModelReport) -> PolicyView | None:
    """What there is to tell; None of a model without a policy."""
    limits = model.policy
    if limits is None:
        return None
    held = held_streams(model.streams)
    return PolicyView(
        sentence=policy_sentence(limits, held),
        method=limits.method,
        bins=limits.bins if limits.method in BINNED else None,
        window=limits.window.name,
        amber=limits.amber,
        red=limits.red,
        rows=tuple(_row(key, policy) for key, policy in held),
    )


Held = tuple[StreamKey, PolicyReport]


def held_streams(streams: Sequence[StreamReport]) -> list[Held]:
    """The streams that the policy is about: red ones first, then by distance."""
    held = [(stream.key, stream.policy) for stream in streams if stream.policy is not None]
    return sorted(
        held,
        key=lambda pair: (_BY_ATTENTION.index(pair[1].level), -(known(pair[1].distance) or 0.0)),
    )


def policy_name(limits: PolicyLimits) -> str:
    """`PSI over 10 bins, 30d; amber from 0.10, red from 0.25`."""
    bins = f" over {limits.bins} bins" if limits.method in BINNED else ""
    levels = f"amber from {decimals(limits.amber)}, red from {decimals(limits.red)}"
    return f"{METHODS[limits.method]}{bins}, {limits.window.name}; {levels}"


def policy_sentence(limits: PolicyLimits, held: Sequence[Held]) -> str:
    """What is over the limits, how much of the window is known, and whether that is enough."""
    told = [policy for _, policy in held if policy.level is not PolicyLevel.UNKNOWN]
    start = f"Policy ({policy_name(limits)})"
    if not told:
        return f"{start}: nothing to compare yet."
    parts = [f"{start}: {_levels(held, len(told))}.", _age(limits, told)]
    few = sum(policy.too_few for policy in told)
    if few:
        parts.append(
            f"Of {several(few, 'stream', 'streams')} there are too few values to tell: "
            "sampling alone would be amber."
        )
    return " ".join(parts)


def chance_note(policy: PolicyReport | PolicyRow) -> str:
    """What to say beside a level that chance alone may have made; else empty."""
    return "too few values to tell" if policy.too_few else ""


def row_bar(row: PolicyRow, policy: PolicyView) -> Markup:
    """The distance, what chance explains and the limits, drawn."""
    return distance_bar(row.distance, row.expected, (policy.amber, policy.red))


def _row(key: StreamKey, policy: PolicyReport) -> PolicyRow:
    return PolicyRow(
        name=key.name,
        kind=key.kind.value,
        level=policy.level.value,
        distance=known(policy.distance),
        expected=known(policy.expected),
        values=policy.values,
        bins=policy.bins,
        covers_seconds=policy.covers_seconds,
        too_few=policy.too_few,
    )


def _levels(held: Sequence[Held], told: int) -> str:
    levels = Counter(policy.level for _, policy in held)
    over = [
        _level(held, level, levels[level])
        for level in (PolicyLevel.RED, PolicyLevel.AMBER)
        if levels[level]
    ]
    of = several(told, "stream", "streams")
    if not over:
        few = {1: "the one stream is", 2: "both streams are"}
        return f"{few.get(told, f'all {of} are')} within the limits"
    return f"of {of} {', '.join(over)}"


def _level(held: Sequence[Held], level: PolicyLevel, number: int) -> str:
    """`2 are red (income 0.31, age 0.27)`."""
    named = [f"{key.name} {decimals(p.distance)}" for key, p in held if p.level is level]
    more = f" and {count(number - NAMED_MAX)} more" if number > NAMED_MAX else ""
    names = ", ".join(named[:NAMED_MAX]) + more
    return f"{count(number)} {'is' if number == 1 else 'are'} {level.value} ({names})"


def _age(limits: PolicyLimits, told: Sequence[PolicyReport]) -> str:
    """How much of the window is known yet: `The window of 30d is 4 d old`."""
    youngest = min(policy.covers_seconds for policy in told)
    oldest = max(policy.covers_seconds for policy in told)
    if youngest >= FULL_RATIO * limits.window.seconds:
        return "The window is full."
    if duration(youngest) == duration(oldest):
        return f"The window of {limits.window.name} is {duration(youngest)} old."
    return (
        f"The window of {limits.window.name} is {duration(youngest)} old of some streams, "
        f"{duration(oldest)} of others."
    )
