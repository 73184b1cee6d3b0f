"""The root: every section of the configuration file."""

import copy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from config.detection import DetectionSettings, windows_fault
from config.kafka import KafkaSettings
from config.limits import LimitsSettings
from config.log import LogSettings
from config.metrics import MetricsSettings
from config.models import ModelRule
from config.policy import PolicySettings
from config.privacy import PrivacySettings
from config.reference import ReferenceSettings
from config.resolution import ModelSettings, Resolver
from config.section import Section, refuse
from config.segments import SegmentSettings
from config.severity import SeveritySettings
from config.sources import SourceSettings
from config.state import StateSettings
from config.tree import Path
from config.watchdog import WatchdogSettings
from config.web import WebSettings

Role = Literal["all", "worker", "judge"]


class Settings(Section):
    """Everything an operator may set. `Settings()` is the default of everything."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "schema_registry",
            "labels",
            "team",
        }
    )

    version: Literal[1] = Field(default=1, description="Version of this format: 1.")
    role: Role = Field(
        default="all",
        description="all: one process does everything, with its state in a directory. worker: one "
        "of many that read and count; judge: the one that judges what they counted. Those two keep "
        "their state in topics. `anchorwatch run --role` says it too.",
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The broker.")
    sources: tuple[SourceSettings, ...] = Field(
        default=(),
        max_length=1000,
        description="Where events come from, and where in a record things sit.",
    )
    detection: DetectionSettings = Field(
        default=DetectionSettings(), description="How drift is judged."
    )
    reference: ReferenceSettings = Field(
        default=ReferenceSettings(), description="What normal looks like."
    )
    severity: SeveritySettings = Field(
        default=SeveritySettings(), description="What may wake somebody, by tier of the model."
    )
    policy: PolicySettings | None = Field(
        default=None,
        description="Fixed limits that a policy of model risk names, beside the budget: told on "
        "the page and as metrics. No episode comes of them; the rules PolicyLimitAmber and "
        "PolicyLimitRed, if Prometheus has them, open a ticket. null = none.",
    )
    models: Mapping[str, ModelRule] = Field(
        default={}, description="What holds for some models only, by glob; later lines win."
    )
    include: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        max_length=100,
        description="Files of teams, by glob from the directory of this file, one a team: "
        "[models.d/*.yaml]. Each says `team`, and `models` of its own as above, whose lines come "
        "after those here. One that is wrong, or that reaches into models of another team, is "
        "refused alone, and what it said last holds on.",
    )
    segments: SegmentSettings = Field(
        default=SegmentSettings(),
        description="How finely predictions are told apart, where models ask for it.",
    )
    privacy: PrivacySettings = Field(
        default=PrivacySettings(), description="What of the values of events is told."
    )
    state: StateSettings = Field(default=StateSettings(), description="What survives a restart.")
    web: WebSettings = Field(default=WebSettings(), description="What is served over HTTP.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="How much is told.")
    limits: LimitsSettings = Field(
        default=LimitsSettings(), description="Bounds on what others send."
    )
    log: LogSettings = Field(default=LogSettings(), description="What is logged.")
    watchdog: WatchdogSettings = Field(
        default=WatchdogSettings(), description="When we count as stuck."
    )

    def for_model(self, name: str) -> ModelSettings:
        """What holds for one model: the rules whose glob matches, first to last; remembered."""
        return self.resolver.model(name)

    @property
    def reference_directories(self) -> dict[Path, FilePath]:
        """The directories of references that somebody named, by the path of the setting."""
        sections: dict[Path, ReferenceSettings | None] = {("reference",): self.reference}
        sections |= {("models", glob, "reference"): r.reference for glob, r in self.models.items()}
        return {
            (*path, "from"): section.directory
            for path, section in sections.items()
            if section is not None
            and section.directory is not None
            and "place" in section.model_fields_set
        }

    @property
    def reference_topics(self) -> frozenset[str]:
        """The topics of references that are named, for all models or some."""
        sections = [self.reference, *(rule.reference for rule in self.models.values())]
        named = {section.topic for section in sections if section is not None}
        return frozenset(topic for topic in named if topic is not None)

    @cached_property
    def resolver(self) -> Resolver:
        """What resolves and remembers."""
        return Resolver(self.detection, self.reference, self.policy, self.models)

    def __copy__(self) -> Self:
        """A copy remembers nothing, since it is made to be changed."""
        copied = super().__copy__()
        copied.__dict__.pop("resolver", None)
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """As `__copy__`."""
        return super(Settings, copy.copy(self)).__deepcopy__(memo)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        names = [source.name for source in self.sources]
        firsts = [names.index(name) for name in names]
        faults: dict[tuple[str | int, ...], str] = {("state", "store"): self._store_fault()}
        faults |= {
            ("sources", i, "name"): f"each source needs a name of its own; sources[{first}] has it"
            for i, first in enumerate(firsts)
            if first < i
        }
        faults |= {
            ("models", glob, "windows"): windows_fault(rule.windows or (), self.detection.pane)
            for glob, rule in self.models.items()
        }
        refuse(*((bool(fault), key, fault) for key, fault in faults.items()))
        return self

    def _store_fault(self) -> str:
        """Why the role cannot keep its state there; empty when it can.

        A file for a fleet may leave the role to the command line: only `run` minds.
        """
        if self.role != "all" and self.state.store == "directory":
            return f"role {self.role} keeps its state in a topic: write topic"
        return ""
