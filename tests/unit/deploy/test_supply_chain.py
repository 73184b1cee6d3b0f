"""What goes into the image is known by version and hash, and advisories about it are asked for."""

import json
import os
import re
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

import service

ROOT = Path(service.__file__).parent.parent
BIN = Path(sys.executable).parent


@contextmanager
def advisories(known):
    """A database as OSV is one: `known` are the advisories by name of a package."""

    class Database(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            found = [
                {
                    "id": id_,
                    "modified": "2026-01-01T00:00:00Z",
                    "summary": "a flaw",
                    "affected": [{"package": {"name": name, "ecosystem": "PyPI"}}],
                }
                for id_ in known.get(name, ())
            ]
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit(url, *arguments):
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [ROOT / ".ci/audit", BIN, *arguments],
        cwd=ROOT,
        env={**plain, "ANCHORWATCH_OSV_URL": url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_an_advisory_is_told_and_stops_who_asks_for_it():
    with advisories({"jinja2": ["GHSA-aaaa-bbbb-cccc"]}) as url:
        gate = audit(url, "--required")
    assert gate.returncode == 1
    assert re.search(r"jinja2 +\S+ +GHSA-aaaa-bbbb-cccc", gate.stderr)
    assert "make lock" in gate.stderr


def test_no_advisory_is_a_pass():
    with advisories({}) as url:
        passed = audit(url, "--required")
    assert passed.returncode == 0
    assert "none is known" in passed.stdout


def test_that_nobody_could_be_asked_is_never_taken_for_a_pass():
    gate, check = audit("http://127.0.0.1:9/", "--required"), audit("http://127.0.0.1:9/")
    assert (gate.returncode, check.returncode) == (1, 0)
    assert "NOT LOOKED FOR" in gate.stderr
    assert "NOT LOOKED FOR" in check.stderr


def test_the_bill_of_materials_has_all_that_is_pinned_and_its_hashes(tmp_path):
    """By the command of the Makefile, which also holds it against the schema of CycloneDX."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^sbom:.*\n\t@mkdir.*\n\t@((?:.*\\\n)*.*)$", makefile, re.MULTILINE)[1]
    out = tmp_path / "bill.json"
    command = recipe.replace("\\\n", " ").replace("$(BIN)", str(BIN))
    command = command.replace("dist/anchorwatch.cdx.json", str(out))
    subprocess.run(command, shell=True, cwd=ROOT, check=True, timeout=100)  # noqa: S602 - ours
    bill = json.loads(out.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "anchorwatch"
    found = {(part["name"], part["version"]) for part in bill["components"]}
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert found == set(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE))
    for part in bill["components"]:
        assert any(place.get("hashes") for place in part["externalReferences"]), part["name"]


def test_rules_of_security_are_checked_in_all_that_is_shipped():
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert ruff["select"] == ["ALL"]
    assert [code for code in ruff["ignore"] if re.fullmatch(r"S\d*", code)] == []
    shipped = [name for name, codes in ruff["per-file-ignores"].items() if "S101" in codes]
    assert shipped == ["tests/**"]


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import pickle\npickle.loads(b'')\n", "S301"),
        ("import subprocess\nsubprocess.run('ls', shell=True)\n", "S602"),
        ("import yaml\nyaml.load('', Loader=yaml.Loader)\n", "S506"),
        ("import hashlib\nhashlib.md5(b'')\n", "S324"),
        ("import ssl\nssl.create_default_context()\nssl._create_unverified_context()\n", "S323"),
    ],
)
def test_what_is_dangerous_does_not_pass_the_check(code, rule):
    as_file = ("--stdin-filename", "service/dangerous.py", "-")
    told = subprocess.run(
        [BIN / "ruff", "check", "--output-format", "concise", *as_file],
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1
    assert f" {rule} " in told.stdout
