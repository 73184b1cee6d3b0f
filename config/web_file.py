"""The file that `web.config_file` names: TLS and logins, as Prometheus' own exporters read them.

The form is that of the exporter toolkit (docs/web-configuration.md there). What of it we cannot do
is refused by name, since a protection that is written down and has no effect is worse than none.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from config.document import Document
from config.errors import ConfigurationProblems, Problem
from config.loader import read_root
from config.section import Section, refuse
from config.tree import Path as Place
from config.tree import dotted
from config.wording import faults

_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_COSTS = range(4, 16)
_OLD = ("TLS10", "TLS11")
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert")


def _is_hash(secret: SecretStr) -> SecretStr:
    match = _HASH.fullmatch(secret.get_secret_value())
    if match is None:
        raise ValueError("must be a bcrypt hash: write what `htpasswd -nBC 10 NAME` prints")
    if int(match[1]) not in _COSTS:
        raise ValueError(f"must have a cost from {_COSTS[0]} to {_COSTS[-1]}")
    return secret


def _is_name(name: str) -> str:
    if not name or ":" in name or not name.isprintable():
        raise ValueError("must be a name without a colon or control characters")
    return name


def _refused(names: tuple[str, ...], why: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value in names:
            raise ValueError(why)
        return value

    return BeforeValidator(check)


class TlsServer(Section):
    """`tls_server_config`: who we are, and whether clients have to say who they are."""

    cert_file: Path = Field(description="PEM file of our certificate, with those that signed it.")
    key_file: Path = Field(description="PEM file of its private key, without a password.")
    client_auth_type: Annotated[
        Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
        _refused(
            _UNVERIFIED,
            "asks for a certificate without verifying it: write RequireAndVerifyClientCert, or "
            "VerifyClientCertIfGiven",
        ),
    ] = Field(default="NoClientCert", description="Whether clients have to show a certificate.")
    client_ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities that sign those of clients."
    )
    min_version: Annotated[
        Literal["TLS12", "TLS13"], _refused(_OLD, "is broken (RFC 8996): write TLS12 or TLS13")
    ] = Field(default="TLS12", description="Oldest version of TLS that is spoken.")
    max_version: Literal["TLS12", "TLS13"] = Field(
        default="TLS13", description="Newest version of TLS that is spoken."
    )

    @model_validator(mode="after")
    def _clients_can_be_verified(self) -> "TlsServer":
        verifies = self.client_auth_type != "NoClientCert"
        refuse(
            (
                verifies and self.client_ca_file is None,
                "client_ca_file",
                f"is needed with client_auth_type {self.client_auth_type}",
            ),
            (
                not verifies and self.client_ca_file is not None,
                "client_ca_file",
                "has no effect without client_auth_type: set it to RequireAndVerifyClientCert",
            ),
            (
                self.min_version > self.max_version,
                "max_version",
                f"is older than min_version {self.min_version}",
            ),
        )
        return self


class HttpHeaders(Section):
    """`headers`; those that are ours already cannot be weakened here."""

    hsts: str = Field(
        default="",
        alias="Strict-Transport-Security",
        max_length=200,
        pattern=r"^[\x20-\x7e]*$",
        description="Tells browsers to come by TLS alone: max-age=31536000.",
    )


class HttpServer(Section):
    """`http_server_config`."""

    http2: bool = Field(
        default=True, description="Taken and without effect: only HTTP/1.1 is spoken."
    )
    headers: HttpHeaders = Field(default=HttpHeaders(), description="Sent with every answer.")


class WebFile(Section):
    """The whole file. `WebFile()` is what no file says: no TLS, nobody has to log in."""

    tls_server_config: TlsServer | None = Field(default=None, description="TLS; none = plain text.")
    http_server_config: HttpServer = Field(default=HttpServer(), description="Answers.")
    basic_auth_users: Mapping[
        Annotated[str, AfterValidator(_is_name)], Annotated[SecretStr, AfterValidator(_is_hash)]
    ] = Field(
        default={},
        max_length=100,
        description="Who may log in: the bcrypt hash of a password by name; none = everybody may "
        "look.",
    )


def read_web_file(path: Path) -> WebFile:
    """What a file says; relative paths in it are relative to its directory.

    An empty file says nothing. Raises ConfigurationProblems with every problem and its line, none
    of which tells a hash.
    """
    document = read_root(path)
    if document.problems:
        raise ConfigurationProblems(document.problems)
    try:
        said = WebFile.model_validate(document.data, context={"from": "file"})
    except ValidationError as error:
        wrong = faults(error.errors(include_url=False), document.data, {}, WebFile)
        raise ConfigurationProblems(
            Problem(document.file, _line(document, f.path), dotted(f.path), f.message)
            for f in wrong
        ) from None
    return _below(path.parent, said)


def _below(directory: Path, said: WebFile) -> WebFile:
    tls = said.tls_server_config
    if tls is None:
        return said
    ca_file = None if tls.client_ca_file is None else directory / tls.client_ca_file
    files = {
        "cert_file": directory / tls.cert_file,
        "key_file": directory / tls.key_file,
        "client_ca_file": ca_file,
    }
    return said.model_copy(update={"tls_server_config": tls.model_copy(update=files)})


def _line(document: Document, path: Place) -> int:
    known = path
    while known and known not in document.lines:
        known = known[:-1]
    return document.lines.get(known, 1)
