"""Who may connect and log in: what the web configuration file says now."""

import ssl
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self

import structlog
from msgspec import Struct

from config.errors import ConfigurationProblems
from config.web import WebSettings
from config.web_file import WebFile, read_web_file
from service.clock import Clock, ManualClock
from service.errors import ConfigurationError
from service.publish.login import Users
from service.publish.tls import context_of

LOOK_SECONDS = 1.0
"""Changes of files are looked for at most as often, when somebody comes."""

log = structlog.get_logger(__name__)

_Signature = tuple[tuple[str, int, int, int], ...]


class Refusal(StrEnum):
    """Why somebody was not served; the label `reason` of `web_refused_total`."""

    BUSY = "busy"
    CONNECTIONS = "connections"
    SLOW = "slow"
    LOGIN = "login"


class Terms(Struct, frozen=True):
    """What holds now. `context` None: plain text. No `users`: everybody may look. `headers` go with
    every answer.
    """

    context: ssl.SSLContext | None = None
    users: Users = {}
    headers: Mapping[str, str] = {}


class Access:
    """Follows the file that `web` names, and counts who was refused.

    What turns out wrong in it later is logged, and what it said last holds on; whether TLS is
    spoken at all is settled by the start. Raises ConfigurationProblems or ConfigurationError at
    first.
    """

    def __init__(self, web: WebSettings, clock: Clock) -> None:
        self.web = web
        self.is_ok = True
        self.refused = dict.fromkeys(Refusal, 0)
        self._clock = clock
        self._looked_seconds = clock.monotonic()
        self._watched: tuple[Path, ...] = () if web.config_file is None else (web.config_file,)
        self._seen: _Signature = ()
        self._terms = Terms() if web.config_file is None else self._read(web.config_file)

    @classmethod
    def open(cls) -> Self:
        """For everybody, in plain text."""
        return cls(WebSettings(), ManualClock())

    def terms(self) -> Terms:
        """What holds now, by a look at the files when the last one is a second ago."""
        now = self._clock.monotonic()
        file = self.web.config_file
        if file is not None and now - self._looked_seconds >= LOOK_SECONDS:
            self._looked_seconds = now
            if _signature(self._watched) != self._seen:
                self._take_up(file)
        return self._terms

    def refuse(self, reason: Refusal) -> None:
        """Count one."""
        self.refused[reason] += 1

    def _take_up(self, file: Path) -> None:
        try:
            terms = self._read(file)
            if (terms.context is None) != (self._terms.context is None):
                raise ConfigurationError(  # noqa: TRY301 - refused like all else
                    "tls_server_config came or went: that takes a restart"
                )
        except (ConfigurationProblems, ConfigurationError) as error:
            self.is_ok = False
            log.error(  # noqa: TRY400 - it says what is wrong; a traceback adds nothing
                "web_config_refused", file=str(file), reason=str(error)
            )
        else:
            self.is_ok = True
            self._terms = terms
            log.info("web_config_taken_up", file=str(file), users=len(terms.users))

    def _read(self, file: Path) -> Terms:
        """What is looked at is noted before it is read, so a change in between is seen later."""
        before = _mark(file)
        self._seen = _signature(self._watched)
        said = read_web_file(file)
        self._watched = (file, *_files(said))
        self._seen = (before, *_signature(self._watched[1:]))
        tls = said.tls_server_config
        hsts = said.http_server_config.headers.hsts
        return Terms(
            context=None if tls is None else context_of(tls),
            users={name: hash_.get_secret_value() for name, hash_ in said.basic_auth_users.items()},
            headers={"Strict-Transport-Security": hsts} if hsts else {},
        )


def _files(said: WebFile) -> tuple[Path, ...]:
    tls = said.tls_server_config
    if tls is None:
        return ()
    return tuple(path for path in (tls.cert_file, tls.key_file, tls.client_ca_file) if path)


def _signature(paths: tuple[Path, ...]) -> _Signature:
    return tuple(_mark(path) for path in paths)


def _mark(path: Path) -> tuple[str, int, int, int]:
    """A volume of Kubernetes changes by another link: then the number of the file is another."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino
