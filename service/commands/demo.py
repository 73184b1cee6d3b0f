"""`anchorwatch demo`: everything, embedded, in one command."""

import threading
import webbrowser

import click

from config.detection import DetectionSettings
from config.log import LogSettings
from config.metrics import MetricsSettings
from config.models import FeatureRule, ModelRule
from config.settings import Settings
from config.sources import SourceSettings
from service.clock import Clock, SystemClock
from service.commands.demo_events import events
from service.commands.run import serve
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, time_rules
from service.ingest.demo import TOPIC, DemoSource, Drift, demo_profiles
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.logs import configure
from service.monitor.references.reference import build_reference
from service.state.memory import MemoryStore
from service.values.episodes import Episode, Phase
from service.values.references import Lineage, Reference
from service.values.reports import Report

REFERENCE_ROWS = 20_000
_EVENTS_PER_SECOND = 400
_SECONDS_MAX = 86_400.0


@click.group("demo", invoke_without_command=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9108,
    show_default=True,
    help="Where to serve; 0 = any free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--drift-after",
    type=click.FloatRange(0, _SECONDS_MAX),
    default=12.0,
    show_default=True,
    help="Seconds until the drift starts.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, _SECONDS_MAX),
    default=0.0,
    help="End after so many seconds; 0 = on Ctrl-C.",
)
@click.option("--browser", is_flag=True, help="Open the page.")
@click.pass_context
def command(
    context: click.Context,
    *,
    port: int,
    host: str,
    drift_after: float,
    seconds: float,
    browser: bool,
) -> None:
    """Watch two models of an embedded stream; one starts to drift after some seconds.

    Needs no broker and writes nothing to disk. Panes last a second here, so that a drift is noticed
    in seconds; in production they last a minute.
    """
    if context.invoked_subcommand is not None:
        return
    settings = demo_settings()
    configure("console", "error")
    clock = SystemClock()
    source = DemoSource(clock, Drift(after_seconds=drift_after), _EVENTS_PER_SECOND)
    service = Service(
        settings,
        "demo",
        Parts(
            source=source,
            store=MemoryStore(),
            dead_letters=NoDeadLetters(),
            given=given_references(settings, demo_references(clock.now())),
            clock=clock,
            rules=time_rules(settings.detection),
            sources=settings.sources,
        ),
    )
    threading.Thread(
        target=_tell, args=(service, source, clock), name="narrator", daemon=True
    ).start()
    if seconds:
        threading.Timer(seconds, source.close).start()

    def introduce(port: int) -> None:
        _introduce(host, port, drift_after, browser=browser)

    serve(service, host, port, introduce)


command.add_command(events)


def demo_settings() -> Settings:
    """Panes of a second, windows of seconds, and everything else as always."""
    return Settings(
        sources=(SourceSettings(name="demo", topics=(TOPIC,)),),
        detection=DetectionSettings(
            pane=1.0, windows=(5.0, 30.0, 120.0), lateness=0.5, idle_after=2.0
        ),
        models={
            "credit-risk": ModelRule(
                team="retail-credit",
                tier=1,
                features={"bureau_score": FeatureRule(source="bureau-feed")},
            ),
            "card-fraud": ModelRule(team="payments", tier=1),
        },
        metrics=MetricsSettings(detail="full"),
        log=LogSettings(format="console"),
    )


def demo_references(now_seconds: float) -> tuple[Reference, ...]:
    """What is normal for both models, from rows that the same generators made."""
    return tuple(
        build_reference(
            model,
            version,
            profiles,
            REFERENCE_ROWS,
            Lineage(
                source="embedded demo data",
                data_hash="",
                created_seconds=now_seconds,
                created_by="anchorwatch demo",
            ),
        )
        for (model, version), profiles in demo_profiles(REFERENCE_ROWS).items()
    )


def _introduce(host: str, port: int, drift_after: float, *, browser: bool) -> None:
    address = f"http://{host}:{port}"
    click.echo(f"""Anchorwatch demo: two models, {_EVENTS_PER_SECOND} predictions a second each.

  Page      {address}/
  Metrics   {address}/metrics

In {drift_after:.0f} s the income of credit-risk begins to drift, as if an upstream system sent
gross for net, and its bureau score goes missing now and then. card-fraud stays steady.
Ctrl-C ends it.
""")
    if browser:
        threading.Timer(1.0, webbrowser.open, (address,)).start()


def _tell(service: Service, source: DemoSource, clock: Clock) -> None:
    """Say in the terminal what happens, as it happens."""
    started, announced = clock.monotonic(), False
    told: dict[str, int] = {}
    while not source.finished:
        clock.sleep(0.25)
        elapsed = clock.monotonic() - started
        if not announced and clock.now() >= source.drift_starts_seconds:
            announced = True
            click.echo(f"{elapsed:5.1f} s  the drift starts now: income of credit-risk")
        for line in news(service.report, told):
            click.echo(f"{elapsed:5.1f} s  {line}")


def news(report: Report | None, told: dict[str, int]) -> list[str]:
    """What happened to episodes since it was last asked; `told` remembers their newest events."""
    lines = []
    for episode in report.episodes if report else ():
        before = told.get(episode.id, 0)
        if episode.sequence > before:
            told[episode.id] = episode.sequence
            lines += _of_episode(episode, is_new=before == 0)
    return lines


def _of_episode(episode: Episode, *, is_new: bool) -> list[str]:
    if not episode.is_open:
        return [f"{episode.model}: {episode.ended_because}, episode {episode.id} is over"]
    if is_new:
        return [
            f"{episode.model}: a {episode.severity.value}, episode {episode.id}",
            f"{episode.model}: {episode.words} (score {episode.score:.1f}, 1 alarms)",
            f"{episode.model}: likely {episode.likely}",
        ]
    if episode.phase is Phase.ESCALATED:
        return [f"{episode.model}: escalated ({episode.escalated_because}): {episode.words}"]
    return []
