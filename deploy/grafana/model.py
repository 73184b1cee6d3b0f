"""One model: how it is, since when, which of its features, and everything known of one feature."""

from deploy.grafana.feature import feature_sections
from deploy.grafana.frame import (
    MODEL,
    choice,
    choices,
    dashboard,
    of_episodes,
    of_references,
    to_feature,
)
from deploy.grafana.layout import Line, Section
from deploy.grafana.model_events import event_sections
from deploy.grafana.panels import (
    ALARMS,
    ANY,
    GREY,
    TO_ALARM,
    Column,
    Json,
    Query,
    link,
    stat,
    table,
    timeline,
    timeseries,
)
from deploy.grafana.scope import OF_MODEL

_SCORE = f"max by (feature, kind) (anchorwatch_drift_score{{{OF_MODEL}}})"
_OPEN_LINE = link("Show the feature", to_feature("${__field.labels.feature}"))
_OPEN_PAGE = link(
    "Open the status page of the model",
    "${__field.labels.external_url}/?model=${model:percentencode}",
)
_OPEN_ROW = link("Show the feature", to_feature("${__data.fields.Feature}"))


def model() -> Json:
    """The dashboard."""
    return dashboard(
        MODEL,
        "Anchorwatch: one model",
        "How one model is doing, since when, and which of its features.",
        [
            choice(
                "model",
                "Model",
                "label_values(anchorwatch_features, model)",
                "The model that is shown.",
            ),
            choices(
                "version",
                "Version",
                'label_values(anchorwatch_features{model="$model"}, model_version)',
                "Which of its versions.",
            ),
            choices(
                "feature",
                "Feature",
                f"label_values(anchorwatch_drift_score{{{OF_MODEL}}}, feature)",
                "What the sections of features show; prediction and latency are among them.",
            ),
        ],
        [
            Section("How it is", [_in_short(), _in_long()]),
            Section("Since when", [_since()]),
            Section("Which features", [_features()]),
            Section("Which segments", [_segments()]),
            *feature_sections(OF_MODEL),
            *event_sections(),
        ],
        [of_episodes(OF_MODEL), of_references(OF_MODEL)],
    )


def _in_short() -> Line:
    return Line(
        4,
        [
            stat(
                "Worst score",
                "Evidence over its alarm level, of whatever is worst: 1 alarms.",
                f"max(anchorwatch_drift_score{{{OF_MODEL}}}"
                f" or anchorwatch_segment_drift_score{{{OF_MODEL}}})",
                steps=ALARMS,
            ),
            stat(
                "Open episodes",
                "Of pages and tickets.",
                f"count(max by (episode) (anchorwatch_episode_active{{{OF_MODEL}}}) == 1)"
                " or vector(0)",
                steps=ANY,
            ),
            stat(
                "Streams drifted",
                "Of those that are watched, muted ones apart.",
                f"sum(anchorwatch_features_drifted{{{OF_MODEL}}})",
                steps=ANY,
            ),
            stat(
                "Streams watched",
                "Of values, quality and volume, over the versions chosen.",
                f"sum(anchorwatch_features{{{OF_MODEL}}})",
            ),
            stat(
                "Events",
                "Predictions counted a second.",
                f"sum(rate(anchorwatch_predictions_total{{{OF_MODEL}}}[$__rate_interval]))",
                "cps",
            ),
            stat(
                "Counted up to",
                "How old the event time is up to which all is judged.",
                f"time() - min(anchorwatch_watermark_timestamp_seconds{{{OF_MODEL}}})",
                "s",
            ),
        ],
    )


def _in_long() -> Line:
    return Line(
        4,
        [
            stat(
                "Owner, tier and runbook",
                "By the configuration.",
                "max by (model_version, team, tier, runbook)"
                f" (anchorwatch_model_info{{{OF_MODEL}}})",
                legend="{{team}}, tier {{tier}} (v{{model_version}}) {{runbook}}",
                steps=((0.0, GREY),),
            ),
            stat(
                "Reference",
                "What each version is compared with: whether it is ready, or learning.",
                f"max by (model_version, state) (anchorwatch_reference_state{{{OF_MODEL}}} == 1)",
                legend="v{{model_version}}: {{state}}",
                steps=((0.0, GREY),),
            ),
            stat(
                "Reference learned",
                "Share of the events that the reference needs before it is ready.",
                f"min(anchorwatch_reference_learned_ratio{{{OF_MODEL}}})",
                "percentunit",
            ),
            stat(
                "Age of the reference",
                "What was normal half a year ago may be so no more.",
                f"time() - min(anchorwatch_reference_created_timestamp_seconds{{{OF_MODEL}}})",
                "s",
            ),
            stat(
                "Rows behind the reference",
                "Of the version that has fewest.",
                f"min(anchorwatch_reference_rows{{{OF_MODEL}}})",
            ),
            stat(
                "Smallest shift noticed",
                "In standard deviations: what the typical numeric feature would show within an "
                "hour. Below it nobody hears of anything.",
                f"max(anchorwatch_detectable_shift_sd{{{OF_MODEL}}})",
            ),
            stat(
                "Status page",
                "Where Anchorwatch shows distributions and says in words what changed. Not known "
                "unless `web.external_url` is set.",
                "max by (external_url) (anchorwatch_web_info)",
                legend="{{external_url}}",
                links=[_OPEN_PAGE],
            ),
        ],
        [4, 4, 3, 3, 3, 3, 4],
    )


def _since() -> Line:
    return Line(
        9,
        [
            timeseries(
                "Worst features",
                "Their scores; at 1 it alarms. A click on a line shows the feature below.",
                [Query(f"topk(10, {_SCORE})", "{{feature}} ({{kind}})")],
                look=TO_ALARM,
                links=[_OPEN_LINE],
            ),
            timeline(
                "Episodes",
                "When each lasted; `anchorwatch episode show NAME` has its evidence.",
                Query(
                    "max by (model_version, kind, severity, episode)"
                    f" (anchorwatch_episode_active{{{OF_MODEL}}})",
                    "{{episode}} {{kind}} ({{severity}})",
                ),
                {"1": "lasts"},
            ),
        ],
    )


def _features() -> Line:
    muted = f"anchorwatch_muted_until_timestamp_seconds{{{OF_MODEL}}}"
    return Line(
        10,
        [
            table(
                "Features, the farthest drifted first",
                "Scores above 1 alarm. PSI is over the longest window that is told, and there "
                "only in an episode unless `metrics.detail` is `full`.",
                [
                    f"max by (feature, kind, source) (anchorwatch_drift_score{{{OF_MODEL}}})",
                    f"max by (feature, kind) (anchorwatch_drift_psi{{{OF_MODEL}}})",
                    f"max by (feature, kind) ({muted}) * 1000",
                ],
                {
                    "feature": Column(
                        "Feature",
                        link=_OPEN_ROW,
                    ),
                    "kind": Column("Of", width=110),
                    "source": Column("Source"),
                    "A": Column("Score", "short", ALARMS),
                    "B": Column("PSI", "short"),
                    "C": Column("Muted until", "dateTimeAsIso"),
                },
                "A",
            )
        ],
    )


def _segments() -> Line:
    of = "max by (segmentation, segment)"
    score = f"anchorwatch_segment_drift_score{{{OF_MODEL}}}"
    predictions = f"anchorwatch_segment_predictions_total{{{OF_MODEL}}}"
    return Line(
        8,
        [
            table(
                "Segments, the farthest drifted first",
                "Of the predictions, where `models.*.segments` asks for any. Scores above 1 alarm; "
                "0 is any below 0.5.",
                [
                    f"{of} ({score}) or {of} (0 * {predictions})",
                    f"sum by (segmentation, segment) (rate({predictions}[$__rate_interval]))",
                ],
                {
                    "segmentation": Column("By"),
                    "segment": Column("Segment"),
                    "A": Column("Score", "short", ALARMS),
                    "B": Column("Predictions a second", "cps"),
                },
                "A",
            )
        ],
    )
