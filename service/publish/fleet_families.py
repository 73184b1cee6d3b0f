"""The families of a fleet: what workers and the judge have that role all has not."""

from service.publish.families import counter

STATE_RELOADS = counter(
    "state_reloads",
    "Worker: times that shards were read again from the state topic, since they could not be "
    "written. Nothing is lost by it.",
)
PANE_CONFLICTS = counter(
    "pane_conflicts",
    "Judge: panes that came twice with other counts. More than 0 is a fault of ours.",
)
PANE_RECORDS_REFUSED = counter(
    "pane_records_refused",
    "Judge: records of the topic of panes that could not be read.",
    ("reason",),
)
PANE_RECORDS_LOST = counter(
    "pane_records_lost",
    "Judge: records of the topic of panes that retention deleted before they were read.",
)
