"""Which source's decoder a topic's records go to."""

import pytest

from config.sources import SourceSettings
from service.errors import ConfigurationError
from service.loops.routing import Router
from service.values.batches import Decoded
from service.values.records import Chunk, Partition


class Named:
    """A decoder that says by its books who it was: `applied` is its number."""

    def __init__(self, number):
        self.number = number

    def decode(self, chunk):
        return Decoded([], [], 0, self.number, 0, 0)


def router(*sources):
    settings = (SourceSettings.model_validate({"name": f"s{i}"} | s) for i, s in enumerate(sources))
    return Router((one, Named(number)) for number, one in enumerate(settings))


def chosen(made, topic):
    return made.decode(Chunk(Partition(topic, 3), [], 0)).applied


def test_a_topic_goes_to_the_source_that_names_it():
    made = router({"topics": ["a", "b"]}, {"topics": ["c"]})
    assert [chosen(made, topic) for topic in ("a", "c", "b", "a")] == [0, 1, 0, 0]


def test_a_pattern_has_to_match_the_whole_name():
    made = router({"topics": {"pattern": r"ml\..*"}}, {"topics": ["xml.a"]})
    assert [chosen(made, topic) for topic in ("ml.a", "xml.a")] == [0, 1]


def test_the_first_source_that_fits_is_taken():
    made = router({"topics": ["ml.a"]}, {"topics": {"pattern": r"ml\..*"}})
    assert [chosen(made, topic) for topic in ("ml.a", "ml.b")] == [0, 1]


def test_files_are_the_source_that_reads_files_whatever_their_names():
    assert chosen(router({"files": ["*.jsonl"]}), "/data/events.jsonl") == 0


def test_a_topic_of_no_source_is_a_named_error():
    with pytest.raises(ConfigurationError, match="'elsewhere'"):
        chosen(router({"topics": ["a"]}), "elsewhere")
