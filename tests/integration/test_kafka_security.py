"""Logging in to a real broker over SASL, and being refused."""

import base64
import contextlib
import json
import time

import pytest
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

from service.ingest.kafka.source import KafkaSource
from service.kafka.security import KafkaSecurity
from service.values.records import Partition
from tests.integration.parts.kafka_broker import KafkaBroker
from tests.integration.parts.ports import free_port
from tests.integration.parts.topics import create_topic, send
from tests.integration.test_kafka_source import flowing, parameters, values
from tests.unit.ingest.sources.suite import chunks_until, rows

MODULE = "org.apache.kafka.common.security"
LOGINS = {
    "plain": f'{MODULE}.plain.PlainLoginModule required user_watch="secret";',
    "scram-sha-256": f"{MODULE}.scram.ScramLoginModule required;",
    "scram-sha-512": f"{MODULE}.scram.ScramLoginModule required;",
    "oauthbearer": (
        f"{MODULE}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";'
    ),
}


class SecuredBroker:
    """A broker with a second listener that wants a login."""

    def __init__(self):
        self.broker = KafkaBroker()
        self.port, controller = free_port(), free_port()
        plain = f"PLAINTEXT://127.0.0.1:{self.broker.port},SASL://127.0.0.1:{self.port}"
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT"
        self.broker._settings |= {
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{plain},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": plain,
            "listener.security.protocol.map": protocols,
            "listener.name.sasl.sasl.enabled.mechanisms": ",".join(LOGINS).upper(),
            **{f"listener.name.sasl.{m}.sasl.jaas.config": login for m, login in LOGINS.items()},
        }

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def secured():
    secured = SecuredBroker()
    with secured.broker as broker, KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            login = UserScramCredentialUpsertion("watch", mechanism, "secret", iterations=4096)
            admin.alter_user_scram_credentials([login])
        yield secured


def unsecured_token(**claims):
    """A token without a signature, as a broker for tests accepts it."""
    parts = ({"alg": "none"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
    return ".".join(encoded) + "."


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"])
def test_records_arrive_after_a_login(secured, tmp_path, mechanism):
    name = create_topic(secured.broker.bootstrap)
    send(secured.broker.bootstrap, name, values(3))
    token = tmp_path / "token"
    token.write_text(unsecured_token(sub="watch", iat=time.time(), exp=time.time() + 600))
    by_token = mechanism == "OAUTHBEARER"
    security = KafkaSecurity(
        "SASL_PLAINTEXT",
        mechanism,
        username=None if by_token else "watch",
        password=None if by_token else "secret",
        token_file=str(token) if by_token else None,
    )
    source = KafkaSource(parameters(secured, name, security=security))
    with contextlib.closing(source):
        flowing(source)
        where = Partition(name, 0)
        assert rows(chunks_until(source, {where: 3}), where) == [0, 1, 2]


def test_a_wrong_password_is_waited_for_with_a_hint_in_the_log(secured, capsys):
    security = KafkaSecurity("SASL_PLAINTEXT", "PLAIN", username="watch", password="wrong")
    settings = parameters(secured, "any", security=security, connect_timeout_seconds=2.0)
    with contextlib.closing(KafkaSource(settings)) as source:
        assert source.poll(0.1).assigned == frozenset()
    assert "check kafka.security" in capsys.readouterr().out
