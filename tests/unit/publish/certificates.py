"""Authorities and certificates for tests, made by OpenSSL; they hold for a day."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Identity(NamedTuple):
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Signs certificates, for 127.0.0.1 and localhost; its own is `certificate`."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name = directory, name
        self.certificate, self._key = directory / f"{name}.pem", directory / f"{name}.key"
        itself = ("-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate)
        _openssl("req", "-x509", *_KEY, "-days", 1, *itself)

    def issue(self, name):
        """A new certificate for `name`."""
        certificate = self.directory / f"{self.name}-{name}.pem"
        key, request = certificate.with_suffix(".key"), certificate.with_suffix(".csr")
        extensions = certificate.with_suffix(".ext")
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signed_by = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial")
        asked = ("-days", 1, "-in", request, "-extfile", extensions)
        _openssl("x509", "-req", *asked, *signed_by, "-out", certificate)
        return Identity(certificate, key)


def with_password(key, locked):
    """The key in another file, which a password opens."""
    _openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked)
    return locked


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
