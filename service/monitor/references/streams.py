"""One stream's reference out of its profile: cells, moments, quantiles, by type of value."""

import math

import numpy as np

from detectors.summary.cells import category_cells, numeric_cells, value_type
from detectors.summary.profile import Profile
from service.values.references import StreamReference
from service.values.streams import Kind, StreamKey, ValueType, always_numeric, cutoff_of

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""The quantiles kept of a numeric stream."""

CATEGORIES_MAX = 50
"""Most categories with a cell of their own; further ones are counted as other."""

BOOLEANS = ("false", "true")
"""The categories of a boolean stream."""


def stream_reference(
    key: StreamKey, profile: Profile, forced: ValueType | None, categories_max: int
) -> StreamReference:
    """The reference of one stream, of type `forced` or else of the type most of its values have.

    A value of another type counts as it will when it comes live: see each type below. Without a
    valid value the stream is categorical and has no category. Latencies and class probabilities
    are numeric whatever their values, cut-offs boolean.
    """
    if cutoff_of(key) is not None:
        return _boolean(key, profile)
    chosen = ValueType.NUMERIC if always_numeric(key) else forced or _inferred(profile)
    if chosen is ValueType.NUMERIC:
        return _numeric(key, profile)
    if chosen is ValueType.BOOLEAN:
        return _boolean(key, profile)
    return _categorical(key, profile, categories_max)


def text_of_number(value: float) -> str:
    """The category that a number is."""
    return str(int(value)) if value.is_integer() and abs(value) < 2.0**53 else repr(value)


def _inferred(profile: Profile) -> ValueType:
    if profile.rows == profile.missing + profile.invalid:
        return ValueType.CATEGORICAL
    return ValueType(value_type(profile))


def _numeric(key: StreamKey, profile: Profile) -> StreamReference:
    """Texts and booleans are invalid here, as they are when they come live."""
    moments = profile.moments
    minimum, maximum = moments.minimum, moments.maximum
    plain = cells = numeric_cells(profile)
    if key.kind is Kind.INPUT and profile.numbers:
        cells = plain.fenced(float(minimum[0]), float(maximum[0]))
    quantiles = profile.quantiles.quantile(np.array(QUANTILES), minimum, maximum)[0]
    quantiles[[0, -1]] = minimum[0], maximum[0]  # which are known exactly
    seen = profile.numbers > 0
    mean, sd = _rounded(float(moments.mean[0]), math.sqrt(moments.variance[0]))
    return StreamReference(
        key=key,
        type=ValueType.NUMERIC,
        counts=cells.counts,
        missing=profile.missing,
        invalid=profile.rows - profile.missing - profile.numbers,
        edges=cells.edges,
        fenced=cells is not plain,
        mean=mean if seen else math.nan,
        sd=sd if seen else math.nan,
        minimum=float(minimum[0]) if seen else math.nan,
        maximum=float(maximum[0]) if seen else math.nan,
        quantiles=dict(zip(QUANTILES, quantiles.tolist(), strict=True)) if seen else {},
        distinct=round(profile.distinct_numbers),
    )


def _boolean(key: StreamKey, profile: Profile) -> StreamReference:
    """The numbers 0 and 1 and the texts `false` and `true` count too; all else is invalid."""
    numbers = _counted_numbers(profile)
    texts = profile.names.counts
    counts = [
        int(profile.booleans[i]) + numbers.get(str(i), 0) + texts.get(name, 0)
        for i, name in enumerate(BOOLEANS)
    ]
    return StreamReference(
        key=key,
        type=ValueType.BOOLEAN,
        counts=np.array([*counts, 0], dtype=np.int64),
        missing=profile.missing,
        invalid=profile.rows - profile.missing - sum(counts),
        edges=np.empty(0),
        categories=BOOLEANS,
        distinct=sum(count > 0 for count in counts),
    )


def _categorical(key: StreamKey, profile: Profile, categories_max: int) -> StreamReference:
    """Numbers and booleans are categories by their text, as they are when they come live."""
    texts = _as_texts(profile)
    cells = category_cells(texts, limit=min(CATEGORIES_MAX, categories_max))
    return StreamReference(
        key=key,
        type=ValueType.CATEGORICAL,
        counts=np.append(cells.counts, cells.other),
        missing=profile.missing,
        invalid=profile.invalid,
        edges=np.empty(0),
        categories=cells.names,
        singletons=cells.singletons,
        rare=cells.rare,
        open_ended=cells.open_ended,
        distinct=round(texts.distinct_texts),
    )


def _as_texts(profile: Profile) -> Profile:
    """The same values, all of them as texts.

    Of more different numbers than the profile holds exactly, only how many there were is kept.
    """
    numbers = _counted_numbers(profile)
    booleans = zip(BOOLEANS, profile.booleans.tolist(), strict=True)
    texts = Profile()
    texts.merge(profile)
    texts.booleans[:] = 0
    texts.names.update_counts(numbers | {name: count for name, count in booleans if count})
    texts.texts = profile.rows - profile.missing - profile.invalid
    return texts


def _counted_numbers(profile: Profile) -> dict[str, int]:
    """Different numbers by their text with their counts; none when there are too many to be exact.

    A histogram that holds its values exactly has them as lower bounds of its buckets.
    """
    if profile.quantiles.shifts[0] > 0:
        return {}
    buckets = profile.quantiles.buckets(0)
    return {
        text_of_number(value): count
        for value, count in zip(buckets.lower.tolist(), buckets.counts.tolist(), strict=True)
    }


def _rounded(mean: float, sd: float) -> tuple[float, float]:
    """Rounded so that the order of additions leaves no trace; sd 0 where there is one value."""
    if not math.isfinite(mean):
        return math.nan, math.nan
    spread = sd if math.isfinite(sd) else 0.0
    quantum = max(spread * 1e-9, abs(mean) * 1e-12)
    digits = 0 if quantum == 0 else -math.floor(math.log10(quantum))
    return round(mean, digits), round(spread, digits)
