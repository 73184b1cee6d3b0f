"""Sections of a model's dashboard about the features that are chosen."""

from collections.abc import Iterator

from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import TO_ALARM, Json, Look, Query, timeseries

_NAMED = "{{feature}} ({{kind}}) {{window}}"


def feature_sections(model: str) -> Iterator[Section]:
    """`model` are the matchers of the model and its versions that are chosen."""
    chosen = f'{model}, feature=~"$feature"'
    yield Section("The features chosen: distances", [_scores(chosen), _distances(chosen)])
    yield Section("The features chosen: values", [_values(chosen, model)])
    yield Section("The features chosen: fixed limits of a policy", [_policy(chosen)], folded=True)


def _scores(chosen: str) -> Line:
    by = "max by (feature, kind, detector)"
    return Line(
        8,
        [
            timeseries(
                "Score",
                "Evidence over its alarm level, of whichever detector has most; at 1 it alarms.",
                [
                    Query(
                        f"max by (feature, kind) (anchorwatch_drift_score{{{chosen}}})",
                        "{{feature}} ({{kind}})",
                    )
                ],
                look=TO_ALARM,
            ),
            timeseries(
                "Evidence of each detector, and its alarm level",
                "In the detector's own unit; the dashed line of the same name is what alarms. "
                "With `metrics.detail: full` alone.",
                [
                    Query(
                        f"{by} (anchorwatch_detector_evidence{{{chosen}}})",
                        "{{feature}} ({{kind}}) {{detector}}",
                    ),
                    Query(
                        f"{by} (anchorwatch_detector_level{{{chosen}}})",
                        "{{feature}} ({{kind}}) {{detector}}: alarms",
                    ),
                ],
                look=Look(log=True, levels="/: alarms$/"),
            ),
        ],
    )


def _distances(chosen: str) -> Line:
    def distance(title: str, name: str, description: str, unit: str = "short") -> Json:
        expr = f"max by (feature, kind, window) (anchorwatch_drift_{name}{{{chosen}}})"
        told = f"{description} Nobody is alerted by it; only in an episode or in full detail."
        return timeseries(title, told, [Query(expr, _NAMED)], unit)

    return Line(
        8,
        [
            distance(
                "PSI", "psi", "Population stability index, by window: customs say 0.1 and 0.25."
            ),
            distance("Jensen-Shannon", "jensen_shannon", "Distance, from 0 to 1, by window."),
            distance(
                "Kolmogorov-Smirnov",
                "ks",
                "Largest difference of the shares below a value, by window.",
                "percentunit",
            ),
            distance(
                "Wasserstein",
                "wasserstein_sd",
                "How far values moved on average, in standard deviations of the reference.",
            ),
        ],
    )


def _values(chosen: str, model: str) -> Line:
    rows = f"sum(rate(anchorwatch_predictions_total{{{model}}}[$__rate_interval]))"

    def share(name: str) -> str:
        return (
            "sum by (feature)"
            f" (rate(anchorwatch_{name}_values_total{{{chosen}}}[$__rate_interval]))"
            f" / scalar({rows} > 0)"
        )

    return Line(
        8,
        [
            timeseries(
                "Quantiles",
                "Of valid values, by window; never of hidden features, and in full detail alone.",
                [
                    Query(
                        "max by (feature, kind, quantile, window)"
                        f" (anchorwatch_feature_quantile{{{chosen}}})",
                        "{{feature}} {{quantile}} ({{window}})",
                    )
                ],
            ),
            timeseries(
                "Missing",
                "Share of the rows without a value.",
                [Query(share("missing"), "{{feature}}")],
                "percentunit",
            ),
            timeseries(
                "Invalid",
                "Share of the rows with a value of another type, infinite or not a number.",
                [Query(share("invalid"), "{{feature}}")],
                "percentunit",
            ),
            timeseries(
                "Unseen",
                "Share of the rows with a value that the reference does not prepare for: of an "
                "unknown category, or far out of its range.",
                [Query(share("unseen"), "{{feature}}")],
                "percentunit",
            ),
        ],
    )


def _policy(chosen: str) -> Line:
    return Line(
        8,
        [
            timeseries(
                "Distance, its limits, and what sampling alone gives",
                "By the method and window of the model's policy; there only where one is set. "
                "Limits are dashed. A distance no larger than what sampling gives says nothing.",
                [
                    Query(
                        f"max by (feature, kind) (anchorwatch_policy_distance{{{chosen}}})",
                        "{{feature}} ({{kind}})",
                    ),
                    Query(
                        "max by (feature, kind)"
                        f" (anchorwatch_policy_distance_expected{{{chosen}}})",
                        "{{feature}} ({{kind}}): sampling alone",
                    ),
                    Query(
                        'max by (level) (anchorwatch_policy_limit{model="$model",'
                        ' model_version=~"$version"})',
                        "limit: {{level}}",
                    ),
                ],
                look=Look(levels="/^limit: |: sampling alone$/"),
            ),
            timeseries(
                "Share of the policy's window that is counted",
                "Until it is nearly full, the distance is of less than the policy names.",
                [
                    Query(
                        f"min by (feature, kind) (anchorwatch_policy_covered_ratio{{{chosen}}})",
                        "{{feature}} ({{kind}})",
                    )
                ],
                "percentunit",
            ),
        ],
    )
