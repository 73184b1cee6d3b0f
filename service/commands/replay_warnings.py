"""What a replay did not use of what it was given, and why: nothing is left out in silence."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from config.settings import Settings
from config.units import format_duration
from service.commands.columns import fits
from service.commands.replay_heads import Head
from service.commands.replay_references import Given, unused, versions_seen
from service.composition.wiring import watches
from service.errors import ConfigurationError
from service.monitor.references.unwatched import Unwatched
from service.publish.backtest_sentences import listed, model_name
from service.publish.words import several
from service.values.backtests import Outcome
from service.values.rejects import Reason
from service.values.reports import ModelReport, ReferenceState
from service.values.streams import ModelKey

_NAMES_SHOWN = 10


class Material(Struct, frozen=True):
    """What a replay was given: references, and files of which the first rows have these columns.

    `table` is the model version of which the rows are, with --model; `ignore` are globs of columns
    that are left out of them; `is_native`: neither --model nor --source was said, nor is it known
    by the topic. `is_topic`: the records are those of topics.
    """

    references: tuple[Given, ...] = ()
    columns: tuple[str, ...] = ()
    table: ModelKey | None = None
    ignore: tuple[str, ...] = ()
    is_native: bool = False
    is_topic: bool = False


def warnings(
    outcome: Outcome, material: Material, unwatched: Iterable[Unwatched], settings: Settings
) -> tuple[str, ...]:
    """What was not used, or not judged, a sentence or two each."""
    return (
        *_references(outcome, material),
        *(part.sentences() for part in unwatched),
        *_globs(material),
        *(text for model in outcome.models for text in _features(model)),
        *_rejected(outcome, material),
        *_unjudged(outcome, material, settings),
    )


def notes(material: Material, settings: Settings) -> tuple[str, ...]:
    """What was left out as the configuration has it."""
    if material.table is None:
        return ()
    columns = material.columns
    watch = watches(settings)(material.table.model)
    by_rule = [name for name in columns if watch.feature(name).ignore]
    by_hand = [name for name in columns if any(fits(name, glob) for glob in material.ignore)]
    return (*_by_hand(by_hand, material), *_by_rule(by_rule, material.table.model))


def failure(outcome: Outcome, material: Material) -> str:
    """Why the replay is worth nothing, and what to do; empty when it is worth something.

    Nothing could be read at all, or none of the references that it was to compare with was used.
    """
    if not any(model.predictions_total or model.late_total for model in outcome.models):
        return f"nothing could be read: {_all_gone(outcome, material)}{_remedy(outcome, material)}"
    keys = _keys(outcome)
    if material.references and len(unused(material.references, keys)) == len(material.references):
        names = listed([one.name for one in material.references], _NAMES_SHOWN)
        return f"nothing was compared with {names}: the events are of {versions_seen(keys)}"
    return ""


def require_models(heads: Sequence[Head]) -> None:
    """Refuse tables of which no row names a model, when nobody says which it is."""
    nameless = [h for h in heads if h.is_table and h.rows and "model" not in h.columns]
    if nameless and len(nameless) == len(heads):
        columns = listed(sorted(nameless[0].columns), _NAMES_SHOWN)
        raise ConfigurationError(
            f"{nameless[0].path}: no column says which model a row is of. {_TABLE_HINT} It has the "
            f"columns {columns}"
        )


_TABLE_HINT = (
    "A table with one row a prediction is read with --model NAME --time COLUMN; events of another "
    "form are by --source NAME, a source of the configuration."
)


def _by_hand(names: Sequence[str], material: Material) -> Iterator[str]:
    projections = (one.reference.projection for one in material.references)
    related = {name for projection in projections if projection for name in projection.features}
    joint = "; so how the features go together is not compared" if related & {*names} else ""
    if names:
        yield f"Left out by --ignore: {listed(names, _NAMES_SHOWN)}{joint}."


def _by_rule(names: Sequence[str], model: str) -> Iterator[str]:
    if names:
        yield (
            f"Not looked at, since the configuration ignores them: {listed(names, _NAMES_SHOWN)}. "
            f"To have them watched: models.{model}.features.{names[0]}: {{ignore: false}}."
        )


_TOPIC_HINT = (
    "No source of the configuration has the topic, so its records were taken as native events; "
    "those of another form are read by --source NAME."
)


def _keys(outcome: Outcome) -> list[ModelKey]:
    """The model versions of which there were events."""
    return [m.key for m in outcome.models if m.predictions_total or m.late_total]


def _references(outcome: Outcome, material: Material) -> Iterator[str]:
    keys = _keys(outcome)
    for one in unused(material.references, keys):
        hidden = any(one.holds_for(key) for key in keys)
        why = ", for which there is a reference of exactly that version" if hidden else ""
        yield f"--reference: {one.name} was not used: the events are of {versions_seen(keys)}{why}."


def _globs(material: Material) -> Iterator[str]:
    for glob in material.ignore:
        if any(fits(column, glob) for column in material.columns):
            continue
        yield f"--ignore: there is no column {glob!r}, so nothing was left out by it."


def _features(model: ModelReport) -> Iterator[str]:
    name = model_name(model.key)
    if model.unknown_features:
        names = listed(model.unknown_features, _NAMES_SHOWN)
        yield f"{name}: not watched, since its reference does not know them: {names}."
    if model.absent_features:
        names = listed(model.absent_features, _NAMES_SHOWN)
        yield f"{name}: in its reference, but without a value in the last events: {names}."


def _rejected(outcome: Outcome, material: Material) -> Iterator[str]:
    """The first of each reason."""
    counts = _reasons(outcome)
    for reject in outcome.rejects:
        number = several(counts[reject.reason], "was", "were").split(" ")
        topic, partition = reject.partition
        place = (
            f"{topic}, partition {partition}, offset {reject.record.offset}"
            if material.is_topic
            else f"{topic}, row {reject.record.offset + 1}"
        )
        yield (
            f"{number[0]} {number[1]} rejected ({reject.reason}). The first: {place}: "
            f"{reject.detail}."
        )


def _reasons(outcome: Outcome) -> Counter[Reason]:
    """Rejected records and rows by reason."""
    counts: Counter[Reason] = Counter()
    for book in outcome.books:
        counts.update(book.rejected)
    for model in outcome.models:
        counts.update(model.rejected_totals)
    return counts


def _unjudged(outcome: Outcome, material: Material, settings: Settings) -> Iterator[str]:
    unjudged = sum(model.unjudged_total for model in outcome.models)
    if unjudged:
        yield f"{unjudged:,} rows came after their pane had been judged" + (
            ", as they would have in the service: raise detection.lateness or detection.idle_after."
            if material.is_topic
            else ": files are read in the order of their names and have to follow each other in "
            "time."
        )
    late = sum(model.late_total for model in outcome.models)
    if late:
        lateness = format_duration(settings.detection.lateness)
        yield (
            f"{late:,} rows were more than {lateness} behind newer ones and were not judged: "
            + ("" if material.is_topic else "sort the file by time, or ")
            + "raise detection.lateness."
        )
    learning = [m.key for m in outcome.models if m.reference_state is ReferenceState.LEARNING]
    if learning:
        names = listed(map(model_name, learning), _NAMES_SHOWN)
        yield (
            f"Still learning at the end, so never judged: {names}. Give --reference, or lower "
            "reference.learn.events."
        )


def _all_gone(outcome: Outcome, material: Material) -> str:
    consumed = sum(book.consumed for book in outcome.books)
    ignored = sum(book.ignored for book in outcome.books)
    if not consumed:
        return f"the {'topics' if material.is_topic else 'files'} hold no record"
    gone = [f"{count:,} rejected ({reason})" for reason, count in _reasons(outcome).most_common()]
    if ignored:
        gone.append(f"{ignored:,} ignored, as empty or by keep_if and drop_if of the source")
    return f"of {several(consumed, 'record', 'records')} {', '.join(gone)}"


def _remedy(outcome: Outcome, material: Material) -> str:
    reasons = _reasons(outcome)
    if material.is_native and reasons[Reason.NO_MODEL] + reasons[Reason.NO_FIELDS]:
        return f". {_TOPIC_HINT if material.is_topic else _TABLE_HINT}"
    return ""
