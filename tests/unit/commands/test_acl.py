"""`anchorwatch acl`: what to ask the Kafka team for, and what no grant can mean."""

import itertools
import shlex

import pytest
from click.testing import CliRunner

from service.commands.acl import command
from service.commands.acl_prefixes import Beginning, Rest, beginnings
from service.errors import ConfigurationError

CONFIG = """
kafka:
  bootstrap_servers: [one:9092, two:9092]
  group: watchers
  dead_letters: anchorwatch.refused
sources:
  - {name: scores, topics: [ml.scores, ml.more]}
  - {name: again, topics: ml.scores, drop_if: {header.test: present}}
  - {name: all, topics: {pattern: 'ml\\.predictions\\.(?P<model>.+)'}}
"""
SERVERS = "--bootstrap-server one:9092,two:9092"


@pytest.fixture
def acl(tmp_path):
    def run(config, *arguments):
        file = tmp_path / "aw.yaml"
        file.write_text(config, "utf-8")
        return CliRunner().invoke(command, ["--config", str(file), *arguments])

    return run


def test_the_lines_are_all_that_is_used_and_nothing_else(acl):
    result = acl(CONFIG, "--principal", "User:svc drift", "--format", "commands")
    who = "--add --allow-principal 'User:svc drift'"
    both = "--operation Read --operation Describe"
    prefixed = "--resource-pattern-type prefixed"
    create, kept = "--create --if-not-exists --topic", "--config retention.ms=1209600000"
    assert result.output.splitlines() == [
        f"kafka-acls {SERVERS} {who} {both} --topic ml.scores",
        f"kafka-acls {SERVERS} {who} {both} --topic ml.more",
        f"kafka-acls {SERVERS} {who} {both} --topic ml.predictions. {prefixed}",
        f"kafka-acls {SERVERS} {who} --operation Read --group watchers",
        f"kafka-topics {SERVERS} {create} anchorwatch.refused {kept}",
        f"kafka-acls {SERVERS} {who} --operation Write --topic anchorwatch.refused",
    ]


def test_the_text_says_why_and_holds_the_same_lines(acl):
    text = acl(CONFIG).output
    lines = [line.strip() for line in text.splitlines() if line.startswith("    kafka-")]
    assert lines == acl(CONFIG, "--format", "commands").output.splitlines()
    assert "Source scores, again: to learn the partitions of ml.scores" in text
    assert "every topic whose name begins with ml.predictions., which is what it matches" in text
    assert "Without a login (kafka.security) everybody is that user." in text


def test_without_dead_letters_nothing_is_written(acl):
    plain = CONFIG.replace("  dead_letters: anchorwatch.refused\n", "")
    assert "Write" not in acl(plain).output
    assert "kafka-topics" not in acl(plain).output


FLEET = """
role: worker
state: {store: topic, topics: {partitions: 4, replication: 2}}
sources: [{name: scores, topics: [ml.scores]}]
"""


def granted(result):
    """The operations on each resource."""
    lines = [shlex.split(line) for line in result.output.splitlines()]
    return {
        line[-1]: [word for option, word in itertools.pairwise(line) if option == "--operation"]
        for line in lines
        if line[0] == "kafka-acls"
    }


def test_a_fleet_asks_for_its_own_topics_as_they_have_to_be_made(acl):
    lines = acl(FLEET, "--format", "commands").output.splitlines()
    made = [line for line in lines if line.startswith("kafka-topics")]
    names = ("state", "panes", "references", "episodes")
    assert len(made) == len(names)
    for line, name in zip(made, names, strict=True):
        assert f"--create --if-not-exists --topic anchorwatch.{name} --partitions" in line
        assert "--replication-factor 2 --config cleanup.policy=" in line
    assert "--partitions 4 " in made[0]
    assert "cleanup.policy=compact" in made[0]
    assert "--partitions 4 " in made[1]
    assert "retention.ms=172800000" in made[1]


def test_each_role_of_a_fleet_is_granted_what_it_does_and_both_what_either_does(acl):
    read, write, seen = "Read", "Write", "DescribeConfigs"
    assert granted(acl(FLEET, "--role", "worker", "--format", "commands")) == {
        "ml.scores": [read, "Describe"],
        "anchorwatch": [read],
        "anchorwatch.state": [read, write, seen],
        "anchorwatch.panes": [write, seen],
        "anchorwatch.references": [read, seen],
    }
    assert granted(acl(FLEET, "--role", "judge", "--format", "commands")) == {
        "ml.scores": ["Describe"],
        "anchorwatch.state": [read, write, seen],
        "anchorwatch.panes": [read, seen],
        "anchorwatch.references": [read, write, seen],
        "anchorwatch.episodes": [read, write, seen],
    }
    assert granted(acl(FLEET, "--format", "commands")) == {
        "ml.scores": [read, "Describe"],
        "anchorwatch": [read],
        "anchorwatch.state": [read, write, seen],
        "anchorwatch.panes": [read, write, seen],
        "anchorwatch.references": [read, write, seen],
        "anchorwatch.episodes": [read, write, seen],
    }


def test_who_makes_the_topics_of_a_fleet_is_told(acl):
    text = acl(FLEET, "--role", "worker").output
    made = [line.split()[-1] for line in text.splitlines() if "--operation Create " in line]
    assert f"it makes {', '.join(made)} itself, where absent" in text
    created = (line for line in text.splitlines() if "kafka-topics" in line and "--create" in line)
    assert made == [shlex.split(line)[shlex.split(line).index("--topic") + 1] for line in created]
    not_made = FLEET.replace("partitions: 4", "create: false")
    for config in (CONFIG, not_made):
        text = acl(config).output
        assert "the service makes no topic" in text
        assert "--operation Create" not in text


def test_a_topic_of_references_of_one_process_is_made_by_it_too(acl):
    text = acl(CONFIG + "reference: {from: 'topic:refs'}\n").output
    assert "Of these topics it makes refs itself, where absent" in text
    assert "the service makes no topic" not in text


def test_one_process_may_read_references_and_keep_its_record_in_topics(acl):
    config = CONFIG + "reference: {from: 'topic:refs'}\nstate: {episodes: {topic: eps}}\n"
    found = granted(acl(config, "--format", "commands"))
    seen = "DescribeConfigs"
    assert (found["refs"], found["eps"]) == (["Read", seen], ["Read", "Write", seen])


def test_a_role_without_topics_for_its_state_is_refused(acl):
    result = acl(CONFIG, "--role", "judge")
    assert "set state.store to topic" in str(result.exception)


def test_the_principal_is_who_the_configuration_logs_in_as(acl):
    security = (
        "kafka:\n  security: {protocol: SASL_SSL, mechanism: PLAIN, username: u, password: p}"
    )
    lines = acl(CONFIG.replace("kafka:", security), "--format", "commands").output.splitlines()
    words = [shlex.split(line) for line in lines]
    assert all("User:u" in line for line in words if line[0] == "kafka-acls")
    assert all(line[3:5] == ["--command-config", "admin.properties"] for line in words)
    tls = "kafka:\n  security: {protocol: SSL, certificate_file: c.pem, key_file: k.pem}"
    assert "say it by --principal 'User:CN=...'" in acl(CONFIG.replace("kafka:", tls)).output


def test_secrets_need_not_be_at_hand_but_all_else_has_to_be_sound(acl):
    absent = "password: '${file:/nowhere/secret}', username: u"
    security = f"kafka:\n  security: {{protocol: SASL_SSL, mechanism: PLAIN, {absent}}}"
    result = acl(CONFIG.replace("kafka:", security), "--format", "commands")
    assert result.exit_code == 0, result.exception
    assert "User:u" in result.output
    result = acl(CONFIG.replace("kafka:", security.replace("PLAIN", "PLAN")))
    assert "kafka.security.mechanism" in str(result.exception)


def test_a_pattern_that_no_grant_can_mean_is_said_in_the_lines_as_a_comment(acl):
    config = "sources: [{name: s, topics: {pattern: '.*-scores'}}]"
    first = acl(config, "--format", "commands").output.splitlines()[0]
    assert first.startswith("# Source s: topics like .*-scores. A grant in Kafka means one topic")
    assert "no beginning in common" in acl(config).output


def test_a_grant_that_reaches_further_says_so_and_dots_are_told(acl):
    text = acl("sources: [{name: s, topics: {pattern: 'ml.scores.v[0-9]+'}}]").output
    assert "begins with ml. A grant in Kafka cannot be a regular expression; this one" in text
    assert r"written ml\.scores\.v[0-9]+ it would be ml.scores.v." in text


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"ml\.x\..*", {("ml.x.", Rest.ANYTHING)}),
        (r"ml\.x\.(?P<m>.+)", {("ml.x.", Rest.ANYTHING)}),
        (r"^ml-(.*)$", {("ml-", Rest.SOMETHING)}),
        (r"ml-.*-v1", {("ml-", Rest.SOMETHING)}),
        (r"ml\.scores", {("ml.scores", Rest.NOTHING)}),
        (r"(ml|dl)\.x", {("ml.x", Rest.NOTHING), ("dl.x", Rest.NOTHING)}),
        (r"abc|abd", {("abc", Rest.NOTHING), ("abd", Rest.NOTHING)}),
        (r"a(?:b)?c", {("ac", Rest.NOTHING), ("abc", Rest.NOTHING)}),
        (r"ab+c", {("ab", Rest.SOMETHING)}),
        (r"ab*", {("a", Rest.SOMETHING)}),
        (r"ab{2}", {("ab", Rest.SOMETHING)}),
        (r"a[0-9]", {("a", Rest.SOMETHING)}),
        (r"(?i)ml.*", {("", Rest.SOMETHING)}),
        (r"ml(?!x).*", {("ml", Rest.SOMETHING)}),
        (r".*", {("", Rest.ANYTHING)}),
    ],
)
def test_what_the_names_begin_with_is_read_from_the_pattern(pattern, found):
    assert set(beginnings(pattern)) == {Beginning(*one) for one in found}


def test_many_alternatives_are_cut_down_to_what_they_share():
    numbers = "|".join(f"n{n}" for n in range(30))
    assert beginnings(f"ml-(?:{numbers})") == (Beginning("ml-n", Rest.SOMETHING),)


def test_there_is_nothing_to_ask_for_without_topics(acl):
    result = acl("sources: [{name: s, files: a.jsonl}]")
    assert isinstance(result.exception, ConfigurationError)
    assert "no source of the configuration has topics" in str(result.exception)


def test_what_is_no_principal_is_refused(acl):
    assert "'anchorwatch' is no principal" in acl(CONFIG, "--principal", "anchorwatch").output
