"""`anchorwatch replay` of topics as typed: what excludes what, and what is said of what came."""

import click
import pytest
from click.testing import CliRunner

from service.commands.replay import command
from service.commands.replay_topics import Recording, as_typed_again, gaps, what_was_read
from service.errors import ConfigurationError
from service.ingest.kafka.client import KafkaParameters
from service.kafka.connection import KafkaConnection
from service.values.backtests import TopicRange


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "what is to be replayed?"),
        (("a.jsonl", "--topic", "t"), "exclude each other"),
        (("a.jsonl", "--from", "-7d"), "exclude each other"),
        (("--topic", "t", "--model", "m"), "--model is about the columns of a table"),
        (("--topic", "t", "--time", "at"), "they need --model"),
        (("--topic", "t", "--from", "yesterday"), "'yesterday' is none of: a time"),
        (("--topic", "t", "--from", "-1d", "--to", "-2d"), "'-2d' is before '-1d' of --from"),
    ],
)
def test_options_that_do_not_fit_together_are_named(arguments, message):
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())


def test_from_alone_needs_a_source_with_topics():
    result = CliRunner().invoke(command, ["--from", "-7d"])
    assert isinstance(result.exception, ConfigurationError)
    assert "no source of the configuration has topics" in str(result.exception)


def test_a_source_that_is_not_there_is_named_before_anything_is_read():
    result = CliRunner().invoke(command, ["--topic", "t", "--source", "s"])
    assert "there is no source 's'" in str(result.exception)


def test_what_was_read_and_what_is_deleted_are_told_by_topic():
    ranges = (
        TopicRange("a", 0, 100, 110, missing=100),
        TopicRange("a", 1, 7, 7, missing=2),
        TopicRange("b", 0, 5, 6, None, 1_700_000_000.0, 1_700_003_600.0),
        TopicRange("b", 1, 9, 9, None, 1_700_000_000.0),
    )
    assert list(what_was_read(ranges)) == [
        "Read of topic a: 10 offsets, by partition 0 (100 to 109), 1 (none).",
        "Read of topic b: 1 offset, by partition 0 (5 to 5), 1 (none).",
    ]
    counted, by_time = gaps(ranges)
    assert counted == (
        "Missing of topic a: 102 records that were asked for are deleted (retention), by partition "
        "0 (100), 1 (2)."
    )
    assert by_time == (
        "Missing of topic b: its log begins later than 2023-11-14 22:13 UTC, what was before is "
        "deleted (retention): partition 0 begins 2023-11-14 23:13 UTC, 1 begins nowhere, it holds "
        "nothing."
    )
    assert list(gaps(ranges[:0])) == list(what_was_read(())) == []


def test_the_command_to_do_it_again_names_the_offsets_of_its_topic():
    def typed(*ranges):
        with click.Context(command, info_name="replay") as context:
            command.parse_args(context, ["--from", "-7d", "--json", "-"])
            return as_typed_again(
                context, Recording(KafkaParameters(KafkaConnection(("b:1",)), "g"), ranges)
            )

    one = typed(TopicRange("t", 0, 3, 9), TopicRange("t", 2, 0, 4))
    assert one == "anchorwatch replay --topic t --from 0:3,2:0 --to 0:9,2:4 --json -"
    assert typed(TopicRange("t", 0, 3, 9), TopicRange("u", 0, 0, 4)).endswith("--from -7d --json -")
