"""How to reach and convince the brokers: our parameters to kafka-python's arguments."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from kafka.net.sasl.oauth import AbstractTokenProvider
from msgspec import Struct

from service.errors import ConfigurationError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]


class KafkaSecurity(Struct, frozen=True):
    """Transport and identity. Files are PEM.

    `ca_file` None trusts the system's certificates. `certificate_file` and `key_file` are for
    mutual TLS. `token_file` holds one OAuth bearer token and is read anew at every
    (re-)authentication, so whoever renews it need not tell us.
    """

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: str | None = None
    token_file: str | None = None
    kerberos_service: str = "kafka"
    kerberos_domain: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None
    check_hostname: bool = True


PLAINTEXT = KafkaSecurity()


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """A bearer token that something else keeps fresh in a file (a sidecar, a projected volume)."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)

    def token(self) -> str:
        """The token as it is in the file now.

        Raises:
            ConfigurationError: the file cannot be read or is empty.
        """
        try:
            token = self.path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"kafka.security.token_file: cannot read {self.path}: {error}"
            ) from error
        if not token:
            raise ConfigurationError(f"kafka.security.token_file: {self.path} is empty")
        return token


def client_arguments(security: KafkaSecurity) -> dict[str, Any]:
    """The arguments for `KafkaConsumer` and `KafkaProducer` alike; nothing for plain text.

    Raises:
        ConfigurationError: something is missing, or contradicts the protocol.
    """
    arguments: dict[str, Any] = {"security_protocol": security.protocol}
    if security.protocol in ("SSL", "SASL_SSL"):
        arguments |= _tls(security)
    if security.protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
        arguments |= _sasl(security)
    elif security.mechanism is not None:
        raise ConfigurationError(
            f"kafka.security.mechanism {security.mechanism} has no effect with protocol "
            f"{security.protocol}; use SASL_SSL or SASL_PLAINTEXT"
        )
    return arguments


def _tls(security: KafkaSecurity) -> dict[str, Any]:
    files = {
        "ssl_cafile": ("ca_file", security.ca_file),
        "ssl_certfile": ("certificate_file", security.certificate_file),
        "ssl_keyfile": ("key_file", security.key_file),
    }
    for field, path in files.values():
        if path is not None and not Path(path).is_file():
            raise ConfigurationError(f"kafka.security.{field}: there is no file {path}")
    if security.key_file and not security.certificate_file:
        raise ConfigurationError("kafka.security.key_file needs its certificate: certificate_file")
    arguments: dict[str, Any] = {name: path for name, (_, path) in files.items()}
    arguments["ssl_password"] = security.key_password
    arguments["ssl_check_hostname"] = security.check_hostname
    return arguments


def _sasl(security: KafkaSecurity) -> dict[str, Any]:
    mechanism = security.mechanism
    if mechanism is None:
        raise ConfigurationError(
            f"kafka.security.mechanism is missing: protocol {security.protocol} needs one of "
            "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI"
        )
    return {"sasl_mechanism": mechanism} | _CREDENTIALS[mechanism](security)


def _password(security: KafkaSecurity) -> dict[str, Any]:
    if not security.username or security.password is None:
        raise ConfigurationError(
            f"kafka.security: {security.mechanism} needs username and password"
        )
    return {
        "sasl_plain_username": security.username,
        "sasl_plain_password": security.password,
    }


def _token(security: KafkaSecurity) -> dict[str, Any]:
    if not security.token_file:
        raise ConfigurationError("kafka.security: OAUTHBEARER needs token_file")
    provider = TokenFile(security.token_file)
    provider.token()
    return {"sasl_oauth_token_provider": provider}


def _kerberos(security: KafkaSecurity) -> dict[str, Any]:
    if find_spec("gssapi") is None:
        raise ConfigurationError(
            "kafka.security.mechanism GSSAPI needs the Python package gssapi and the Kerberos "
            "libraries: install `anchorwatch[gssapi]`"
        )
    return {
        "sasl_kerberos_service_name": security.kerberos_service,
        "sasl_kerberos_domain_name": security.kerberos_domain,
    }


_CREDENTIALS: dict[str, Callable[[KafkaSecurity], dict[str, Any]]] = {
    "PLAIN": _password,
    "SCRAM-SHA-256": _password,
    "SCRAM-SHA-512": _password,
    "OAUTHBEARER": _token,
    "GSSAPI": _kerberos,
}
