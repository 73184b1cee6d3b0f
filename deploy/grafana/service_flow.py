"""Whether Anchorwatch keeps up with its topics, and what became of every record."""

from collections.abc import Iterator

from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import ANY, Column, Look, Query, table, timeseries
from deploy.grafana.scope import HERE

_TO_STAY_NONE = (
    "checkpoint_failures",
    "checkpoint_fallbacks",
    "dead_letters_failed",
    "episode_record_failures",
    "models_over_limit",
    "offsets_out_of_range",
    "pane_conflicts",
    "pane_records_lost",
    "pane_records_refused",
    "reference_failures",
    "state_reloads",
)


def flow_sections() -> Iterator[Section]:
    """Sections of the dashboard of the service."""
    yield Section("Does it keep up", [_lag(), _work()])
    yield Section("Is every record accounted for", [_books(), _faults()])


def _lag() -> Line:
    return Line(
        8,
        [
            timeseries(
                "Behind, in time",
                "Age of the newest record applied, of the partition that is farthest behind; 0 "
                "when caught up.",
                [
                    Query(
                        f"max by (topic) (anchorwatch_consumer_lag_seconds{{{HERE}}})",
                        "{{topic}}",
                    )
                ],
                "s",
            ),
            timeseries(
                "Behind, in records",
                "Of all partitions of a topic together.",
                [
                    Query(
                        f"sum by (topic) (anchorwatch_consumer_lag_records{{{HERE}}})",
                        "{{topic}}",
                    )
                ],
            ),
            timeseries(
                "Partitions read, by process",
                "In a fleet they are shared evenly; a drop is a rebalance.",
                [
                    Query(
                        f"sum by (instance) (anchorwatch_partition_owned{{{HERE}}})",
                        "{{instance}}",
                    )
                ],
            ),
        ],
    )


def _work() -> Line:
    def step(name: str) -> str:
        return f"anchorwatch_loop_step_{name}{{{HERE}}}"

    spent = f"rate({step('seconds_total')}[$__rate_interval])"
    return Line(
        8,
        [
            timeseries(
                "What the time goes into",
                "Seconds a second in each step of the loop. Where polling is near 0, it cannot go "
                "faster.",
                [Query(f"sum by (step) ({spent})", "{{step}}")],
                look=Look(stacked=True),
            ),
            timeseries(
                "Time of one run of a step",
                "On average.",
                [
                    Query(
                        f"sum by (step) ({spent}) / (sum by (step)"
                        f" (rate({step('calls_total')}[$__rate_interval])) > 0)",
                        "{{step}}",
                    )
                ],
                "s",
            ),
            timeseries(
                "Longest run of a step",
                "Since the start of the process. Minutes would trip the watchdog.",
                [Query(f"max by (step) ({step('max_seconds')})", "{{step}}")],
                "s",
            ),
            timeseries(
                "Age of what is shown",
                "How old the figures of the page and of the metrics are.",
                [
                    Query(
                        "time() - max by (instance)"
                        f" (anchorwatch_report_timestamp_seconds{{{HERE}}})",
                        "{{instance}}",
                    )
                ],
                "s",
            ),
        ],
    )


def _books() -> Line:
    def rate(fate: str, by: str) -> str:
        return f"sum by ({by}) (rate(anchorwatch_records_{fate}_total{{{HERE}}}[$__rate_interval]))"

    return Line(
        8,
        [
            timeseries(
                "Records by their fate",
                "A second. Consumed = applied + ignored + rejected, at any time.",
                [
                    Query(rate(fate, "job"), fate)
                    for fate in ("consumed", "applied", "ignored", "rejected")
                ],
                "cps",
            ),
            timeseries(
                "Records applied, by topic",
                "A second.",
                [Query(rate("applied", "topic"), "{{topic}}")],
                "cps",
                look=Look(stacked=True),
            ),
            timeseries(
                "Records rejected, by reason",
                "A second. What they were is in the dead-letter topic, if there is one.",
                [Query(rate("rejected", "topic, reason"), "{{topic}}: {{reason}}")],
                "cps",
                look=Look(stacked=True),
            ),
        ],
    )


def _faults() -> Line:
    names = "|".join(_TO_STAY_NONE)
    counted = f'__name__=~"anchorwatch_({names})_total", {HERE}'
    return Line(
        8,
        [
            table(
                "What should stay 0",
                "Counted since the start of each process, by the name of the metric: METRICS.md "
                "says what each means.",
                [f"sum by (__name__, instance) ({{{counted}}})"],
                {
                    "__name__": Column("Metric"),
                    "instance": Column("Process"),
                    "A": Column("Times", "short", ANY, width=90),
                },
                "A",
            ),
            timeseries(
                "Dead letters",
                "Rejected records a second that the dead-letter topic took, or did not.",
                [
                    Query(
                        f"sum(rate(anchorwatch_dead_letters_total{{{HERE}}}[$__rate_interval]))",
                        "sent",
                    ),
                    Query(
                        "sum(rate("
                        f"anchorwatch_dead_letters_failed_total{{{HERE}}}[$__rate_interval]))",
                        "not taken",
                    ),
                ],
                "cps",
            ),
        ],
    )
