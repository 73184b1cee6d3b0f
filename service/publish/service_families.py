"""The families of topics, partitions and the service itself."""

from service.publish.families import Group, counter, gauge, histogram, info

# The books and the partitions: consumed = applied + ignored + rejected.

RECORDS_CONSUMED = counter(
    "records_consumed", "Records taken from the topic.", ("topic",), Group.BOOKS
)
RECORDS_APPLIED = counter(
    "records_applied",
    "Records that were read: each row is a prediction, late or rejected in its model's book.",
    ("topic",),
    Group.BOOKS,
)
RECORDS_IGNORED = counter(
    "records_ignored",
    "Records that the mapping leaves out on purpose.",
    ("topic",),
    Group.BOOKS,
)
RECORDS_REJECTED = counter(
    "records_rejected", "Records that were refused.", ("topic", "reason"), Group.BOOKS
)
LAG_RECORDS = gauge(
    "consumer_lag_records",
    "Records behind the end of the partition.",
    ("topic", "partition"),
    unit="records",
)
LAG_SECONDS = gauge(
    "consumer_lag_seconds",
    "Age of the newest record applied while there is lag, 0 when caught up.",
    ("topic", "partition"),
    unit="seconds",
)
READ_THROUGH = gauge(
    "read_through_timestamp_seconds",
    "When every log had last been read to its end: of the partitions read here; of the judge, of "
    "all. The start of the process while one never was.",
    unit="seconds",
)
PARTITION_OWNED = gauge(
    "partition_owned", "1 for each partition that is read here.", ("topic", "partition")
)
PARTITIONS_MISSING = gauge(
    "partitions_missing",
    "Partitions of the topic that nobody reads: with role all here; in a fleet, told by the judge.",
    ("topic",),
)
TOPIC_ABSENT = gauge(
    "topic_absent", "1 for each configured topic or pattern of which nothing is there.", ("topic",)
)

# The service itself.

CHECKPOINT_LAST_SUCCESS = gauge(
    "checkpoint_last_success_timestamp_seconds",
    "When state was last written whole; absent until then.",
    unit="seconds",
)
CHECKPOINT_FAILURES = counter("checkpoint_failures", "Checkpoints that could not be written.")
EPISODE_RECORD_FAILURES = counter(
    "episode_record_failures", "Attempts to write events of episodes that failed."
)
REFERENCE_FAILURES = counter(
    "reference_failures",
    "References found that cannot be used, and looks for new ones that failed.",
)
CHECKPOINT_FALLBACKS = counter(
    "checkpoint_fallbacks", "Times an older checkpoint was taken since the newest was damaged."
)
CHECKPOINT_SECONDS = histogram(
    "checkpoint_duration_seconds",
    "How long checkpoints took, with the wait for the disk or the broker.",
    unit="seconds",
)
CHECKPOINT_SIZE = gauge("checkpoint_size_bytes", "Size of the last checkpoint.", unit="bytes")
OUT_OF_RANGE = counter(
    "offsets_out_of_range", "Times the log did not hold the position to continue from."
)
DEAD_LETTERS = counter("dead_letters", "Rejected records sent to the dead-letter topic.")
DEAD_LETTERS_FAILED = counter(
    "dead_letters_failed", "Rejected records that the dead-letter topic did not take."
)
STATE_FREE = gauge(
    "state_free_bytes", "Free space where the state directory lies, if any.", unit="bytes"
)
STATE_SIZE = gauge("state_size_bytes", "Size of the state directory, if any.", unit="bytes")
STEP_SECONDS = counter(
    "loop_step_seconds", "Seconds spent in one step of the loop.", ("step",), unit="seconds"
)
STEP_CALLS = counter("loop_step_calls", "Times the step ran.", ("step",))
STEP_MAX = gauge(
    "loop_step_max_seconds", "The step's longest run since the start.", ("step",), unit="seconds"
)
MODELS_OVER_LIMIT = counter(
    "models_over_limit", "Records or rows of models beyond the limit of models."
)
READY = gauge("ready", "1 when caught up with the state and reading.")
REPORT_TIME = gauge(
    "report_timestamp_seconds", "The time that this page's figures are of.", unit="seconds"
)
SERIES = gauge("series", "Series on this page.")
SERIES_LIMIT = gauge("series_limit", "Series that metrics.series allows.")
SERIES_OMITTED = gauge(
    "series_omitted",
    "Series given up to keep the limit: full (distances, quantiles), then feature.",
    ("reason",),
)
METRICS_DETAIL = gauge("metrics_detail", "1 for the detail that is exported now.", ("detail",))
CONFIG_FILE_OK = gauge(
    "config_file_ok",
    "1 for each file of the configuration that is in force as it is now; 0: it was refused, and "
    "what it said last holds on.",
    ("file",),
)
CONFIG_RELOAD_OK = gauge(
    "config_last_reload_successful",
    "1 when all files of the configuration are in force, by the last look at them.",
)
CONFIG_RELOAD_TIME = gauge(
    "config_last_reload_success_timestamp_seconds",
    "When all files of the configuration were last taken up.",
    unit="seconds",
)
CONFIG_RESTART_NEEDED = gauge(
    "config_restart_needed",
    "1 while something has changed in the configuration that needs a restart; the page names it.",
)
CONFIG_INFO = info("config", "Hash of the configuration in force.", ("hash",))
WEB_INFO = info("web", "Where people find the status page: web.external_url.", ("external_url",))
BUILD_INFO = info(
    "build", "What is running, and its part: all, worker or judge.", ("version", "revision", "role")
)
