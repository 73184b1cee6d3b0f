"""What a reference's order of time taught and is not used, since the settings are others."""

from collections.abc import Iterable, Iterator

from config.settings import Settings
from config.units import format_duration
from service.composition.wiring import watches
from service.monitor.detecting.beforehand import fits_hours, fits_panes
from service.values.references import InTime, Reference
from service.values.watches import SeasonWatch


def unused_order(settings: Settings, references: Iterable[Reference]) -> Iterator[str]:
    """A sentence or two of each reference, and what to do; nothing where all of it is used."""
    watch_for = watches(settings)
    for reference in references:
        known = [s.in_time for s in reference.streams if s.in_time is not None]
        season = watch_for(reference.model).season
        whys = [*_panes(known, settings.detection.pane), *_hours(known, season)]
        if whys:
            version = "any version" if reference.version is None else f"version {reference.version}"
            yield (
                f"The reference of {reference.model}, {version}, tells more than is used: "
                f"{'; '.join(whys)}. Build it again under this configuration (--config)."
            )


def _panes(known: Iterable[InTime], pane_seconds: float) -> Iterator[str]:
    other = {one.pane_seconds for one in known if not fits_panes(one, pane_seconds)}
    if other:
        theirs = " and ".join(map(format_duration, sorted(other)))
        yield (
            f"how far events depend on each other is known in panes of {theirs}, and detection.pane"
            f" is {format_duration(pane_seconds)}, so it is learned live"
        )


def _hours(known: Iterable[InTime], watch: SeasonWatch) -> Iterator[str]:
    other = {
        (one.season.period, one.season.timezone)
        for one in known
        if one.season is not None and not fits_hours(one, watch)
    }
    if other:
        theirs = " and ".join(f"of the {period} in {zone}" for period, zone in sorted(other))
        now = f"is by hours of the {watch.period} in {watch.timezone}"
        now = "has the period none" if watch.period == "none" else now
        yield (
            f"its seasons are by hours {theirs}, and the configuration's season {now}, so neither "
            "they nor the dependence of such streams are taken"
        )
