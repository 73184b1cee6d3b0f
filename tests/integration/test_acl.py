"""Where nobody may do anything that was not granted, what `anchorwatch acl` prints is enough."""

import contextlib
import json
import shlex

import pytest
from click.testing import CliRunner
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import TopicAlreadyExistsError

from service.commands.acl import command as acl
from service.commands.replay import command as replay
from service.errors import ConfigurationError
from tests.integration.parts.service_process import ServiceProcess
from tests.integration.parts.topics import read, send
from tests.integration.test_kafka_security import SecuredBroker

TOPIC, PATTERNED, LETTERS = "ml.scores", "ml.batch.one", "anchorwatch.refused"
EVENT = {"model": "m", "version": "1", "features": {"x": 1.0}, "prediction": 0.5}


@pytest.fixture(scope="module")
def guarded():
    """A broker that refuses the user `watch` everything; who does not log in administers it."""
    guarded = SecuredBroker()
    guarded.broker._settings |= {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with guarded.broker, KafkaAdminClient(bootstrap_servers=guarded.broker.bootstrap) as admin:
        admin.create_topics([TOPIC, PATTERNED], wait_for_metadata=True)
        values = [json.dumps(EVENT).encode()] * 20 + [b"{broken"]
        send(guarded.broker.bootstrap, TOPIC, values)
        send(guarded.broker.bootstrap, PATTERNED, values[:5])
        yield guarded


def configuration(guarded, directory, *, user="watch", **kafka):
    secret = directory / "secret"
    secret.write_text("secret", "utf-8")
    mechanism = "PLAIN" if user == "watch" else "SCRAM-SHA-256"
    security = {"protocol": "SASL_PLAINTEXT", "mechanism": mechanism, "username": user}
    return {
        "kafka": {
            "bootstrap_servers": [guarded.bootstrap],
            "group": "watchers",
            "start": "earliest",
            "security": {**security, "password": f"${{file:{secret}}}"},
            **kafka,
        },
        "sources": [{"name": "scores", "topics": [TOPIC]}],
    }


@pytest.fixture
def service(guarded, tmp_path):
    service = ServiceProcess(tmp_path, configuration(guarded, tmp_path, dead_letters=LETTERS))
    yield service
    service.close()


def printed(config, *arguments):
    """The lines of the command."""
    result = CliRunner().invoke(acl, ["--config", str(config), "--format", "commands", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def do(guarded, line):
    """What the tools of Kafka would do for a line; an option that is not known here is an error."""
    tool, *words = shlex.split(line)
    flags = {word for word in ("--create", "--if-not-exists", "--add") if word in words}
    pairs = [word for word in words if word not in flags]
    said = list(zip(pairs[::2], pairs[1::2], strict=True))
    options = dict(said)
    assert options.pop("--bootstrap-server") == guarded.bootstrap
    assert options.pop("--command-config") == "admin.properties"
    with KafkaAdminClient(bootstrap_servers=guarded.broker.bootstrap) as admin:
        if tool == "kafka-topics":
            options.pop("--config")
            asked = {
                "configs": dict(word.split("=") for option, word in said if option == "--config"),
                "num_partitions": int(options.pop("--partitions", -1)),
                "replication_factor": int(options.pop("--replication-factor", -1)),
            }
            with contextlib.suppress(TopicAlreadyExistsError):  # --if-not-exists
                admin.create_topics({options.pop("--topic"): asked}, wait_for_metadata=True)
        else:
            assert (tool, flags) == ("kafka-acls", {"--add"})
            admin.create_acls(list(grants(said, options)))
    assert not options


_OPERATIONS = {"DescribeConfigs": "DESCRIBE_CONFIGS"}


def grants(said, options):
    del options["--operation"]
    principal = options.pop("--allow-principal")
    kind = options.pop("--resource-pattern-type", "literal")
    ((resource, name),) = [options.popitem()]
    pattern = ResourcePattern(
        ResourceType[resource.removeprefix("--").upper()],
        name,
        ACLResourcePatternType[kind.upper()],
    )
    for option, operation in said:
        if option == "--operation":
            allow = ACLPermissionType.ALLOW
            yield ACL(
                principal,
                "*",
                ACLOperation[_OPERATIONS.get(operation, operation.upper())],
                allow,
                pattern,
            )


def refused(service):
    """What the service says when it ends by itself."""
    service.start()
    code, log = service.ended()
    assert code == 78, log
    return log


def test_each_grant_is_missed_by_name_and_together_they_are_enough(guarded, service):
    of_topic, of_group, letters_topic, of_letters = printed(service.config)
    unread = f"Kafka does not let us read {TOPIC}: grant Describe and Read on it to the user watch"
    assert "does not let us join the group watchers: grant Read on it to" in refused(service)
    assert replay_refused(service.config, "--from", "earliest").startswith(unread)
    do(guarded, of_group)
    assert unread in refused(service)
    for line in (of_topic, letters_topic, of_letters):
        do(guarded, line)
    assert replayed(service.config, "--topic", TOPIC)["books"][0]["consumed"] == 21
    service.start()
    page = service.wait_for_records(21, TOPIC)
    assert page.by("records_rejected_total", "reason", topic=TOPIC) == {"malformed": 1}
    service.wait_for(lambda page: page.get("dead_letters_total") == 1)
    assert read(guarded.broker.bootstrap, LETTERS, 1) == [b"{broken"]
    assert service.process.terminate() == 0, service.log
    assert "commit_failed" not in service.log


def test_a_pattern_is_granted_by_its_beginning(guarded, tmp_path):
    config = tmp_path / "aw.yaml"
    tree = configuration(guarded, tmp_path)
    tree["sources"] = [{"name": "batch", "topics": {"pattern": r"ml\.batch\..*"}}]
    config.write_text(json.dumps(tree), "utf-8")
    assert "no topic matches the pattern" in replay_refused(config, "--from", "earliest")
    of_topics, of_group = printed(config)
    assert shlex.split(of_topics)[-4:] == [
        "--topic",
        "ml.batch.",
        "--resource-pattern-type",
        "prefixed",
    ]
    do(guarded, of_topics)
    do(guarded, of_group)
    assert replayed(config, "--from", "-1h")["books"][0]["consumed"] == 5
    service = ServiceProcess(tmp_path, tree, "by-pattern")
    try:
        service.start()
        service.wait_for_records(5, PATTERNED)
    finally:
        service.close()


def test_each_role_of_a_fleet_misses_its_grants_by_name_and_they_are_enough(guarded, tmp_path):
    worker, judge = (member(guarded, tmp_path, role) for role in ("worker", "judge"))
    try:
        assert "does not let us describe anchorwatch." in refused(worker)
        assert "grant Describe" in refused(judge)
        for service, role in ((worker, "worker"), (judge, "judge")):
            for line in printed(service.config, "--role", role):
                do(guarded, line)
            service.start()
        judge.wait_for(lambda page: page.get("predictions_total", model="m") == 20)
        for service in (judge, worker):
            assert service.process.terminate() == 0, service.log
            assert "own_topics_not_checked" not in service.log
    finally:
        for service in (worker, judge):
            service.close()


def member(guarded, directory, role):
    """A worker or a judge, each with a login of its own; `state.topics.create` changes nothing."""
    with KafkaAdminClient(bootstrap_servers=guarded.broker.bootstrap) as admin:
        mechanism = ScramMechanism.SCRAM_SHA_256
        login = UserScramCredentialUpsertion(role, mechanism, "secret", iterations=4096)
        admin.alter_user_scram_credentials([login])
    tree = configuration(guarded, directory, user=role, group="fleet")
    state = {"store": "topic", "topics": {"partitions": 2, "replication": 1}}
    return ServiceProcess(directory, {**tree, "role": role, "state": state}, role)


def replayed(config, *arguments):
    result = CliRunner().invoke(replay, ["--config", str(config), *arguments, "--json", "-"])
    assert result.exit_code == 0, f"{result.output}{result.exception}"
    return json.loads(result.stdout)


def replay_refused(config, *arguments):
    result = CliRunner().invoke(replay, ["--config", str(config), *arguments])
    assert isinstance(result.exception, ConfigurationError), result.output
    return str(result.exception)
