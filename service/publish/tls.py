"""TLS of the server: from what the web configuration file names to a context of Python's ssl."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Self

from config.web_file import TlsServer
from service.errors import ConfigurationError

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


def context_of(tls: TlsServer) -> ssl.SSLContext:
    """A context with the files as they are now. Raises ConfigurationError."""
    for path in filter(None, (tls.cert_file, tls.key_file, tls.client_ca_file)):
        _check_readable(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password given, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"{tls.key_file} is no private key that fits {tls.cert_file}: both have to be PEM, "
            "belong together, and the key must not need a password"
        ) from error
    if tls.client_ca_file is not None:
        _trust(context, tls.client_ca_file)
    context.verify_mode = _CLIENTS[tls.client_auth_type]
    return context


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): put it there, correct the path, or grant "
            "this user read access"
        ) from error


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----): is it the "
            "right file?"
        ) from error


class FollowingContext(ssl.SSLContext):
    """Begins every connection with the context that is in force then.

    A context cannot be changed in place: authorities can be added to one, never taken away.
    """

    _current: Callable[[], ssl.SSLContext]

    @classmethod
    def of(cls, current: Callable[[], ssl.SSLContext]) -> Self:
        """`current` is asked at the beginning of each connection."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made._current = current
        return made

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As that of `ssl.SSLContext`; asyncio calls it for every connection."""
        return self._current().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
