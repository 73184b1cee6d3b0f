"""Places of a mapping: what they read, and how a wrong one is told."""

import pytest

from service.errors import ConfigurationError
from service.ingest.decode.where import Envelope, Origin, compile_where
from service.values.records import Record

RECORD = Record(7, 12.5, b"", key=b"k1", headers=(("h", b"old"), ("h", b"new"), ("e", None)))
VALUE = {
    "a": {"b": [10, {"c": "deep"}], "d.e": 5},
    "null": None,
    "0": "zero",
    "flag": True,
    "n": 3.0,
}
ORIGIN = Origin(
    "source 's'.x", topic_pattern=r"^t-(?P<env>\w+)$", path_pattern=r"/(?P<day>\d+)/", row=True
)


def read(*expressions: str, topic: str = "t-prod"):
    return compile_where(expressions, ORIGIN)(Envelope(VALUE, RECORD, topic, row=4))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("value", VALUE),
        ("value.flag", True),
        ("value.null", None),
        ("value.gone", None),
        ("value.0", "zero"),
        ("value.a.b.0", 10),
        ("value.a.b.1.c", "deep"),
        ("value.a.b.9", None),
        ("value.a.b.x", None),
        ("value.flag.x", None),
        ('value.a."d.e"', 5),
        ("header.h", "new"),
        ("header.e", None),
        ("header.gone", None),
        ("key", "k1"),
        ("topic.env", "prod"),
        ("record.timestamp", 12.5),
        ('"a constant"', "a constant"),
        ('""', ""),
        ("{topic.env}/{value.n}#{row}", "prod/3#4"),
        ("{header.gone}/{value.n}", None),
        ("{value.a}", None),
        ("x{value.flag}y", "xtruey"),
    ],
)
def test_a_place_reads_what_is_there(expression, found):
    assert read(expression) == found


def test_the_first_place_that_is_there_counts():
    assert read("value.gone", "value.null", "header.h", '"x"') == "new"
    assert read("value.gone", '"x"') == "x"
    assert read("value.gone", "header.gone") is None


def test_groups_are_of_the_topic_or_the_path():
    assert read("topic.env", topic="other") is None
    greedy = ORIGIN._replace(topic_pattern="(?P<model>.+?)")
    read_model = compile_where(("topic.model",), greedy)
    assert read_model(Envelope(VALUE, RECORD, "churn")) == "churn"
    assert read("path.day", topic="/data/20261123/x.jsonl") == "20261123"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("values.a", "no such place"),
        ("", "no such place"),
        ("header.", "no such place"),
        ("record.offset", "no such place"),
        ("value.", "at position 5"),
        ("value.a..b", "at position 7"),
        ('value."a', "at position 5"),
        ('"open', "a constant ends with its second quote at position 5"),
        ('"a"b', "a constant ends with its second quote at position 3"),
        ("topic.nope", "no group 'nope' (there are: env) at position 6"),
        ("path.", "no group ''"),
        ("{value.a", "a '{' without its pair at position 0"),
        ("value.a}", "a '}' without its pair at position 7"),
        ("{nope}", "'nope': no such place"),
    ],
)
def test_a_wrong_place_is_a_configuration_error_with_its_position(expression, problem):
    with pytest.raises(ConfigurationError) as error:
        read(expression)
    assert problem in str(error.value)
    assert str(error.value).startswith("source 's'.x: ")


def test_row_is_a_place_only_where_rows_are():
    with pytest.raises(ConfigurationError):
        compile_where(("row",), ORIGIN._replace(row=False))
