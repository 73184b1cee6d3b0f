"""What is told of a policy's limits, stream by stream."""

from service.monitor.judging.comparison import Comparison
from service.values.reports import PolicyReport
from service.values.streams import Kind, ValueType, segment_of

HELD_AGAINST = frozenset({Kind.INPUT, Kind.OUTPUT})
"""What a policy of model risk is about: the population and the scores, not how fast they come."""

ORDERED_ONLY = frozenset({"ks", "wasserstein_sd"})
"""Methods that categories have no order for."""


def policy_reports(comparison: Comparison) -> tuple[PolicyReport | None, ...]:
    """One for each stream of the plan, None for those that the policy says nothing of; empty
    without a policy.
    """
    policy = comparison.policy
    if policy is None:
        return ()
    streams = comparison.reference.streams
    limits = policy.limits
    told = policy.told(comparison.detection.dispersions.learned_phi[: len(streams)])
    return tuple(
        PolicyReport(
            limits=limits,
            distance=float(told.distance[i]),
            expected=float(told.expected[i]),
            values=int(told.values[i]),
            bins=int(told.bins[i]),
            covers_seconds=float(told.covered_seconds[i]),
        )
        if stream.key.kind in HELD_AGAINST
        and segment_of(stream.key) is None
        and (stream.type is ValueType.NUMERIC or limits.method not in ORDERED_ONLY)
        else None
        for i, stream in enumerate(streams)
    )
