"""Every metric family that is exported. The names are a contract with dashboards and rules."""

from types import ModuleType

from service.publish import (
    episode_families,
    fleet_families,
    model_families,
    service_families,
    web_families,
)
from service.publish.families import Detail, Family, Group

OMISSION_REASONS = ("full", "segment", "feature")
"""What the series budget gives up, in this order; the label `reason` of `series_omitted`."""

_TITLES = {
    Group.VOLUME: "Models: never given up",
    Group.FEATURE: "Streams: given up last",
    Group.SEGMENT: "Segments: given up before streams",
    Group.DISTANCE: "Distances: given up first",
    Group.BOOKS: "Books: consumed = applied + ignored + rejected",
    Group.HEALTH: "The service itself",
}

_INTRODUCTION = """\
# Metrics

Everything at `/metrics`, generated from the code (`service/publish/catalogue.py`); a test keeps
this page true. Names carry the prefix `anchorwatch_`, values are in base units, samples have no
timestamps.

- A series whose value is not known (yet) is absent, never NaN: times before they have happened,
  distances of an empty window, lag before the first answer of the broker.
- Counters start at 0, for every `reason` too, so `increase()` sees the first one.
- **A fleet.** The judge alone exports the series of models, the books and `partitions_missing`;
  workers export the lag of the partitions that they own, and all roles their own health. Counters
  of models and books never go back, whichever process is started anew. `build_info` has the role.
- Series of models and the books appear once the service has caught up with its state: until then
  counters would seem to go back.
- `kind` is `input`, `output`, `latency`, `volume`, `quality` or `joint`; it keeps a feature called
  `prediction` apart from the prediction itself. An episode of a source that models share has the
  kind `upstream` and no model. `quality` (what of an input is missing, invalid or of an unknown
  category) and `volume` are counts of rows: such a stream has a score, and no values.
- **Episodes.** What drifts together is one episode, and its labels stay as they are while it lasts,
  so that one drift is one page. `episode` is the key for deduplication and the name that
  `anchorwatch episode show` takes. Severity `log` is never active, but it is counted.
- **Alerts** that ask for these metrics are in `deploy/prometheus/rules`. `model_severity_info` has
  no series for what reaches nobody. Silence of a model is known after a day where it works around
  the clock, after two weeks by the hour of the week else; before, `model_expected` is absent.
- **Detail.** `summary` is always there; `episode` adds the distances of what has drifted; `full`
  adds all distances, the quantiles and the detectors' evidence. `auto` is `full` while that fits
  half of `metrics.series`, then `episode`. `metrics_detail` says which is in force.
- **Policy.** The figures for the configuration's `policy` are reported, at every level of detail:
  no episode comes of them, and Anchorwatch alarms nobody. `PolicyLimitAmber` and `PolicyLimitRed`
  in `deploy/prometheus/rules` open a ticket at them, never a page; leave these two out if your
  policy wants a report alone. What is red, where the window is all but full:
  `(anchorwatch_policy_distance >= on(model, model_version, method, window) group_left
  anchorwatch_policy_limit{level="red"}) and anchorwatch_policy_covered_ratio > 0.9`
- **Segments** are those that `models.M.segments` asks for: predictions told apart by the values
  of a feature (`segmentation`). Their parts do not add up to `predictions`: rows without that
  feature are in none. Beside `metrics.series` they have a bound of their own, `segments.series`.
- **Budget.** Beyond `metrics.series` the detail falls level by level, then segments are left out,
  those with the fewest predictions first, then streams, drifted ones last. `series_omitted` says
  how many series were given up, and why. Volume and health never are.
- `process_*` and `python_*` are those of the official client library.
"""


def families_of(module: ModuleType) -> tuple[Family, ...]:
    """The families that a module names, in the order of its lines."""
    return tuple(value for value in vars(module).values() if isinstance(value, Family))


FAMILIES = (
    families_of(model_families)
    + families_of(episode_families)
    + families_of(service_families)
    + families_of(fleet_families)
    + families_of(web_families)
)
"""All of them, in the order of the page."""


def as_markdown() -> str:
    """The catalogue for people: `METRICS.md`."""
    sections = [_INTRODUCTION]
    for group, title in _TITLES.items():
        rows = [_row(family) for family in FAMILIES if family.group is group]
        sections.append(f"## {title}\n\n{_HEAD}" + "".join(rows))
    return "\n".join(sections)


_HEAD = "| metric | type | labels | detail | meaning |\n|---|---|---|---|---|\n"


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    detail = "" if family.detail is Detail.SUMMARY else f"`{family.detail}`"
    return f"| `{family.name}` | {family.type} | {labels} | {detail} | {family.help} |\n"
