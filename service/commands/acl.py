"""`anchorwatch acl`: the topics and grants to ask the Kafka team for."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from config.environment import variable
from config.kafka import KafkaSettings
from config.loader import examine, load
from config.settings import Role, Settings
from config.sources import TopicPattern
from config.tree import dotted
from service.commands import config_option
from service.commands.acl_lines import ADMIN_FILE, Cluster, Operation, Request
from service.commands.acl_own_topics import FLEET, making, own_topics
from service.commands.acl_prefixes import Rest, beginnings, with_literal_dots
from service.errors import ConfigurationError

_SECRETS = (("kafka", "security", "password"), ("kafka", "security", "key_password"))
_DEAD_LETTERS_KEPT = "retention.ms=1209600000"
"""Two weeks, to be mended and sent again."""


def _principal(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[A-Za-z]+:.+", text):
        raise click.BadParameter(f"{text!r} is no principal of Kafka, such as User:anchorwatch")
    return text


@click.command("acl", options_metavar="[--config FILE] [OPTIONS]")
@config_option
@click.option(
    "--principal",
    metavar="TYPE:NAME",
    callback=_principal,
    help="Who is to be let in.  [default: User: and kafka.security.username; without a login "
    "User:ANONYMOUS; else User:anchorwatch]",
)
@click.option(
    "--role",
    type=click.Choice(FLEET),
    help="Of a fleet (state.store: topic) what one role needs alone.  [default: worker and judge]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "commands"]),
    default="text",
    show_default=True,
    help="text: each with a sentence on why; commands: the lines alone, to be pasted.",
)
def command(
    config_file: Path | None, *, principal: str | None, role: Role | None, form: str
) -> None:
    """Print the topics and grants that the service needs, as lines of kafka-topics and kafka-acls.

    They are what this version uses with this configuration, and nothing else. Connects nowhere.
    What no grant can mean, such as a pattern without a fixed beginning, is said, in the lines as a
    comment. Exit code 78: no source has topics.

    \b
    anchorwatch acl --config anchorwatch.yaml
    anchorwatch acl --config anchorwatch.yaml --principal User:svc-drift --format commands | sh
    """  # noqa: D301 - click reads \b as its paragraph mark
    settings = _without_secrets(config_file, os.environ)
    who, doubt = _who(settings.kafka, principal)
    roles = roles_of(settings, role)
    requests = requests_of(settings, who, roles)
    if form == "text":
        click.echo(_opening(settings.kafka, who, doubt))
        click.echo("\n" + "\n\n".join(map(_as_text, requests)))
        click.echo(f"\n{_closing(settings, who, roles)}")
        return
    for request in requests:
        for line in request.commands or (f"# {' '.join(request.why.split())}",):
            click.echo(line)


def _without_secrets(config_file: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings, though a password is not here: it is asked for where the service runs, and
    nothing of it is in what is printed. Raises ConfigurationProblems for all else that is wrong.
    """
    secrets = {dotted(path): variable(path) for path in _SECRETS}
    absent = {p.path for p in examine(config_file, environ).problems} & secrets.keys()
    stand_ins = {secrets[path]: "unknown" for path in absent}
    return load(config_file, {**environ, **stand_ins}).settings


def roles_of(settings: Settings, said: Role | None) -> tuple[Role, ...]:
    """Whose needs are printed. Raises ConfigurationError for a role of a fleet without one."""
    if settings.state.store == "topic":
        return FLEET if said is None else (said,)
    if said is not None:
        raise ConfigurationError(
            f"role {said} keeps its state in topics: set state.store to topic, or leave out --role"
        )
    return ("all",)


def requests_of(
    settings: Settings, principal: str, roles: tuple[Role, ...] = ("all",)
) -> tuple[Request, ...]:
    """Everything that the roles with these settings do in Kafka, in order of their doing.

    Raises ConfigurationError when no source has topics.
    """
    kafka = settings.kafka
    cluster = _cluster(kafka, principal)
    # The judge reads what workers send, and of the sources learns what there is.
    reads = roles != ("judge",)
    found = (
        *_literal(settings, cluster, reads=reads),
        *_by_pattern(settings, cluster, reads=reads),
    )
    if not found:
        raise ConfigurationError(
            "no source of the configuration has topics, so there is nothing to ask for: name the "
            "configuration of the service by --config"
        )
    of_members = (_group(kafka, cluster), *_dead_letters(kafka, cluster)) if reads else ()
    return (*found, *of_members, *own_topics(settings, cluster, roles))


def _closing(settings: Settings, principal: str, roles: tuple[Role, ...]) -> str:
    told = (
        "Nothing else is used: the service commits to no other group and needs no right on the "
        "cluster. Replays of topics read as the same user, in no group."
    )
    makes = making(settings, _cluster(settings.kafka, principal), roles)
    if not makes:
        told = told.replace("the service commits", "the service makes no topic, commits")
    if settings.state.store == "topic":
        told += (
            " What the lines for kafka-topics do not set is free; where there are fewer than three "
            "brokers, set state.topics.replication."
        )
    return f"{told}\n\n{makes}" if makes else told


def _opening(kafka: KafkaSettings, principal: str, doubt: str) -> str:
    servers = ", ".join(kafka.bootstrap_servers)
    text = f"What {principal} needs at {servers}, to be run by those who administer the brokers."
    if doubt:
        text += f" {doubt}"
    if _needs_login(kafka):
        text += f" {ADMIN_FILE} stands for the file with their own login."
    return text


def _as_text(request: Request) -> str:
    return "\n".join((request.why, *(f"    {line}" for line in request.commands)))


def _who(kafka: KafkaSettings, said: str | None) -> tuple[str, str]:
    """The principal, and what is doubtful about it."""
    security = kafka.security
    if said is not None:
        return said, ""
    if security.username:
        return f"User:{security.username}", ""
    if security.certificate_file is not None and not security.uses_sasl:
        return "User:anchorwatch", (
            "By a certificate the brokers know us as its subject, unless they map it "
            "(ssl.principal.mapping.rules): say it by --principal 'User:CN=...'."
        )
    if security.uses_sasl:
        return "User:anchorwatch", (
            f"By {security.mechanism} the name is in the token or ticket: say it by --principal."
        )
    return "User:ANONYMOUS", "Without a login (kafka.security) everybody is that user."


def _cluster(kafka: KafkaSettings, principal: str) -> Cluster:
    return Cluster(",".join(kafka.bootstrap_servers), principal, _needs_login(kafka))


def _needs_login(kafka: KafkaSettings) -> bool:
    return kafka.security.protocol != "PLAINTEXT"


def _literal(settings: Settings, cluster: Cluster, *, reads: bool) -> Iterator[Request]:
    """A topic that several sources name is asked for once."""
    sources: dict[str, list[str]] = {}
    for source in settings.sources:
        if source.topics and not isinstance(source.topics, TopicPattern):
            for topic in source.topics:
                sources.setdefault(topic, []).append(source.name)
    for topic, names in sources.items():
        purpose = " and read its records" if reads else ""
        yield Request(
            f"Source {', '.join(names)}: to learn the partitions of {topic}{purpose}. "
            "It has to be there; its producers own it.",
            (cluster.grant(_of_sources(reads=reads), "--topic", topic),),
        )


def _of_sources(*, reads: bool) -> tuple[Operation, ...]:
    return ("Read", "Describe") if reads else ("Describe",)


def _by_pattern(settings: Settings, cluster: Cluster, *, reads: bool) -> Iterator[Request]:
    for source in settings.sources:
        if not isinstance(source.topics, TopicPattern):
            continue
        pattern = source.topics.pattern
        where = f"Source {source.name}: topics like {pattern}"
        for found in beginnings(pattern):
            if not found.text:
                yield Request(f"{where}. {_NO_PREFIX}{_dots(pattern)}")
                continue
            is_name = found.rest is Rest.NOTHING
            prefixed = () if is_name else ("--resource-pattern-type", "prefixed")
            yield Request(
                f"{where}: {_reach(found.text, found.rest)}{_dots(pattern)}",
                (cluster.grant(_of_sources(reads=reads), "--topic", found.text, *prefixed),),
            )


_NO_PREFIX = (
    "A grant in Kafka means one topic or all of one beginning, and no regular expression. The "
    "names that this one matches have no beginning in common, so nothing but a grant on every "
    "topic would do: better name the topics in `topics`, or give them a common beginning."
)


def _reach(text: str, rest: Rest) -> str:
    if rest is Rest.NOTHING:
        return f"to find and read {text}, which is one of them."
    reach = f"to find and read every topic whose name begins with {text}"
    if rest is Rest.ANYTHING:
        return f"{reach}, which is what it matches."
    return (
        f"{reach}. A grant in Kafka cannot be a regular expression; this one reaches further than "
        "the pattern does, which reads of them only what it matches."
    )


def _dots(pattern: str) -> str:
    """A hint where dots that mean themselves would make the beginning longer."""
    escaped = with_literal_dots(pattern)
    if escaped is None:
        return ""
    before, after = beginnings(pattern), beginnings(escaped)
    if max(len(b.text) for b in after) <= max(len(b.text) for b in before):
        return ""
    texts = ", ".join(found.text for found in after)
    return f" Its dots stand for any character: written {escaped} it would be {texts}."


def _group(kafka: KafkaSettings, cluster: Cluster) -> Request:
    return Request(
        f"To join the consumer group {kafka.group}, which gives out the partitions, and to commit "
        "positions to it, by which tools see the lag.",
        (cluster.grant(("Read",), "--group", kafka.group),),
    )


def _dead_letters(kafka: KafkaSettings, cluster: Cluster) -> Iterator[Request]:
    topic = kafka.dead_letters
    if topic is not None:
        yield Request(
            f"To send records that were refused to {topic}, which has to be there, for two weeks: "
            "Anchorwatch never makes it. Nothing reads it; it holds the same data as the sources.",
            (
                cluster.make("--topic", topic, "--config", _DEAD_LETTERS_KEPT),
                cluster.grant(("Write",), "--topic", topic),
            ),
        )
