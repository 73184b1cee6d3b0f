"""One report becomes one page of metrics, in both text formats, before anybody asks for it."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.samples import Sample

from service.publish import series
from service.publish import service_families as s
from service.publish import web_families as w
from service.publish.access import Access
from service.publish.budget import Choice, choose
from service.publish.catalogue import FAMILIES, OMISSION_REASONS
from service.publish.families import Detail, Family, MetricType
from service.publish.segment_series import add_segment
from service.publish.sheet import (
    PrefixCache,
    Sheet,
    labels_text,
    number,
    openmetrics_header,
    text_header,
)
from service.values.reports import Report

Collect = Callable[[], Iterable[Metric]]


class Page(Struct, frozen=True):
    """`text` is the format 0.0.4, `openmetrics` OpenMetrics 1.0, of the same `series` samples.

    `omitted` are the series given up, by reason; `detail_used` never is AUTO.
    """

    text: bytes
    openmetrics: bytes
    series: int
    omitted: Mapping[str, int]
    detail_used: str


class Exposition:
    """Renders pages. Keeps what stands before each value, so a second render is cheap.

    `collectors` give further families; by default those of the process and the interpreter.
    `access` is the server's, which says whom it refuses.
    """

    def __init__(
        self, collectors: Iterable[Collect] | None = None, access: Access | None = None
    ) -> None:
        self._access = Access.open() if access is None else access
        self._collectors = _process() if collectors is None else tuple(collectors)
        self._prefixes: PrefixCache = {}
        self._headers = [(f, text_header(f), openmetrics_header(f)) for f in FAMILIES]

    def render(
        self,
        report: Report,
        detail: Detail | str,
        series_limit: int,
        segments_limit: int = 5000,
    ) -> Page:
        """The whole page. Models and books are absent while the report is not caught up.

        `segments_limit` is of the series about segments alone. The limit of all never costs volume
        or health, so a page may hold more series than it.
        """
        sheet = Sheet(self._prefixes)
        foreign = [metric for collect in self._collectors for metric in collect()]
        series.add_service(sheet, report)
        _add_web(sheet, self._access)
        models = report.models if report.caught_up else ()
        for model in models:
            series.add_model(sheet, model)
        series.add_budgets(sheet, models)
        if report.caught_up:
            series.add_whole_models(sheet, report.whole_models)
            series.add_episodes(sheet, report.episodes, report.episode_counts)
        foreign_series = sum(len(metric.samples) for metric in foreign)
        always = sheet.series + foreign_series + _OWN_SERIES
        choice = choose(models, Detail(detail), series_limit, always, segments_limit)
        for model, stream in choice.streams:
            series.add_stream(sheet, model, stream)
            series.add_distances(sheet, model, stream, choice.detail)
        for model, stream in choice.segments:
            add_segment(sheet, model, stream)
        total = sheet.series + foreign_series + _OWN_SERIES
        _add_own(sheet, total, series_limit, choice)
        text, openmetrics = self._join(sheet, foreign)
        self._forget(total)
        return Page(text, openmetrics, total, choice.omitted, choice.detail.value)

    def _join(self, sheet: Sheet, foreign: list[Metric]) -> tuple[bytes, bytes]:
        """Both formats; the lines, which are nearly all of it, are joined and encoded once."""
        text, openmetrics = [], []
        for family, text_head, openmetrics_head in self._headers:
            lines = sheet.lines[family.name]
            if lines:
                body = ("\n".join(lines) + "\n").encode()
                text += [text_head.encode(), body]
                openmetrics += [openmetrics_head.encode(), body]
        for metric in foreign:
            family = _family_of(metric)
            body = "".join(map(_line, metric.samples)).encode()
            text += [text_header(family).encode(), body]
            openmetrics += [openmetrics_header(family).encode(), body]
        return b"".join(text), b"".join(openmetrics) + b"# EOF\n"

    def _forget(self, total: int) -> None:
        """Drop the prefixes, those of series that left with them: memory follows the page."""
        if len(self._prefixes) > 2 * total + 1000:
            self._prefixes.clear()


_OWN_SERIES = 3 + len(OMISSION_REASONS)


def _add_web(sheet: Sheet, access: Access) -> None:
    """What the server says of itself."""
    web = access.web
    if web.config_file is not None:
        sheet.add(s.CONFIG_FILE_OK, int(access.is_ok), str(web.config_file))
    for reason, count in access.refused.items():
        sheet.add(w.WEB_REFUSED, count, reason.value)


def _add_own(sheet: Sheet, total: int, series_limit: int, choice: Choice) -> None:
    """What the page says of itself: `_OWN_SERIES` lines."""
    sheet.add(s.SERIES, total)
    sheet.add(s.SERIES_LIMIT, series_limit)
    for reason in OMISSION_REASONS:
        sheet.add(s.SERIES_OMITTED, choice.omitted[reason], reason)
    sheet.add(s.METRICS_DETAIL, 1, choice.detail.value)


def _process() -> tuple[Collect, ...]:
    """Memory, CPU, descriptors, garbage collection and Python's version, outside any registry."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    PlatformCollector(registry=registry)
    return (registry.collect,)


def _family_of(metric: Metric) -> Family:
    """A family of prometheus_client as one of ours: its name has none of our prefix."""
    suffix = "_total" if metric.type == "counter" else ""
    return Family(metric.name + suffix, MetricType(metric.type), metric.documentation, prefix="")


def _line(sample: Sample) -> str:
    labels = labels_text(sample.labels, sample.labels.values())
    return f"{sample.name}{labels} {number(sample.value)}\n"
