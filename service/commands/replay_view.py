"""What a replay found, on the terminal: the sentences, and a table of each kind of thing.

Its warnings are not among them: they belong on standard error.
"""

from collections.abc import Iterator

from msgspec import structs
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from service.commands.replay_policy import policy_parts
from service.publish import backtest_answers as answers
from service.publish import backtest_sentences as told
from service.publish.pictures.time_axis import minute
from service.publish.words import decimals
from service.values.backtests import Backtest, Finding, NearMiss, Reconsidered, Setting
from service.values.episodes import Episode
from service.values.reports import ModelReport, ReferenceState

EPISODES_SHOWN_MAX = 40
"""A terminal is no place for more; --json and --html have all."""


def show(backtest: Backtest, console: Console) -> None:
    """Print the sentences, episodes, incidents, other settings, near misses, models and books."""
    for part in _parts(backtest):
        if isinstance(part, str):
            console.print(Text(part), soft_wrap=True)
        else:
            console.print(part, highlight=False)


def _parts(backtest: Backtest) -> Iterator[RenderableType]:
    if backtest.reconsidered is not None:
        yield from _reconsidered(backtest.reconsidered)
    yield told.opening(backtest)
    if backtest.findings is not None:
        yield told.of_incidents(backtest)
    if backtest.cases:
        yield _episode_table(backtest)
    if len(backtest.cases) > EPISODES_SHOWN_MAX:
        more = len(backtest.cases) - EPISODES_SHOWN_MAX
        yield f"And {more:,} more: --json or --html tells them all."
    if backtest.findings:
        yield _incident_table(backtest.findings)
    if backtest.what_if:
        yield _what_if_table(backtest)
    if backtest.near_misses:
        yield _miss_table(backtest.near_misses)
    if backtest.outcome.models:
        yield _model_table(backtest.outcome.models)
    yield from policy_parts(backtest.outcome.models)
    yield from _unseen(backtest)
    yield from _books(backtest)
    yield from backtest.notes


def _reconsidered(asked: Reconsidered) -> Iterator[RenderableType]:
    """The answer first, then what else changes; a blank line before all that follows."""
    for sentence in (answers.headline(asked), *answers.further(asked)):
        if sentence:
            yield sentence
    rows = answers.change_rows(asked.changes or ())
    if rows:
        headings = (
            "What changes",
            "Model",
            "Episode",
            "Severity",
            "As configured",
            "With these",
            "Score",
        )
        table = _table(f"With {', '.join(asked.settings)}", *headings)
        for row in rows[:EPISODES_SHOWN_MAX]:
            table.add_row(*map(Text, structs.astuple(row)))
        yield table
    if len(rows) > EPISODES_SHOWN_MAX:
        yield f"And {len(rows) - EPISODES_SHOWN_MAX:,} more: --json or --html tells them all."
    yield ""


def _episode_table(backtest: Backtest) -> Table:
    known = backtest.findings is not None
    headings = ("Start (UTC)", "Lasted", "Severity", "Model", "What changed", "Score")
    table = _table("What you would have heard of", *headings, *(("Expected",) if known else ()))
    for case in backtest.cases[:EPISODES_SHOWN_MAX]:
        expected = {True: "yes", False: "no", None: ""}[case.expected if case.alarms else None]
        table.add_row(*_episode(case.episode), *((expected,) if known else ()))
    return table


def _episode(episode: Episode) -> tuple[str | Text, ...]:
    return (
        minute(episode.started_seconds),
        told.lasted(episode),
        episode.severity.value,
        Text(told.episode_model(episode)),
        Text(episode.words),
        decimals(episode.peak),
    )


def _incident_table(findings: tuple[Finding, ...]) -> Table:
    table = _table("Known incidents", "Incident", "From (UTC)", "To (UTC)", "Outcome")
    for finding in findings:
        incident = finding.incident
        table.add_row(
            Text(told.incident_name(incident)),
            minute(incident.start_seconds),
            minute(incident.end_seconds),
            told.of_finding(finding),
        )
    return table


def _what_if_table(backtest: Backtest) -> Table:
    """A row a tolerance; * is what is configured."""
    rows: dict[float | None, list[Setting]] = {}
    for setting in backtest.what_if:
        rows.setdefault(setting.tolerance_sd, []).append(setting)
    budgets = dict.fromkeys(setting.budget for setting in backtest.what_if)
    table = _table("What if: episodes by budget and tolerance (* now)", "Tolerance", *budgets)
    for tolerance, settings in rows.items():
        name = "as configured" if tolerance is None else f"{tolerance:g} sd"
        table.add_row(name, *(_setting(setting, backtest) for setting in settings))
    return table


def _setting(setting: Setting, backtest: Backtest) -> str:
    star = " *" if setting.configured else ""
    if not backtest.findings:
        return f"{setting.episodes:,}{star}"
    known = len(backtest.findings)
    return f"{setting.episodes:,} (finds {known - len(setting.missed)} of {known}){star}"


def _miss_table(misses: tuple[NearMiss, ...]) -> Table:
    headings = ("At (UTC)", "Model", "Stream", "Score", "Detector")
    table = _table("Nearest misses: the highest scores that did not alarm", *headings)
    for miss in misses:
        table.add_row(
            minute(miss.at_seconds),
            Text(told.model_name(miss.model)),
            Text(told.stream_name(miss.stream)),
            told.almost(miss.score),
            miss.detector,
        )
    return table


def _model_table(models: tuple[ModelReport, ...]) -> Table:
    headings = ("Model", "Version", "Predictions", "Late", "Rejected", "Reference", "Highest now")
    table = _table("Models", *headings)
    for model in models:
        worst = max(model.streams, key=lambda stream: stream.score, default=None)
        table.add_row(
            Text(model.key.model),
            Text(model.key.version),
            f"{model.predictions_total:,}",
            f"{model.late_total:,}",
            f"{sum(model.rejected_totals.values()):,}",
            _reference(model),
            Text("" if worst is None else f"{worst.key.title} {decimals(worst.score)}"),
        )
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _reference(model: ModelReport) -> str:
    if model.reference_state is ReferenceState.READY:
        return f"{model.reference_hash[:12]}, {model.reference_rows:,} rows"
    if model.reference_state is ReferenceState.LEARNING:
        return f"still learning, {model.reference_learned_ratio:.0%}"
    return "none"


def _unseen(backtest: Backtest) -> Iterator[str]:
    for history in backtest.histories:
        sentences = told.unseen(history)
        if sentences:
            yield f"Could not see of {told.model_name(history.key)}: {' '.join(sentences)}"


def _books(backtest: Backtest) -> Iterator[str]:
    for book in backtest.outcome.books:
        rejected = sum(book.rejected.values())
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(book.rejected.items()))
        yield (
            f"{book.topic}: {book.consumed:,} records = {book.applied:,} applied + "
            f"{book.ignored:,} ignored + {rejected:,} rejected"
            + (f" ({reasons})" if reasons else "")
        )
