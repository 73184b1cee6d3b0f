"""Section `models`: what holds for some models only, by glob; later lines win."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.detection import Tolerance, Window
from config.policy import PolicySettings
from config.privacy import Values
from config.reference import ReferenceSettings
from config.season import SeasonSettings, is_date
from config.section import Real, Section, Whole
from config.segments import SEGMENTATIONS_MAX, Segmentations
from config.sentinels import Sentinels


def _is_runbook(value: str) -> str:
    if not value.startswith(("http://", "https://")) or set(_placeholders(value)) - {"{model}"}:
        raise ValueError("must be an http(s) address; {model} in it stands for the model's name")
    return value


def _placeholders(text: str) -> list[str]:
    return ["{" + part.partition("}")[0] + "}" for part in text.split("{")[1:]]


class Mute(Section):
    """Silence with an end and somebody who answers for it: shown as muted, never forgotten."""

    until: Annotated[date, BeforeValidator(is_date)] = Field(
        description="The last day of silence (UTC)."
    )
    by: str = Field(min_length=1, description="Who decided it.")
    why: str = Field(min_length=1, description="The reason, for those who come later.")
    ticket: str | None = Field(default=None, description="Where it is written down.")

    def holds(self, at_seconds: float) -> bool:
        """True until the end of its last day, UTC. `at_seconds` are epoch seconds."""
        end = datetime.combine(self.until, time.min, UTC) + timedelta(days=1)
        return at_seconds < end.timestamp()


class FeatureRule(Section):
    """What holds for the features whose name matches; what is not said is left as it was."""

    later: ClassVar[frozenset[str]] = frozenset({"importance", "tolerance"})

    ignore: bool | None = Field(default=None, description="True: never looked at.")
    kind: Literal["numeric", "categorical", "boolean"] | None = Field(
        default=None,
        description="What its values are; else it is inferred when a reference is made.",
    )
    missing: Sentinels | None = Field(
        default=None, description="Further sentinels that mean `not there`, beside the model's."
    )
    source: str | None = Field(
        default=None, description="The feed it comes from, as the label `source` of its metrics."
    )
    values: Values | None = Field(
        default=None,
        description="hidden: none of its values is told, as privacy.values: hidden has it for all.",
    )
    mute: Mute | None = Field(default=None, description="Do not alarm for a while.")


def _are_different(cutoffs: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(cutoffs)) < len(cutoffs):
        raise ValueError("a cut-off is there twice")
    return tuple(sorted(cutoffs))


class PredictionSettings(Section):
    """What is watched of the predictions beside their values."""

    cutoffs: Annotated[
        tuple[Annotated[float, Real("-1e15", "1e15")], ...], AfterValidator(_are_different)
    ] = Field(
        default=(),
        max_length=20,
        description="Where decisions are taken: the share of numeric predictions above each is a "
        "stream of its own.",
    )


class ModelRule(Section):
    """What holds for the models whose name matches; what is not said is left as it was."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "schedule",
            "severity",
            "privacy",
            "mute",
            "outputs",
            "kpis",
        }
    )

    team: str | None = Field(default=None, min_length=1, description="Who owns it; else `unowned`.")
    tier: Annotated[int, Whole("1", "3")] | None = Field(
        default=None, description="How much depends on it: 1 is the most, 2 unless said."
    )
    runbook: Annotated[str, BeforeValidator(_is_runbook)] | None = Field(
        default=None, description="Where its alerts point to; {model} stands for its name."
    )
    missing: Sentinels | None = Field(
        default=None, description="Sentinels that mean `not there` for every feature: [-999, '']."
    )
    columns: tuple[str, ...] | None = Field(
        default=None, description="Names of features by position, where rows have none."
    )
    tolerance: Tolerance | None = Field(
        default=None, description="As in detection; parts may be left out."
    )
    season: SeasonSettings | None = Field(
        default=None, description="As in detection; parts may be left out."
    )
    windows: tuple[Window, ...] | None = Field(
        default=None, min_length=1, max_length=8, description="As in detection."
    )
    reference: ReferenceSettings | None = Field(
        default=None, description="As in reference; parts may be left out."
    )
    policy: PolicySettings | None = Field(
        default=None,
        description="As in policy; parts may be left out. null takes back what lines before say.",
    )
    prediction: PredictionSettings | None = Field(
        default=None, description="Cut-offs of the prediction."
    )
    segments: Segmentations | None = Field(
        default=None,
        max_length=SEGMENTATIONS_MAX,
        description="Features that tell predictions apart: drift in each segment is judged "
        "too. A category is a segment; of a numeric feature each range between the cuts, without "
        "any each quarter of its reference. None by a hidden feature. A segment costs as much as a "
        "feature.",
    )
    features: Mapping[str, FeatureRule] = Field(
        default={}, description="Rules for features by glob; later lines win."
    )
