"""What holds for one model and one feature: rules by glob, first to last, later lines win."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from config.detection import DetectionSettings, Tolerance
from config.models import FeatureRule, ModelRule, Mute, PredictionSettings
from config.policy import PolicySettings
from config.privacy import Values
from config.reference import ReferenceSettings
from config.season import SeasonSettings
from config.section import Atom, Section
from config.tree import Path, leaves, said
from config.units import format_duration

BUILT_IN_FEATURES = (("*_id", FeatureRule(ignore=True)),)
"""Identifiers have a new value for every row; the first line, so that any other can undo it."""

TAKEN_BACK = frozenset({"policy"})
"""Settings of a model that a later line takes back by saying null."""

CACHED_MAX = 4096


@dataclass(frozen=True)
class FeatureSettings:
    """What holds for one feature.

    `kind` None = inferred. `missing` are sentinels beside the model's own. `origins` tells for each
    field that somebody set the path of the line that did.
    """

    ignore: bool = False
    kind: Literal["numeric", "categorical", "boolean"] | None = None
    missing: tuple[float | str, ...] = ()
    source: str = ""
    values: Values = "shown"
    mute: Mute | None = None
    origins: Mapping[str, Path] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class FeatureLine:
    """One rule for features, and the path of the line where it stands (empty: built in)."""

    glob: str
    rule: FeatureRule
    path: Path = ()


@dataclass(frozen=True)
class ModelSettings:
    """What holds for one model.

    `runbook` has the model's name filled in, and is empty when there is none. `windows` are
    seconds. `globs` are those of the rules that match, `feature_lines` their rules for features,
    both first to last. `origins` tells for each setting somebody could have set here the path of
    the one that holds.
    """

    name: str
    globs: tuple[str, ...]
    team: str
    tier: int
    runbook: str
    missing: tuple[float | str, ...]
    columns: tuple[str, ...]
    tolerance: Tolerance
    season: SeasonSettings
    windows: tuple[float, ...]
    policy: PolicySettings | None
    reference: ReferenceSettings
    prediction: PredictionSettings
    segments: tuple[str, ...]
    feature_lines: tuple[FeatureLine, ...]
    origins: Mapping[Path, Path] = field(default_factory=dict, compare=False, repr=False)

    @property
    def window_names(self) -> tuple[str, ...]:
        """The label of each window: `5m`, `1h`, `24h`."""
        return tuple(format_duration(window) for window in self.windows)

    @property
    def ignored_globs(self) -> tuple[str, ...]:
        """Globs of ignored features, without those that a later line as wide takes back.

        A narrower line (`customer_id: {ignore: false}`) cannot be said in globs: `for_feature`
        has the last word.
        """
        globs: list[str] = []
        for line in self.feature_lines:
            if line.rule.ignore:
                globs.append(line.glob)
            elif line.rule.ignore is not None:
                globs = [glob for glob in globs if not fnmatchcase(glob, line.glob)]
        return tuple(dict.fromkeys(globs))

    def lines_for(self, feature: str) -> tuple[FeatureLine, ...]:
        """The rules that match a feature, first to last; the first may be the built-in one."""
        return tuple(line for line in self.feature_lines if fnmatchcase(feature, line.glob))

    def for_feature(self, name: str) -> FeatureSettings:
        """What holds for one feature; remembered."""
        found = self._features.get(name)
        if found is None:
            if len(self._features) >= CACHED_MAX:
                self._features.clear()
            found = self._features[name] = _resolve_feature(self.lines_for(name))
        return found

    @cached_property
    def _features(self) -> dict[str, FeatureSettings]:
        return {}


class Resolver:
    """Answers what holds for a model, and remembers the answers."""

    def __init__(
        self,
        detection: DetectionSettings,
        reference: ReferenceSettings,
        policy: PolicySettings | None,
        models: Mapping[str, ModelRule],
    ) -> None:
        self.rules = models
        self.start: dict[str, Any] = {
            "team": "unowned",
            "tier": 2,
            "runbook": "",
            "missing": (),
            "columns": (),
            "tolerance": detection.tolerance,
            "season": detection.season,
            "windows": detection.windows,
            "policy": policy,
            "reference": reference,
            "prediction": PredictionSettings(),
            "segments": (),
        }
        self.start_origins: dict[Path, Path] = {
            (name, *rest): (*section, name, *rest)
            for name, section in (
                ("tolerance", ("detection",)),
                ("season", ("detection",)),
                ("windows", ("detection",)),
                ("policy", ()),
                ("reference", ()),
            )
            for rest, _ in leaves(self.start[name])
        }
        self.known: dict[str, ModelSettings] = {}

    def model(self, name: str) -> ModelSettings:
        """What holds for the model called `name`."""
        found = self.known.get(name)
        if found is None:
            if len(self.known) >= CACHED_MAX:
                self.known.clear()
            found = self.known[name] = self._resolve(name)
        return found

    def _resolve(self, name: str) -> ModelSettings:
        values, origins = dict(self.start), dict(self.start_origins)
        globs = tuple(glob for glob in self.rules if fnmatchcase(name, glob))
        lines = [FeatureLine(glob, rule) for glob, rule in BUILT_IN_FEATURES]
        for glob in globs:
            rule, at = self.rules[glob], ("models", glob)
            for key in rule.model_fields_set - {"features"}:
                given = getattr(rule, key)
                if given is None and key not in TAKEN_BACK:
                    continue
                if values[key] is None or given is None:
                    origins = {path: of for path, of in origins.items() if path[0] != key}
                values[key] = _merged(values[key], given)
                origins |= {(key, *rest): (*at, key, *rest) for rest, _ in said(given)}
            lines += [
                FeatureLine(inner, feature, (*at, "features", inner))
                for inner, feature in rule.features.items()
            ]
        values["runbook"] = values["runbook"].replace("{model}", name)
        return ModelSettings(
            name=name, globs=globs, **values, feature_lines=tuple(lines), origins=origins
        )


def _merged(under: Any, over: Any) -> Any:
    """Sections merge key by key; anything else is replaced, and so is what was none."""
    if under is None or not isinstance(over, Section) or isinstance(over, Atom):
        return over
    given = {key: _merged(getattr(under, key), getattr(over, key)) for key in over.model_fields_set}
    return under.model_copy(update=given)


def _resolve_feature(lines: tuple[FeatureLine, ...]) -> FeatureSettings:
    values: dict[str, Any] = {}
    origins: dict[str, Path] = {}
    for line in lines:
        for key in line.rule.model_fields_set:
            given = getattr(line.rule, key)
            if given is not None or key == "mute":
                values[key], origins[key] = given, (*line.path, key) if line.path else ()
    return FeatureSettings(**values, origins=origins)
