"""The errors that a person or an exit code hears of.

    AnchorwatchError
    ├── ConfigurationError      the operator must change something; exit 78
    │   ├── NotAlone            role `all` does not own every partition
    │   └── DirectoryInUse      another process holds the state directory
    ├── RecoverableError        counted, logged, tried again
    │   ├── CheckpointFailed    the snapshot could not be written (disk full, permissions)
    │   └── RecordFailed        the record of episodes could not be written
    └── FatalError              going on would count wrong; exit 70
        ├── StateCorrupt        snapshots are there, none is whole
        ├── StateLost           no snapshot, though the group has committed offsets
        ├── FormatTooNew        the snapshot was written by a newer version
        ├── FormatTooOld        the snapshot was written by a version before the last
        ├── OffsetOutOfRange    the log no longer (or not yet) holds the position
        └── TopicGone           a topic of ours was deleted while we used it

A bad event is no error but a value: `service.values.rejects.Reject`.
"""


class AnchorwatchError(Exception):
    """Root of all errors of ours. The message says what is wrong and what to do."""

    exit_code = 70


class ConfigurationError(AnchorwatchError):
    """The operator must change something (sysexits EX_CONFIG)."""

    exit_code = 78


class NotAlone(ConfigurationError):
    """Role `all` was given fewer than all partitions."""


class DirectoryInUse(ConfigurationError):
    """Another process holds the state directory."""


class RecoverableError(AnchorwatchError):
    """Counted, logged and tried again."""


class CheckpointFailed(RecoverableError):
    """A snapshot could not be written."""


class RecordFailed(RecoverableError):
    """Events of episodes could not be written to their record."""


class FatalError(AnchorwatchError):
    """Going on would count wrong."""


class StateCorrupt(FatalError):
    """Snapshots are there, none is whole."""


class StateLost(FatalError):
    """No snapshot, though the consumer group has committed offsets."""


class FormatTooNew(FatalError):
    """The snapshot was written by a newer version of Anchorwatch."""


class FormatTooOld(FatalError):
    """The snapshot was written by a version of Anchorwatch before the last one."""


class OffsetOutOfRange(FatalError):
    """The log does not hold the position to continue from."""


class TopicGone(FatalError):
    """A topic of ours was deleted, or deleted and made anew, while we used it."""
