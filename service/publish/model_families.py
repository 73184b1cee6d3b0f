"""The families of models and their streams. `kind` keeps a feature called prediction apart."""

from service.publish.families import (
    MODEL,
    SEGMENT,
    STREAM,
    Detail,
    Family,
    Group,
    MetricType,
    counter,
    distance,
    gauge,
    info,
)

# Volume, latency and standing of one model version.

PREDICTIONS = counter("predictions", "Predictions counted into panes.", MODEL, Group.VOLUME)
PREDICTIONS_WEIGHTED = counter(
    "predictions_weighted",
    "Predictions that the counted rows stand for, by the weight of their source.",
    MODEL,
    Group.VOLUME,
)
ROWS_LATE = counter(
    "rows_late",
    "Well-formed rows that came after their pane had closed.",
    MODEL,
    Group.VOLUME,
)
ROWS_REJECTED = counter(
    "rows_rejected",
    "Rows of a known model that were refused.",
    (*MODEL, "reason"),
    Group.VOLUME,
)
ROWS_UNJUDGED = counter("rows_unjudged", "Rows counted but never judged.", MODEL, Group.VOLUME)
PANES_JUDGED = counter("panes_judged", "Panes that the detectors have seen.", MODEL, Group.VOLUME)
LATENCY = Family(
    "prediction_latency_seconds",
    MetricType.HISTOGRAM,
    "Latency of the model as its events report it.",
    MODEL,
    Group.VOLUME,
    unit="seconds",
)
LAST_RECORD = gauge(
    "last_record_timestamp_seconds",
    "When the model's newest record arrived in Kafka.",
    MODEL,
    Group.VOLUME,
    "seconds",
)
WATERMARK = gauge(
    "watermark_timestamp_seconds",
    "Event time up to which the model's panes are closed.",
    MODEL,
    Group.VOLUME,
    "seconds",
)
FEATURES = gauge(
    "features",
    "Streams known: of values (features, prediction, latency, derived ones), quality and volume.",
    MODEL,
    Group.VOLUME,
)
FEATURES_DRIFTED = gauge(
    "features_drifted",
    "Streams of `features` that have drifted and are not muted.",
    MODEL,
    Group.VOLUME,
)
FEATURES_MUTED = gauge("features_muted", "Streams muted by configuration.", MODEL, Group.VOLUME)
FEATURES_UNKNOWN = gauge(
    "features_unknown", "Features in the events that nothing watches.", MODEL, Group.VOLUME
)
FEATURES_ABSENT = gauge(
    "features_absent", "Features of the reference that the events lack.", MODEL, Group.VOLUME
)
FEATURES_LEARNING = gauge(
    "features_learning",
    "Streams of `features` whose wander is not known yet: judged with wider tolerances.",
    MODEL,
    Group.VOLUME,
)
FEATURES_UNSTABLE = gauge(
    "features_unstable",
    "Streams of `features` that never keep their shape: blind, so that they never alarm.",
    MODEL,
    Group.VOLUME,
)
DETECTABLE_SHIFT = gauge(
    "detectable_shift_sd",
    "Smallest shift of a mean that the typical numeric stream would show within an hour.",
    MODEL,
    Group.VOLUME,
    "sd",
)
FALSE_ALARM_BUDGET = gauge(
    "false_alarm_budget_per_second",
    "False alarms accepted of all models of the team; without a team: of all together.",
    ("team",),
    Group.VOLUME,
)
MODEL_INFO = info(
    "model",
    "Who owns the model and what to do when it drifts.",
    (*MODEL, "team", "tier", "runbook"),
    Group.VOLUME,
)
MODEL_EXPECTED = gauge(
    "model_expected",
    "1 while a record of the model is due: by its own history it is a surprise that none came "
    "since its newest, up to when all was read that there was. Absent while no history is known.",
    ("model", "team"),
    Group.VOLUME,
)
MODEL_SEVERITY = info(
    "model_severity",
    "Whom alerts about the whole model reach, by their category: silent or stale.",
    ("model", "team", "category", "severity"),
    Group.VOLUME,
)
REFERENCE_INFO = info(
    "reference", "The reference the model is compared with.", (*MODEL, "hash"), Group.VOLUME
)
REFERENCE_STATE = gauge(
    "reference_state",
    "1 for the state that the reference is in.",
    (*MODEL, "state"),
    Group.VOLUME,
)
REFERENCE_ROWS = gauge("reference_rows", "Rows behind the reference.", MODEL, Group.VOLUME)
REFERENCE_CREATED = gauge(
    "reference_created_timestamp_seconds",
    "When the reference was made.",
    MODEL,
    Group.VOLUME,
    "seconds",
)
REFERENCE_LEARNED = gauge(
    "reference_learned_ratio",
    "Share of the events that the reference needs before it is ready.",
    MODEL,
    Group.VOLUME,
    "ratio",
)
POLICY_LIMIT = gauge(
    "policy_limit",
    "Fixed limit of the model's policy, by level: amber or red. Reported; no episode comes of it.",
    (*MODEL, "method", "window", "level"),
    Group.VOLUME,
)
DETECTOR_ALARMS = counter(
    "detector_alarms",
    "Alarms of one detector over all streams of the model.",
    (*MODEL, "detector"),
    Group.VOLUME,
)

# Streams. `kind` keeps a feature called prediction apart from the prediction.

MISSING_VALUES = counter("missing_values", "Values that were not there.", STREAM, Group.FEATURE)
INVALID_VALUES = counter(
    "invalid_values",
    "Values of another type, infinite or not a number.",
    STREAM,
    Group.FEATURE,
)
UNSEEN_VALUES = counter(
    "unseen_values",
    "Values that the reference does not prepare for: of an unknown category, or a number further "
    "outside its range than the range is wide (or negative where none was).",
    STREAM,
    Group.FEATURE,
)
DRIFT_SCORE = gauge(
    "drift_score",
    "Largest evidence of a detector over its alarm level; 1 alarms.",
    (*STREAM, "source"),
    Group.FEATURE,
)
SEGMENT_PREDICTIONS = counter(
    "segment_predictions",
    "Predictions of a segment, since it is known.",
    SEGMENT,
    Group.SEGMENT,
)
SEGMENT_DRIFT_SCORE = gauge(
    "segment_drift_score",
    "Largest evidence over its alarm level that the predictions of a segment drift; 1 alarms. "
    "Absent below 0.5.",
    SEGMENT,
    Group.SEGMENT,
)
MUTED_UNTIL = gauge(
    "muted_until_timestamp_seconds",
    "When the mute of a stream ends.",
    (*STREAM, "team"),
    Group.FEATURE,
    "seconds",
)
POLICY_DISTANCE = gauge(
    "policy_distance",
    "Distance to the reference by the method and over the window of the model's policy.",
    (*STREAM, "method", "window"),
    Group.FEATURE,
)
POLICY_EXPECTED = gauge(
    "policy_distance_expected",
    "What of the policy's distance sampling alone explains: live and in the reference.",
    (*STREAM, "method", "window"),
    Group.FEATURE,
)
POLICY_COVERED = gauge(
    "policy_covered_ratio",
    "Share of the policy's window that is counted yet.",
    (*STREAM, "method", "window"),
    Group.FEATURE,
    "ratio",
)
DRIFT_PSI = distance("drift_psi", "Population stability index against the reference.")
DRIFT_JENSEN_SHANNON = distance(
    "drift_jensen_shannon", "Jensen-Shannon distance to the reference, base 2, 0 to 1."
)
DRIFT_KS = distance("drift_ks", "Largest difference of the distribution functions, 0 to 1.")
DRIFT_WASSERSTEIN = distance(
    "drift_wasserstein_sd",
    "Wasserstein distance in standard deviations of the reference.",
    "sd",
)
FEATURE_QUANTILE = Family(
    "feature_quantile",
    # promtool refuses the label `quantile` on a gauge, and the quantiles of a summary may not be
    # negative in OpenMetrics.
    MetricType.UNTYPED,
    "Quantile of the valid values; never of hidden streams.",
    (*STREAM, "quantile", "window"),
    Group.DISTANCE,
    Detail.FULL,
)
DETECTOR_EVIDENCE = Family(
    "detector_evidence",
    MetricType.GAUGE,
    "Evidence that a detector has gathered.",
    (*STREAM, "detector"),
    Group.DISTANCE,
    Detail.FULL,
)
DETECTOR_LEVEL = Family(
    "detector_level",
    MetricType.GAUGE,
    "Evidence at which the detector alarms.",
    (*STREAM, "detector"),
    Group.DISTANCE,
    Detail.FULL,
)
