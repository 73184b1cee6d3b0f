"""`anchorwatch demo events`: the demo's models write to a topic, and drift on a schedule."""

import threading

import click

from config.units import format_duration, parse_duration
from service.clock import Clock, SystemClock
from service.commands.run import stop_on_signals
from service.errors import RecoverableError
from service.ingest.demo_events import STEADY, DemoEvents, Schedule
from service.ingest.kafka.sending import Sender
from service.kafka.connection import KafkaConnection

_TICK_SECONDS = 0.25
_AGAIN_SECONDS = 2.0


def _seconds(_: click.Context, __: click.Parameter, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("events")
@click.option(
    "--to",
    "broker",
    metavar="HOST:PORT",
    default="localhost:9092",
    show_default=True,
    help="A broker, without encryption or login.",
)
@click.option("--topic", default="ml.predictions", show_default=True, help="It has to be there.")
@click.option(
    "--per-second",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=20.0,
    show_default=True,
    help="Events of each model.",
)
@click.option(
    "--drift-after",
    callback=_seconds,
    metavar="TIME",
    default="5m",
    show_default=True,
    help="How long all is as usual at first.",
)
@click.option(
    "--drift-every",
    callback=_seconds,
    metavar="TIME",
    default="15m",
    show_default=True,
    help="From the beginning of one drift to the next.",
)
@click.option(
    "--drift-for",
    callback=_seconds,
    metavar="TIME",
    default="5m",
    show_default=True,
    help="How long each lasts.",
)
def events(
    *,
    broker: str,
    topic: str,
    per_second: float,
    drift_after: float,
    drift_every: float,
    drift_for: float,
) -> None:
    """Send events of the demo's two models to a topic, and let them drift again and again.

    What goes wrong, in turn: incomes of credit-risk arrive too high; its bureau_score is missing;
    nothing comes of card-fraud. The terminal says when each begins and ends. Ctrl-C ends it.

    \b
    anchorwatch demo events --to localhost:9092 --topic ml.predictions
    """  # noqa: D301 - click reads \b as its paragraph mark
    try:
        schedule = Schedule(drift_after, drift_every, drift_for)
    except ValueError as error:
        raise click.BadOptionUsage("--drift-for", str(error)) from error
    click.echo(
        f"{per_second:g} events a second of each model to {topic} at {broker}. "
        f"The first drift is in {format_duration(drift_after)}."
    )
    clock, stop = SystemClock(), stop_on_signals()
    connection = KafkaConnection((broker,), client_id="anchorwatch-demo")
    sender = _connected(topic, connection, stop)
    if sender is not None:
        try:
            send(sender, clock, schedule, per_second, stop)
        finally:
            sender.close()


def _connected(topic: str, connection: KafkaConnection, stop: threading.Event) -> Sender | None:
    """A sender once a broker answers, None when we are told to end before that."""
    while not stop.is_set():
        try:
            return Sender(topic, connection)
        except RecoverableError as error:
            click.echo(f"{error}. Trying again", err=True)
            stop.wait(_AGAIN_SECONDS)
    return None


def send(
    sender: Sender, clock: Clock, schedule: Schedule, per_second: float, stop: threading.Event
) -> None:
    """Send what becomes due, until `stop` is set; what no broker takes is lost, and told."""
    started = clock.now()
    demo, told = DemoEvents(started, per_second), STEADY
    while not stop.is_set():
        now = clock.now()
        story = schedule.story(now - started)
        if story != told:
            told = story
            click.echo(f"{format_duration(round(now - started))}: {story.words}")
        records = demo.due(now, story)
        try:
            for record in records:
                sender.send(record)
        except RecoverableError as error:
            click.echo(f"events are lost: {error}", err=True)
        stop.wait(_TICK_SECONDS)
