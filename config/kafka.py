"""Section `kafka`: the broker, and how to log in to it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_serializer, model_validator

from config.section import Atom, Seconds, Section, Whole, refuse
from config.units import DURATION_PATTERN, format_duration, parse_duration


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def _is_server(name: str) -> str:
    if not re.fullmatch(r"(?:[^\s:,]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}", name):
        raise ValueError("must be host:port, for example kafka-1:9092")
    return name


def _is_instance(name: Any) -> Any:
    if isinstance(name, str) and re.fullmatch(r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}", name):
        return name
    raise ValueError("must be 1 to 249 of the characters A-Z a-z 0-9 . _ -")


class Start(Atom):
    """Where a partition begins that has no position yet: its end, its beginning, or some time ago.

    Written `latest`, `earliest` or `-7d`. `ago_seconds` is 0 unless `where` is `ago`.
    """

    where: Literal["latest", "earliest", "ago"] = "latest"
    ago_seconds: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, Mapping | Start):
            return value
        if value in {"latest", "earliest"}:
            return {"where": value}
        if isinstance(value, str) and re.fullmatch(r"-(?!0$)\w+", value):
            return {"where": "ago", "ago_seconds": parse_duration(value[1:])}
        raise ValueError("must be latest, earliest, or how far back, such as -7d")

    @model_serializer(mode="plain")
    def text(self) -> str:
        """As a file says it."""
        return f"-{format_duration(self.ago_seconds)}" if self.where == "ago" else self.where

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Text in JSON Schema too."""
        ago = DURATION_PATTERN.split("|^0")[0].removeprefix("^")
        return {"type": "string", "pattern": f"^(?:latest|earliest)$|^-{ago}"}


class SecuritySettings(Section):
    """How the connection to the broker is protected and who we are."""

    later: ClassVar[frozenset[str]] = frozenset({"token_command"})

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL: SSL encrypts, SASL logs in.",
    )
    mechanism: (
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] | None
    ) = Field(
        default=None,
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI; needed with a "
        "SASL protocol, refused without one.",
    )
    username: str | None = Field(default=None, description="For PLAIN and SCRAM.")
    password: SecretStr | None = Field(
        default=None,
        description="For PLAIN and SCRAM. In a file only as ${file:/path} or ${env:NAME}.",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities to trust; none = the system's."
    )
    certificate_file: Path | None = Field(
        default=None, description="PEM file of our certificate, for mutual TLS; with key_file."
    )
    key_file: Path | None = Field(default=None, description="PEM file of our private key.")
    key_password: SecretStr | None = Field(
        default=None, description="Of key_file. In a file only as ${file:/path} or ${env:NAME}."
    )
    token_file: Path | None = Field(
        default=None,
        description="For OAUTHBEARER: a file with the token, read anew at every login.",
    )
    check_hostname: bool = Field(
        default=True, description="With TLS: the broker's certificate must name its host."
    )
    kerberos_service: str = Field(
        default="kafka", min_length=1, description="For GSSAPI: the broker's Kerberos service."
    )
    kerberos_domain: str | None = Field(
        default=None, description="For GSSAPI: the broker's domain; none = its host name."
    )

    @property
    def uses_tls(self) -> bool:
        """True when the connection is encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def uses_sasl(self) -> bool:
        """True when there is a login."""
        return self.protocol.startswith("SASL")

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        by_password = self.mechanism in {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
        by_token = self.mechanism == "OAUTHBEARER"
        undecided = self.uses_sasl and self.mechanism is None
        takes_password, takes_token = by_password or undecided, by_token or undecided
        unused = f"has no effect with mechanism {self.mechanism or 'none'}"
        refuse(
            (
                undecided,
                "mechanism",
                f"is needed with protocol {self.protocol}",
            ),
            (
                bool(self.mechanism) and not self.uses_sasl,
                "mechanism",
                f"has no effect with protocol {self.protocol}; set protocol to SASL_SSL",
            ),
            (
                by_password and not self.username,
                "username",
                f"is needed with mechanism {self.mechanism}",
            ),
            (
                by_password and self.password is None,
                "password",
                f"is needed with mechanism {self.mechanism}",
            ),
            (bool(self.username) and not takes_password, "username", unused),
            (self.password is not None and not takes_password, "password", unused),
            (
                by_token and self.token_file is None,
                "token_file",
                f"is needed with mechanism {self.mechanism}",
            ),
            (bool(self.token_file) and not takes_token, "token_file", unused),
        )
        return self

    @model_validator(mode="after")
    def _files_have_effect(self) -> Self:
        secure = "SASL_SSL" if self.uses_sasl else "SSL"
        files = ("ca_file", "certificate_file", "key_file", "key_password")
        refuse(
            *(
                (
                    getattr(self, name) is not None and not self.uses_tls,
                    name,
                    f"has no effect with protocol {self.protocol}; set protocol to {secure}",
                )
                for name in files
            ),
            (
                self.certificate_file is not None and self.key_file is None,
                "key_file",
                "is needed with certificate_file",
            ),
            (
                self.key_file is not None and self.certificate_file is None,
                "certificate_file",
                "is needed with key_file",
            ),
            (
                self.key_password is not None and self.key_file is None,
                "key_password",
                "has no effect without key_file",
            ),
        )
        return self


class KafkaSettings(Section):
    """The broker that events come from."""

    bootstrap_servers: Annotated[
        tuple[Annotated[str, BeforeValidator(_is_server)], ...],
        BeforeValidator(_names, json_schema_input_type=str | tuple[str, ...]),
    ] = Field(
        default=("localhost:9092",),
        min_length=1,
        description="Brokers to ask first, as host:port; the rest is learned from them.",
    )
    group: str = Field(
        default="anchorwatch", min_length=1, max_length=249, description="Our consumer group."
    )
    client_id: str = Field(
        default="anchorwatch",
        min_length=1,
        max_length=249,
        description="Our name in the broker's logs.",
    )
    security: SecuritySettings = Field(
        default=SecuritySettings(), description="Encryption and login."
    )
    start: Start = Field(
        default=Start(),
        description="First start of a partition: latest, earliest, or so far back (-7d).",
    )
    out_of_range: Literal["stop", "earliest", "latest"] = Field(
        default="stop",
        description="When the log no longer holds our position: stop with an error, or go on at "
        "the earliest or latest record that there is. Counted and logged in any case.",
    )
    dead_letters: str | None = Field(
        default=None,
        min_length=1,
        max_length=249,
        description="Topic for rejected records, with reason and origin as headers; null = none.",
    )
    max_poll_records: Annotated[int, Whole("1", "100000")] = Field(
        default=5000, description="Records taken in one turn of the loop."
    )
    session_timeout: Annotated[float, Seconds("6s", "30m")] = Field(
        default=10.0,
        description="Silence after which the group takes us for dead, so how long a start waits at "
        "most after a crash. Short costs little where one process has every partition: it joins "
        "again. The brokers have bounds: group.min.session.timeout.ms (6s), group.max.",
    )
    instance_id: Annotated[str, BeforeValidator(_is_instance)] | None = Field(
        default=None,
        description="A name that stays over restarts makes us a static member: after a crash we "
        "get our partitions back at once. Two processes with one name throw each other out; the "
        "members of a group must all have one, or none. null = none.",
    )
