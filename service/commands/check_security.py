"""Certificates, keys and tokens that `kafka.security` names: are they there, and do they fit?"""

import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath

from config.settings import Settings
from config.tree import Path
from service.commands.findings import Finding
from service.composition.wiring import kafka_parameters
from service.errors import ConfigurationError
from service.ingest.kafka.client import consumer_arguments

_AT = ("kafka", "security")
_FILES = ("ca_file", "certificate_file", "key_file", "token_file")


def security_findings(settings: Settings, doubtful: Sequence[Path]) -> Iterator[Finding]:
    """Every file that cannot be used, without connecting anywhere."""
    if any(path[:2] == _AT or path == _AT[:1] for path in doubtful):
        return
    named = {name: getattr(settings.kafka.security, name) for name in _FILES}
    found = [
        Finding((*_AT, name), why)
        for name, path in named.items()
        if path is not None and (why := _unreadable(path))
    ]
    wrong = {finding.path[-1] for finding in found}
    if not wrong & {"ca_file"} and named["ca_file"] is not None:
        found += _authorities(named["ca_file"])
    if not wrong & {"certificate_file", "key_file"} and named["certificate_file"] is not None:
        found += _identity(settings)
    yield from found
    if not found and any(source.topics for source in settings.sources):
        try:
            consumer_arguments(kafka_parameters(settings.kafka, settings.sources))
        except ConfigurationError as error:
            yield Finding(_AT, str(error))


def _unreadable(path: FilePath) -> str:
    """Why a file cannot be read, with what to do; empty when it can."""
    if not path.is_file():
        return f"there is no file {path}: put it there, or correct the path"
    try:
        with path.open("rb") as file:
            return "" if file.read(1).strip() else f"{path} is empty: put its content there"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}): grant this user read access"


def _authorities(path: FilePath) -> Iterator[Finding]:
    why = f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    yield from _tried(
        "ca_file",
        lambda: ssl.create_default_context(cafile=str(path)),
        f"{why}: is it the right file?",
    )


def _identity(settings: Settings) -> Iterator[Finding]:
    security = settings.kafka.security
    password = security.key_password
    given = "" if password is None else password.get_secret_value()

    def load() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(str(security.certificate_file), str(security.key_file), given)

    why = (
        f"{security.key_file} is no private key that fits {security.certificate_file}: both have "
        "to be PEM and belong together, and key_password has to open the key if it is encrypted"
    )
    yield from _tried("key_file", load, why)


def _tried(name: str, load: Callable[[], object], why: str) -> Iterator[Finding]:
    try:
        load()
    except (ssl.SSLError, OSError, ValueError):
        yield Finding((*_AT, name), why)
