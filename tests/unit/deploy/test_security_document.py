"""What `deploy/SECURITY.md` says is so."""

import re
from pathlib import Path

import service
from config.web_file import read_web_file
from service.publish import guard, listener, login, server

ROOT = Path(service.__file__).parent.parent
TEXT = (ROOT / "deploy/SECURITY.md").read_text("utf-8")


def test_the_file_in_it_is_understood(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "web.yaml").write_text(example)
    said = read_web_file(tmp_path / "web.yaml")
    assert said.tls_server_config.client_auth_type == "RequireAndVerifyClientCert"
    assert list(said.basic_auth_users) == ["prometheus"]


def test_the_bounds_in_it_are_those_of_the_server():
    assert f"{server.CONNECTIONS_MAX} connections, of which" in TEXT
    assert f"{server.REQUESTS_MAX} requests at once" in TEXT
    assert f"{listener.HANDSHAKE_SECONDS:.0f} s for a handshake" in TEXT
    assert f"{guard.ImpatientProtocol.request_seconds:.0f} s for a request" in TEXT
    assert f"{guard.ImpatientProtocol.answer_seconds:.0f} s to take the answer" in TEXT
    assert (login.CHECKS_MAX, "four wait" in TEXT) == (4, True)


def test_every_proof_that_it_names_is_there():
    named = re.findall(r"`((?:tests/)?[\w/]+\.py|tests/[\w/]+)`", TEXT)
    assert len(named) > 12
    known = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for name in named:
        assert (ROOT / name).exists() or name in known, name
