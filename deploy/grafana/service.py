"""Anchorwatch itself: whether it keeps up, loses nothing, stays within its limits, and is well."""

from deploy.grafana.frame import SERVICE, choices, dashboard
from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import ANY, Column, Json, Query, stat, table, timeline, timeseries
from deploy.grafana.scope import HERE, OF_OURS
from deploy.grafana.service_flow import flow_sections
from deploy.grafana.service_resources import resource_sections

_BUILD = f"anchorwatch_build_info{{{HERE}}}"


def service() -> Json:
    """The dashboard."""
    return dashboard(
        SERVICE,
        "Anchorwatch: the service itself",
        "Whether Anchorwatch keeps up, loses nothing, stays within its limits, and is well.",
        [
            choices(
                "instance",
                "Process",
                "label_values(anchorwatch_build_info, instance)",
                "Processes of Anchorwatch: one of role all, or workers and a judge.",
            )
        ],
        [
            Section("Is it well", [_in_short(), _processes(), _configuration()]),
            *flow_sections(),
            *resource_sections(),
        ],
    )


def _in_short() -> Line:
    consumed, *others = (
        f"sum(anchorwatch_records_{fate}_total{{{HERE}}})"
        for fate in ("consumed", "applied", "ignored", "rejected")
    )
    return Line(
        4,
        [
            stat(
                "Processes not ready",
                "Catching up with their state, or not reading: `/readyz` says why.",
                f"count(anchorwatch_ready{{{HERE}}} == 0) or vector(0)",
                steps=ANY,
            ),
            stat(
                "Behind by",
                "How long ago all logs had been read to their end.",
                f"time() - min(anchorwatch_read_through_timestamp_seconds{{{HERE}}})",
                "s",
                ((60.0, "orange"), (300.0, "red")),
            ),
            stat(
                "Difference of the books",
                "Records consumed that were neither applied, ignored nor rejected. More than 0 "
                "is a fault of ours.",
                f"{consumed} - {' - '.join(others)}",
                steps=ANY,
            ),
            stat(
                "Partitions nobody reads",
                "What is sent to them is not watched.",
                f"sum(anchorwatch_partitions_missing{{{HERE}}})",
                steps=ANY,
            ),
            stat(
                "Topics that are not there",
                "Configured topics or patterns of which nothing is there.",
                f"sum(anchorwatch_topic_absent{{{HERE}}}) or vector(0)",
                steps=ANY,
            ),
            stat(
                "Age of the state",
                "Since the last checkpoint. After a crash so much is read again; nothing is lost.",
                f"time() - min(anchorwatch_checkpoint_last_success_timestamp_seconds{{{HERE}}})",
                "s",
                ((300.0, "orange"), (900.0, "red")),
            ),
            stat(
                "Series left out",
                "Given up to keep `metrics.series`: detail first, streams last.",
                f"sum(anchorwatch_series_omitted{{{HERE}}})",
                steps=((1.0, "orange"),),
            ),
        ],
        [3, 3, 4, 4, 4, 3, 3],
    )


def _processes() -> Line:
    by = "max by (instance)"
    return Line(
        7,
        [
            table(
                "Processes",
                "What runs, since when, by which configuration. In a fleet all should have one.",
                [
                    f"max by (instance, role, version, revision) ({_BUILD})",
                    f"max by (instance, hash) (anchorwatch_config_info{{{HERE}}})",
                    f"{by} (process_start_time_seconds {OF_OURS}) * 1000",
                    f"count by (instance) (anchorwatch_partition_owned{{{HERE}}} == 1)",
                    f"max by (instance, detail) (anchorwatch_metrics_detail{{{HERE}}} == 1)",
                ],
                {
                    "instance": Column("Process"),
                    "role": Column("Role", width=80),
                    "version": Column("Version", width=90),
                    "revision": Column("Revision", width=110),
                    "hash": Column("Configuration"),
                    "C": Column("Since", "dateTimeFromNow"),
                    "D": Column("Partitions"),
                    "detail": Column("Detail", width=90),
                },
                "C",
            ),
            timeline(
                "Ready",
                "When each process was reading and had caught up with its state.",
                Query(f"1 - max by (instance) (anchorwatch_ready{{{HERE}}})", "{{instance}}"),
                {"0": "ready", "1": "not ready"},
            ),
        ],
        [15, 9],
    )


def _configuration() -> Line:
    def of(name: str) -> str:
        return f"anchorwatch_config_{name}{{{HERE}}}"

    taken_up = of("last_reload_success_timestamp_seconds")
    return Line(
        5,
        [
            stat(
                "Files refused",
                "What they said last holds on; `anchorwatch check` names line and reason.",
                f"count({of('file_ok')} == 0) or vector(0)",
                steps=ANY,
            ),
            stat(
                "Restart needed",
                "Processes whose configuration has changed in what is read at the start alone. "
                "The status page names it.",
                f"sum({of('restart_needed')})",
                steps=((1.0, "orange"),),
            ),
            stat(
                "Last look was good",
                "1 when all files of the configuration are in force, of every process.",
                f"min({of('last_reload_successful')})",
                steps=((0.0, "red"), (1.0, "green")),
            ),
            timeseries(
                "Since the configuration was last taken up whole",
                "By process; it stays small while files are sound.",
                [
                    Query(
                        f"time() - max by (instance) ({taken_up})",
                        "{{instance}}",
                    )
                ],
                "s",
            ),
            table(
                "Files",
                "Files of the configuration: 1 is in force, 0 was refused.",
                [f"min by (file) ({of('file_ok')})"],
                {"file": Column("File"), "A": Column("In force", width=80)},
                "A",
            ),
        ],
        [3, 3, 3, 7, 8],
    )
