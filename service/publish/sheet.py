"""Sample lines of the text formats, by family. Both formats share every line; headers differ."""

import math
from collections.abc import Iterable

from service.publish.catalogue import FAMILIES
from service.publish.families import Family, MetricType

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})

PrefixCache = dict[tuple[str, ...], str]
"""What stands before the value of a series: `(sample name, *label values)` -> `name{...} `."""


def escape(value: str) -> str:
    """A label value as it stands between quotes.

    Lone surrogates become question marks: one would keep the whole page from being encoded.
    """
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value.translate(_ESCAPES)


def number(value: float) -> str:
    """A sample value. Also of numpy's floats, whose `repr` is no number."""
    if value.__class__ is int:
        return str(value)
    value = float(value)
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def labels_text(names: Iterable[str], values: Iterable[str]) -> str:
    """`{a="1",b="2"}`; nothing at all without labels."""
    pairs = ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


class Sheet:
    """Collects the lines of one page. `prefixes` outlives it, since rendering them is the cost."""

    def __init__(self, prefixes: PrefixCache) -> None:
        self.lines: dict[str, list[str]] = {family.name: [] for family in FAMILIES}
        self._prefixes = prefixes

    def add(self, family: Family, value: float, *labels: str) -> None:
        """One series of a family. NaN means not known (yet) and adds none."""
        # The innermost line of every flush: a float's repr is inlined, a call would double it.
        if value.__class__ is float and value - value == 0.0:
            text = repr(value)
        elif value != value:  # noqa: PLR0124 (NaN, of Python or of numpy)
            return
        else:
            text = number(value)
        name = family.name
        prefix = self._prefixes.get((name, *labels))
        if prefix is None:
            prefix = f"{family.full_name}{labels_text(family.labels, labels)} "
            self._prefixes[(name, *labels)] = prefix
        self.lines[name].append(prefix + text)

    def add_histogram(
        self,
        family: Family,
        bounds: tuple[float, ...],
        counts: tuple[int, ...],
        total: float,
        *labels: str,
    ) -> None:
        """One histogram: `counts` a bucket each and one above the last bound, not cumulative."""
        lines = self.lines[family.name]
        seen = 0
        for bound, count in zip((*bounds, math.inf), counts, strict=True):
            seen += count
            lines.append(f"{self._part(family, '_bucket', labels, number(bound))}{seen}")
        lines.append(f"{self._part(family, '_count', labels)}{seen}")
        lines.append(f"{self._part(family, '_sum', labels)}{number(total)}")

    def _part(
        self, family: Family, suffix: str, labels: tuple[str, ...], bound: str | None = None
    ) -> str:
        key = (family.name + suffix, *labels) if bound is None else (family.name, bound, *labels)
        prefix = self._prefixes.get(key)
        if prefix is None:
            names, values = family.labels, labels
            if bound is not None:
                names, values = (*names, "le"), (*values, bound)
            prefix = f"{family.full_name}{suffix}{labels_text(names, values)} "
            self._prefixes[key] = prefix
        return prefix

    @property
    def series(self) -> int:
        """How many lines there are, hence how many series Prometheus will store."""
        return sum(map(len, self.lines.values()))


def text_header(family: Family) -> str:
    """`# HELP` and `# TYPE` of the text format 0.0.4."""
    kind = MetricType.GAUGE if family.type is MetricType.INFO else family.type
    words = family.help.translate(_HELP_ESCAPES)
    return f"# HELP {family.full_name} {words}\n# TYPE {family.full_name} {kind}\n"


def openmetrics_header(family: Family) -> str:
    """`# TYPE`, `# UNIT` (where the name ends in it) and `# HELP` of OpenMetrics 1.0."""
    name = family.openmetrics_name
    kind = "unknown" if family.type is MetricType.UNTYPED else family.type.value
    unit = f"# UNIT {name} {family.unit}\n" if name.endswith(f"_{family.unit}") else ""
    return f"# TYPE {name} {kind}\n{unit}# HELP {name} {family.help.translate(_ESCAPES)}\n"
