"""A Secret for `web.config_file`: TLS by a certificate of its own, and one login."""

import subprocess
from pathlib import Path

import bcrypt

USER, PASSWORD = "prometheus", "of the scrape"


def certificate(directory: Path) -> tuple[str, str]:
    """A certificate that signs itself, and its key, as PEM."""
    files = {name: directory / name for name in ("certificate", "key")}
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
    names = ["-subj", "/CN=anchorwatch", "-addext", "subjectAltName=DNS:anchorwatch"]
    out = ["-keyout", str(files["key"]), "-out", str(files["certificate"])]
    subprocess.run([*command.split(), *names, *out], check=True, capture_output=True)
    return files["certificate"].read_text("utf-8"), files["key"].read_text("utf-8")


def web_secret(directory: Path) -> dict[str, str]:
    """The files of the Secret; `web.yml` names the others beside it."""
    signed, key = certificate(directory)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    web = (
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"
        f"basic_auth_users: {{{USER}: '{hashed}'}}\n"
    )
    return {"web.yml": web, "tls.crt": signed, "tls.key": key}
