"""Secrets that the service is given are in nothing that it writes, shows or serves."""

import base64
import contextlib
import http.client
import json
import subprocess
import sys
import time

import bcrypt
import pytest
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

from tests.integration.parts import events
from tests.integration.parts.topics import create_topic
from tests.integration.parts.watched_topic import send
from tests.integration.test_kafka_security import SecuredBroker

BROKER = "planted-Broker-7f3a"
WRONG = "planted-Wrong-91c4"
LOGIN = "planted-Login-55d0"
HASH = bcrypt.hashpw(LOGIN.encode(), bcrypt.gensalt(6)).decode()
BASIC = base64.b64encode(f"people:{LOGIN}".encode()).decode()
SECRETS = [BROKER, WRONG, LOGIN, HASH, HASH[-31:], BASIC]
MECHANISM = "SCRAM-SHA-256"
PATHS = ("/", "/metrics", "/api/v1/status", "/livez", "/readyz", "/nope", "/?model=nope")
HOURS = 3600.0


@pytest.fixture(scope="module")
def secured():
    secured = SecuredBroker()
    with secured.broker as broker, KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        login = UserScramCredentialUpsertion(
            "watch", ScramMechanism.SCRAM_SHA_256, BROKER, iterations=4096
        )
        admin.alter_user_scram_credentials([login])
        yield secured


def answers(service, authorization):
    """All that the service serves to one reader."""
    told = []
    for path in PATHS:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        with contextlib.suppress(OSError):
            connection.request("GET", path, headers={"Authorization": authorization})
            answer = connection.getresponse()
            told.append(f"{answer.headers}{answer.read().decode()}")
        connection.close()
    return told


def commands(service):
    """What the commands print that read the configuration."""
    told = []
    for command in (["check"], ["config", "show"], ["config", "show", "--origin"], ["acl"]):
        done = subprocess.run(
            [sys.executable, "-m", "service", *command, "--config", str(service.config)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        told.append(done.stdout + done.stderr)
    return told


def planted_in(texts):
    return [(secret, text[:2000]) for text in texts for secret in SECRETS if secret in text]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_is_in_no_log_page_metric_command_or_state(secured, service_on, tmp_path, form):
    password, web = tmp_path / "password", tmp_path / "web.json"
    web.write_text(json.dumps({"basic_auth_users": {"people": HASH}}))
    name = create_topic(secured.broker.bootstrap, events.PARTITIONS, retention_ms="-1")
    send(secured.broker.bootstrap, name, events.synthetic_events(600, 1 * HOURS, seed=12))
    security = {
        "protocol": "SASL_PLAINTEXT",
        "mechanism": MECHANISM,
        "username": "watch",
        "password": f"${{file:{password}}}",
    }
    service = service_on(
        secured.bootstrap,
        name,
        kafka={"security": security, "dead_letters": create_topic(secured.broker.bootstrap)},
        log={"format": form, "level": "debug"},
        web={"config_file": str(web)},
    )
    password.write_text(WRONG)
    service.start()
    deadline = time.monotonic() + 60
    while "check kafka.security" not in service.log and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "check kafka.security" in service.log  # the broker refused it, and that was told
    refused = answers(service, f"Basic {BASIC}")
    service.process.terminate()

    password.write_text(BROKER)
    service.start()
    deadline = time.monotonic() + 60
    served = []
    while "anchorwatch_predictions_total{" not in "".join(served) and time.monotonic() < deadline:
        time.sleep(0.5)
        served = answers(service, f"Basic {BASIC}")
    assert "anchorwatch_predictions_total{" in "".join(served)
    guesser = answers(service, f"Basic {base64.b64encode(WRONG.encode()).decode()}")
    web.write_text(json.dumps({"basic_auth_users": {"people": LOGIN}}))  # in place of its hash
    time.sleep(1.2)
    served += answers(service, f"Basic {BASIC}")
    assert "web_config_refused" in service.log
    told = commands(service)
    assert any("must be a bcrypt hash" in text for text in told)
    service.process.terminate()
    kept = [
        path.read_bytes().decode("latin-1") for path in service.state.rglob("*") if path.is_file()
    ]
    assert kept
    assert planted_in([service.log, *refused, *served, *guesser, *told, *kept]) == []
