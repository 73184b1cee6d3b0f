"""All models: what needs attention first, then every model by how far it is from an alarm."""

from deploy.grafana.fleet_trust import trust_sections
from deploy.grafana.frame import FLEET, choices, dashboard, of_episodes, to_model
from deploy.grafana.layout import Line, Section
from deploy.grafana.panels import (
    ALARMS,
    ANY,
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
from deploy.grafana.scope import INFO, OF_TEAMS

_WORST = f"max by (model, model_version) (anchorwatch_drift_score) {OF_TEAMS}"
_EPISODE = "model, model_version, kind, severity, team, episode, drill"
_OPEN_MODEL = link(
    "Open the model",
    to_model("${__data.fields.Model}", "${__data.fields.Version}"),
)
_OPEN_LINE = link("Open the model", to_model("${__field.labels.model}"))


def fleet() -> Json:
    """The dashboard."""
    return dashboard(
        FLEET,
        "Anchorwatch: all models",
        "What needs attention, and how all models are doing.",
        [
            choices(
                "team",
                "Team",
                "label_values(anchorwatch_model_info, team)",
                "Whose models. Unowned ones have the team `unowned` or none.",
            )
        ],
        [
            Section("What needs attention", [_in_short(), _attention()]),
            Section("All models", [_models(), _over_time()]),
            *trust_sections(),
        ],
        [of_episodes('team=~"$team"')],
    )


def _in_short() -> Line:
    def open_episodes(severity: str) -> str:
        active = f'anchorwatch_episode_active{{severity="{severity}", team=~"$team"}}'
        return f"count(max by (episode) ({active}) == 1) or vector(0)"

    return Line(
        4,
        [
            stat(
                "Pages open",
                "Episodes that last and have paged somebody.",
                open_episodes("page"),
                steps=ANY,
            ),
            stat(
                "Tickets open",
                "Episodes that last and are to be looked at in working hours.",
                open_episodes("ticket"),
                steps=((1.0, "orange"),),
            ),
            stat(
                "Models silent",
                "Models whose records are due by their own history, and none came. While "
                "Anchorwatch itself is behind, nobody can know: see its own dashboard.",
                'sum(max by (model) (anchorwatch_model_expected{team=~"$team"})) or vector(0)',
                steps=ANY,
            ),
            stat(
                "Not judged yet",
                "Model versions without a reference that is ready: they learn one, or have none. "
                "No alarm of theirs can be expected.",
                "count((max by (model, model_version)"
                f' (anchorwatch_reference_state{{state="ready"}}) == 0) {OF_TEAMS}) or vector(0)',
                steps=((1.0, "orange"),),
            ),
            stat(
                "Models watched",
                "Models of which events are counted.",
                f"count(max by (model) (anchorwatch_features) {OF_TEAMS})",
            ),
            stat(
                "Events",
                "Predictions counted a second, of all models.",
                f"sum(rate(anchorwatch_predictions_total[$__rate_interval]) {OF_TEAMS})",
                "cps",
            ),
            stat(
                "Behind by",
                "How long ago all logs had been read to their end. What is said here is true up "
                "to then.",
                "time() - min(anchorwatch_read_through_timestamp_seconds)",
                "s",
                ((60.0, "orange"), (300.0, "red")),
            ),
        ],
        [3, 3, 3, 3, 4, 4, 4],
    )


def _attention() -> Line:
    onset = f'max by ({_EPISODE}) (anchorwatch_episode_onset_timestamp_seconds{{team=~"$team"}})'
    active = f'max by ({_EPISODE}) (anchorwatch_episode_active{{team=~"$team"}})'
    return Line(
        8,
        [
            table(
                "Open episodes",
                "What drifts together is one episode. `anchorwatch episode show NAME` has the "
                "evidence, the likely cause, and what to do. Empty: nothing that anybody is to "
                "hear of.",
                [f"{onset} * 1000"],
                {
                    "severity": Column("Severity", width=90),
                    "model": Column("Model", link=_OPEN_MODEL),
                    "model_version": Column("Version", width=80),
                    "kind": Column("Of", width=90),
                    "team": Column("Team"),
                    "A": Column("Since", "dateTimeFromNow"),
                    "episode": Column("Episode"),
                    "drill": Column("Drill", width=60),
                },
                "A",
            ),
            timeline(
                "Episodes",
                "When each episode lasted. A restart of Anchorwatch does not end one.",
                Query(active, "{{model}} {{model_version}} {{kind}} ({{severity}})"),
                {"1": "lasts"},
            ),
        ],
    )


def _models() -> Line:
    def of(how: str, what: str) -> str:
        return f"{how} by (model, model_version) ({what}) {OF_TEAMS}"

    return Line(
        10,
        [
            table(
                "Models, the farthest drifted first",
                "The score is evidence over its alarm level, of whatever of the model is worst: "
                "1 alarms. Shift is the smallest change of a mean, in standard deviations, that "
                "the typical feature would show within an hour.",
                [
                    _WORST,
                    f"max by (model, model_version, team, tier) ({INFO})",
                    of("sum", "anchorwatch_features_drifted"),
                    f"60 * ({of('sum', 'rate(anchorwatch_predictions_total[5m])')})",
                    of("max", "anchorwatch_detectable_shift_sd"),
                    f"time() - {of('max', 'anchorwatch_reference_created_timestamp_seconds')}",
                    of("max", "anchorwatch_reference_learned_ratio"),
                ],
                {
                    "model": Column("Model", link=_OPEN_MODEL),
                    "model_version": Column("Version", width=80),
                    "team": Column("Team"),
                    "tier": Column("Tier", width=60),
                    "A": Column("Worst score", "short", ALARMS),
                    "C": Column("Drifted", "short", ANY),
                    "D": Column("Events a minute", "short"),
                    "E": Column("Shift noticed (sd)", "short"),
                    "F": Column("Reference age", "s"),
                    "G": Column("Reference learned", "percentunit"),
                },
                "A",
            )
        ],
    )


def _over_time() -> Line:
    return Line(
        9,
        [
            timeseries(
                "Worst score of each model",
                "Evidence over alarm level; at 1 it alarms, and 0.5 is halfway in evidence. The "
                "twenty highest.",
                [Query(f"topk(20, {_WORST})", "{{model}} {{model_version}}")],
                look=TO_ALARM,
                links=[_OPEN_LINE],
            ),
            timeseries(
                "Streams that have drifted",
                "How many of the watched streams of a model alarm: one is a feature's matter, "
                "many at once are mostly a pipeline's.",
                [
                    Query(
                        f"sum by (model, model_version) (anchorwatch_features_drifted) {OF_TEAMS}",
                        "{{model}} {{model_version}}",
                    )
                ],
                links=[_OPEN_LINE],
            ),
        ],
    )
