"""What Anchorwatch keeps and uses, and the limits of it."""

from collections.abc import Iterator

from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import Look, Query, timeseries
from deploy.grafana.scope import HERE, OF_OURS


def resource_sections() -> Iterator[Section]:
    """Sections of the dashboard of the service."""
    yield Section("State", [_checkpoints()])
    yield Section("Limits and resources", [_limits(), _resources()])


def _checkpoints() -> Line:
    took = "anchorwatch_checkpoint_duration_seconds_bucket"
    return Line(
        8,
        [
            timeseries(
                "Time since a checkpoint",
                "It is written every `state.every`.",
                [
                    Query(
                        "time() - max by (instance) ("
                        f"anchorwatch_checkpoint_last_success_timestamp_seconds{{{HERE}}})",
                        "{{instance}}",
                    )
                ],
                "s",
            ),
            timeseries(
                "Time of a checkpoint",
                "Of twenty the slowest, with the wait for the disk or the broker.",
                [
                    Query(
                        "histogram_quantile(0.95, sum by (le, instance)"
                        f" (rate({took}{{{HERE}}}[5m])))",
                        "{{instance}}",
                    )
                ],
                "s",
            ),
            timeseries(
                "Size of the state",
                "Of the last checkpoint, and of the directory if there is one.",
                [
                    Query(
                        f"max by (instance) (anchorwatch_checkpoint_size_bytes{{{HERE}}})",
                        "{{instance}}: checkpoint",
                    ),
                    Query(
                        f"max by (instance) (anchorwatch_state_size_bytes{{{HERE}}})",
                        "{{instance}}: directory",
                    ),
                ],
                "bytes",
            ),
            timeseries(
                "Free space",
                "Where the state directory lies; a full disk stops checkpoints.",
                [
                    Query(
                        f"min by (instance) (anchorwatch_state_free_bytes{{{HERE}}})",
                        "{{instance}}",
                    )
                ],
                "bytes",
            ),
        ],
    )


def _limits() -> Line:
    return Line(
        8,
        [
            timeseries(
                "Series, and their limit",
                "On the page of metrics; the dashed line is `metrics.series`.",
                [
                    Query(
                        f"max by (instance) (anchorwatch_series{{{HERE}}})",
                        "{{instance}}",
                    ),
                    Query(
                        f"max by (instance) (anchorwatch_series_limit{{{HERE}}})",
                        "{{instance}}: limit",
                    ),
                ],
                look=Look(levels="/: limit$/"),
            ),
            timeseries(
                "Series left out, by what",
                "By what was given up: `full` is distances and quantiles, `feature` streams.",
                [
                    Query(
                        f"sum by (reason) (anchorwatch_series_omitted{{{HERE}}})",
                        "{{reason}}",
                    )
                ],
            ),
            timeseries(
                "Requests refused",
                "A second and by reason: too many at once, too slow, or without a good login.",
                [
                    Query(
                        "sum by (reason) (rate("
                        f"anchorwatch_web_refused_total{{{HERE}}}[$__rate_interval]))",
                        "{{reason}}",
                    )
                ],
                "reqps",
            ),
        ],
    )


def _resources() -> Line:
    def of(expr: str) -> list[Query]:
        return [Query(f"max by (instance) ({expr} {OF_OURS})", "{{instance}}")]

    return Line(
        8,
        [
            timeseries(
                "Memory",
                "Resident. It depends on models, features and windows, not on events.",
                of("process_resident_memory_bytes"),
                "bytes",
            ),
            timeseries(
                "Processor",
                "Cores busy. One process uses little more than one.",
                of("rate(process_cpu_seconds_total[$__rate_interval])"),
            ),
            timeseries(
                "Open files",
                "And the limit of the process, dashed.",
                [
                    *of("process_open_fds"),
                    Query(
                        f"max by (instance) (process_max_fds {OF_OURS})",
                        "{{instance}}: limit",
                    ),
                ],
                look=Look(log=True, levels="/: limit$/"),
            ),
        ],
    )
