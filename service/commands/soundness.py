"""Is a configuration sound, with all that it names? Every problem of every phase at once.

What one problem leaves unknown is not judged, so that nothing is told that is only its consequence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import NamedTuple

from config.assignments import NOTHING, Assignments
from config.document import Document
from config.errors import Problem, in_order
from config.loader import Examined, Loaded, examine
from config.settings import Settings
from config.team_files import TeamFile
from config.tree import Path
from detectors.catalogue import check
from service.commands.check_references import Found, glob_hints, place_hints, read_references
from service.commands.check_security import security_findings
from service.commands.check_sensitivity import Judged, budget_findings, judged_by
from service.commands.check_sources import source_findings
from service.commands.check_web import web_findings
from service.commands.findings import Finding
from service.composition.wiring import time_rules, watches
from service.monitor.judging.judge import Judge
from service.monitor.references.planning import plan_for


@dataclass(frozen=True)
class Soundness:
    """All that was found, by file and line. `judged` are the references that are used. What is
    wrong with files of teams, which are left out for it, is in `examined.included`.
    """

    examined: Examined
    problems: tuple[Problem, ...]
    hints: tuple[Problem, ...] = ()
    judged: tuple[Judged, ...] = ()

    def loaded(self) -> Loaded:
        """The settings, if nothing is wrong but with files of teams. Raises
        ConfigurationProblems.
        """
        return self.examined.with_problems(self.problems).loaded()

    @property
    def every_problem(self) -> tuple[Problem, ...]:
        """Those with files of teams too."""
        return in_order([*self.problems, *self.examined.included.problems])


class Before(NamedTuple):
    """What holds until now: what the root file said, and files of teams. `root` None: what it says
    now is what counts.
    """

    root: Document | None = None
    teams: Mapping[str, TeamFile] = {}


_NOTHING_BEFORE = Before()


def soundness(
    config_file: FilePath | None,
    environ: Mapping[str, str],
    now_seconds: float,
    said: Assignments = NOTHING,
    before: Before = _NOTHING_BEFORE,
) -> Soundness:
    """Look at the configuration, its references, certificates and mappings; connects nowhere.

    A file of a team in which something is wrong is refused alone, at whichever look it is found.
    """
    refused: tuple[Problem, ...] = ()
    while True:
        examined = examine(
            config_file, environ, said, root=before.root, kept=before.teams, refused=refused
        )
        found = _look(examined, now_seconds)
        bad = {problem.file for problem in refused}
        more = [
            problem
            for problem in found.problems
            if examined.included.is_ok.get(problem.file) and problem.file not in bad
        ]
        if not more:
            return found
        refused = (*refused, *more)


def _look(examined: Examined, now_seconds: float) -> Soundness:
    if examined.settings is None:
        return Soundness(examined, examined.problems)
    references, findings = read_references(examined.settings, examined.doubtful)
    findings += _findings(examined.settings, examined, references, now_seconds)
    judged: tuple[Judged, ...] = ()
    if not any(path[:1] == ("detection",) for path in [*examined.doubtful, *_wrong(findings)]):
        judged = tuple(judged_by(examined.settings, references))
        findings += budget_findings(examined.settings, judged)
    placed = [(f.is_hint, f.placed(examined.places)) for f in findings]
    wrong = (problem for is_hint, problem in placed if not is_hint)
    hints = (problem for is_hint, problem in placed if is_hint)
    problems = in_order([*examined.problems, *wrong])
    return Soundness(examined, problems, in_order(hints), judged)


def _wrong(findings: Sequence[Finding]) -> list[Path]:
    return [finding.path for finding in findings if not finding.is_hint]


def _findings(
    settings: Settings, examined: Examined, references: Found, now_seconds: float
) -> Iterator[Finding]:
    doubtful = examined.doubtful
    yield from source_findings(settings, _judge(settings), doubtful)
    yield from _detectors(settings)
    yield from security_findings(settings, doubtful)
    yield from web_findings(settings, doubtful)
    yield from place_hints(settings, references)
    yield from glob_hints(settings, references)
    yield from _mutes(settings, now_seconds)


def _judge(settings: Settings) -> Judge:
    """Whom a decoder asks for schedules; of models without references."""
    rules = time_rules(settings.detection)
    idle, models_max = settings.detection.idle_after, settings.limits.models
    return Judge(watches(settings), lambda _: None, plan_for, rules, idle, models_max)


def _detectors(settings: Settings) -> Iterator[Finding]:
    for i, detector in enumerate(settings.detection.detectors):
        try:
            check(detector.name, dict(detector.parameters))
        except (ValueError, TypeError) as error:
            yield Finding(("detection", "detectors", i), str(error))


def _mutes(settings: Settings, now_seconds: float) -> Iterator[Finding]:
    for glob, rule in settings.models.items():
        for inner, feature in rule.features.items():
            mute = feature.mute
            if mute is not None and not mute.holds(now_seconds):
                path = ("models", glob, "features", inner, "mute")
                why = f"was over on {mute.until.isoformat()} and has no effect any more"
                yield Finding(path, f"{why}: take it out", is_hint=True)
