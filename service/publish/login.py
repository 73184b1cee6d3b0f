"""Basic auth against bcrypt hashes, which are slow on purpose: so a good login is remembered, and
few are looked at at once.
"""

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum, auto

import bcrypt
from starlette.concurrency import run_in_threadpool

CHECKS_MAX = 4
"""Logins that wait to be looked at; one at a time is. The rest is told to come back."""

_KNOWN_MAX = 200
_HEADER_CHARACTERS_MAX = 1024
_PASSWORD_BYTES_MAX = 72
"""bcrypt has never looked further."""

Users = Mapping[str, str]
"""The bcrypt hash of a password, by name."""


class Admission(Enum):
    """What became of a login."""

    WELCOME = auto()
    UNKNOWN = auto()
    CROWDED = auto()


class Logins:
    """Looks at logins, in the loop of the server.

    Of a good one only a MAC is kept, under a key that nobody else has: never a password.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._one = asyncio.Lock()
        self._waiting = 0

    async def admit(self, authorization: str, users: Users) -> Admission:
        """Whether the header names one of `users` with the right password. No header does not."""
        name, password = _parsed(authorization)
        if not name:
            return Admission.UNKNOWN
        hash_ = users.get(name, "")
        mark = self._mark(name, hash_, password)
        if mark in self._known:
            self._known.move_to_end(mark)
            return Admission.WELCOME
        if self._waiting >= CHECKS_MAX:
            return Admission.CROWDED
        self._waiting += 1
        try:
            async with self._one:
                fits = await run_in_threadpool(_fits, password, hash_ or _nobody(users))
        finally:
            self._waiting -= 1
        if not (fits and hash_):
            return Admission.UNKNOWN
        self._known[mark] = None
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return Admission.WELCOME

    def _mark(self, name: str, hash_: str, password: bytes) -> bytes:
        """Of name, hash and password together: a login ends when its hash is changed."""
        parts = b"".join(
            len(part).to_bytes(4) + part for part in (name.encode(), hash_.encode(), password)
        )
        return hmac.digest(self._key, parts, "sha256")


def _parsed(authorization: str) -> tuple[str, bytes]:
    """Name and password; two empty ones where the header is none of basic auth."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _HEADER_CHARACTERS_MAX:
        return "", b""
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else ("", b"")
    except (binascii.Error, UnicodeDecodeError):
        return "", b""


def _fits(password: bytes, hash_: str) -> bool:
    return bcrypt.checkpw(password[:_PASSWORD_BYTES_MAX], hash_.encode())


def _nobody(users: Users) -> str:
    """A hash that nothing fits and that takes as long as others, so that time tells no names."""
    cost = max((hash_[4:6] for hash_ in users.values()), default="10")
    return f"$2b${cost}$" + "." * 53
