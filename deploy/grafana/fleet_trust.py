"""What comes of all models, and how far their alarms, and their silence, can be trusted."""

from collections.abc import Iterator

from deploy.grafana.frame import to_model
from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import GREY, Look, Query, link, stat, timeseries
from deploy.grafana.scope import OF_TEAMS

_A_MONTH_SECONDS = 30 * 86_400
_OPEN_LINE = link("Open the model", to_model("${__field.labels.model}"))


def trust_sections() -> Iterator[Section]:
    """Sections of the dashboard of all models."""
    yield Section("Events", [_events()])
    yield Section("Can alarms be trusted", [_trust(), _coverage()])


def _events() -> Line:
    def rate(name: str) -> str:
        return f"sum by (model) (rate(anchorwatch_{name}_total[$__rate_interval]))"

    return Line(
        9,
        [
            timeseries(
                "Predictions a second",
                "Rows counted, by model.",
                [Query(f"{rate('predictions')} {OF_TEAMS}", "{{model}}")],
                "cps",
                links=[_OPEN_LINE],
            ),
            timeseries(
                "Rows not counted",
                "Rows of known models a second that were refused or came too late: whatever was "
                "sent and is not judged.",
                [Query(f"({rate('rows_rejected')} + {rate('rows_late')}) {OF_TEAMS}", "{{model}}")],
                "cps",
                links=[_OPEN_LINE],
            ),
            timeseries(
                "Time since the newest record",
                "A model that is silent shows here before it is said to be silent.",
                [
                    Query(
                        "time() - max by (model)"
                        f" (anchorwatch_last_record_timestamp_seconds) {OF_TEAMS}",
                        "{{model}}",
                    )
                ],
                "s",
                links=[_OPEN_LINE],
            ),
        ],
    )


def _trust() -> Line:
    told = 'severity=~"page|ticket", team=~"$team"'
    episodes = f"sum by (team) (increase(anchorwatch_episodes_total{{{told}}}[30d]))"
    return Line(
        8,
        [
            timeseries(
                "Episodes in 30 days, and false ones accepted",
                "Episodes that reached somebody, true and false, beside how many false ones are "
                "accepted in 30 days (`detection.false_alarm_budget`). In a quiet month the "
                "lines of a team should not be above its dashed one.",
                [
                    Query(episodes, "{{team}}: episodes"),
                    Query(
                        'max by (team) (anchorwatch_false_alarm_budget_per_second{team=~"$team"})'
                        f" * {_A_MONTH_SECONDS}",
                        "{{team}}: accepted",
                    ),
                ],
                look=Look(levels="/: accepted$/"),
            ),
            timeseries(
                "What people said of episodes",
                "By the verdict that holds: `anchorwatch episode verdict NAME true|false`.",
                [
                    Query(
                        f"sum by (verdict) (anchorwatch_episodes_decided{{{told}}})",
                        "{{verdict}}",
                    )
                ],
            ),
        ],
    )


def _coverage() -> Line:
    def of(name: str) -> str:
        return f"sum(anchorwatch_features{name} {OF_TEAMS})"

    return Line(
        4,
        [
            stat(
                "Streams watched",
                "Of values, quality and volume, of all model versions.",
                of(""),
            ),
            stat(
                "Muted",
                "Streams that the configuration keeps quiet; each mute has an end.",
                of("_muted"),
            ),
            stat(
                "Wander not known yet",
                "Streams judged with wider tolerances in their first days.",
                of("_learning"),
                steps=((0.0, GREY),),
            ),
            stat(
                "Never alarm",
                "Streams that never keep their shape, so that no change of them can be told: "
                "blind.",
                of("_unstable"),
                steps=((1.0, "orange"),),
            ),
            stat(
                "Not in the reference",
                "Features in the events that nothing watches.",
                of("_unknown"),
                steps=((1.0, "orange"),),
            ),
            stat(
                "Not in the events",
                "Features of the reference that the events lack.",
                of("_absent"),
                steps=((1.0, "orange"),),
            ),
        ],
    )
