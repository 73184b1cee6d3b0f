"""What comes of one model, what becomes of it, and what can be expected of its alarms."""

from collections.abc import Iterator

from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import Look, Query, timeseries
from deploy.grafana.scope import OF_MODEL


def event_sections() -> Iterator[Section]:
    """Sections of the dashboard of one model."""
    yield Section("Events and latency", [_events(), _fate()])
    yield Section("What can be expected", [_expected()])


def _events() -> Line:
    buckets = f"anchorwatch_prediction_latency_seconds_bucket{{{OF_MODEL}}}"
    took = f"sum by (le) (rate({buckets}[$__rate_interval]))"
    return Line(
        8,
        [
            timeseries(
                "Predictions a second by version",
                "Rows counted.",
                [
                    Query(
                        "sum by (model_version)"
                        f" (rate(anchorwatch_predictions_total{{{OF_MODEL}}}[$__rate_interval]))",
                        "v{{model_version}}",
                    )
                ],
                "cps",
                look=Look(stacked=True),
            ),
            timeseries(
                "Latency",
                "As the events of the model report it: the middle one, and of twenty and of a "
                "hundred the slowest.",
                [
                    Query(f"histogram_quantile({share}, {took})", name)
                    for share, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
                ],
                "s",
            ),
            timeseries(
                "Time since the newest record",
                "By version, when its newest record arrived in Kafka.",
                [
                    Query(
                        "time() - max by (model_version)"
                        f" (anchorwatch_last_record_timestamp_seconds{{{OF_MODEL}}})",
                        "v{{model_version}}",
                    )
                ],
                "s",
            ),
        ],
    )


def _fate() -> Line:
    def rate(name: str, by: str) -> str:
        return f"sum by ({by}) (rate(anchorwatch_{name}_total{{{OF_MODEL}}}[$__rate_interval]))"

    return Line(
        8,
        [
            timeseries(
                "Rows refused",
                "A second and by reason. They are in the dead-letter topic if there is one.",
                [Query(rate("rows_rejected", "reason"), "{{reason}}")],
                "cps",
                look=Look(stacked=True),
            ),
            timeseries(
                "Rows late or never judged",
                "A second. Late ones came after their pane had closed (`detection.lateness`).",
                [
                    Query(rate("rows_late", "model"), "late"),
                    Query(rate("rows_unjudged", "model"), "never judged"),
                ],
                "cps",
            ),
            timeseries(
                "What sampling left out",
                "Predictions that the rows stand for by the weight of their source, over rows "
                "counted: 1 where nothing is sampled.",
                [
                    Query(
                        f"{rate('predictions_weighted', 'model_version')}"
                        f" / {rate('predictions', 'model_version')}",
                        "v{{model_version}}",
                    )
                ],
            ),
        ],
    )


def _expected() -> Line:
    def of(name: str) -> str:
        return f"sum(anchorwatch_features_{name}{{{OF_MODEL}}})"

    return Line(
        8,
        [
            timeseries(
                "Streams that are watched less",
                "Muted by the configuration; wander not known yet, so with wider tolerances; "
                "never keeping their shape, so never alarming; in the events and not in the "
                "reference; in the reference and not in the events.",
                [
                    Query(of(name), words)
                    for name, words in (
                        ("muted", "muted"),
                        ("learning", "wander not known yet"),
                        ("unstable", "never alarm"),
                        ("unknown", "not in the reference"),
                        ("absent", "not in the events"),
                    )
                ],
            ),
            timeseries(
                "Alarms by detector",
                "Over all streams and in an hour. One that alone alarms all the time is a reason "
                "to look at its settings.",
                [
                    Query(
                        "sum by (detector)"
                        f" (increase(anchorwatch_detector_alarms_total{{{OF_MODEL}}}[1h]))",
                        "{{detector}}",
                    )
                ],
            ),
            timeseries(
                "Verdicts",
                "What people said of this model's episodes.",
                [
                    Query(
                        f"sum by (verdict) (anchorwatch_episodes_decided{{{OF_MODEL}}})",
                        "{{verdict}}",
                    )
                ],
            ),
        ],
    )
