"""What people read of the registry, and how they name what is in it."""

import pytest
from rich.console import Console

from service.commands.registry_names import named_reference
from service.commands.registry_view import (
    as_documents,
    current_table,
    difference_document,
    difference_sentences,
    difference_table,
    history_table,
    published_words,
    shelves,
)
from service.errors import ConfigurationError
from service.monitor.references.difference import difference
from service.monitor.references.file import write
from service.registry.publishing import publish, roll_back
from service.registry.registry import Registry
from tests.unit.keyed_log_memory import KeyedLogMemory
from tests.unit.monitor.events import T0, reference, values

ONE, TWO = reference(seed=1), reference(seed=2)
ANY = reference(seed=3, version=None)


@pytest.fixture
def registry():
    log = KeyedLogMemory(2, "refs")
    log.now_seconds = T0
    found = Registry(log)
    for given, by in ((ONE, "ada"), (TWO, "eve"), (ANY, "ada")):
        publish(found, given, by=by, why="monthly")
        log.now_seconds += 3600.0
    return found


def printed(table):
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_the_list_tells_what_is_current_since_when_and_by_whom(registry):
    text = printed(current_table(shelves(registry, None)))
    assert TWO.hash[:12] in text
    assert ONE.hash[:12] not in text
    assert "2023-11-14 23:00" in text
    assert "eve" in text
    assert "any" in text
    assert shelves(registry, "nobody") == []


def test_the_history_tells_every_choice_with_its_reason(registry):
    roll_back(registry, "m", "1", to=None, by="bob", why="wrong month")
    text = printed(history_table(shelves(registry, "m")))
    assert f"{ONE.hash[:12]} current" in text
    assert "rolled back" in text
    assert "wrong month" in text
    any_version, own = as_documents(shelves(registry, "m"))
    assert any_version["version"] is None
    assert own["current"] == ONE.hash
    assert [one["action"] for one in own["history"]] == ["rolled back", "published", "published"]


def test_publishing_tells_what_it_did(registry):
    again = publish(registry, TWO, by="bob", why="")
    assert "is the current reference already, since 2023-11-14 23:00 UTC, by eve" in (
        published_words(TWO, again)
    )
    back = publish(registry, ONE, by="bob", why="")
    assert f"is current again; before it was {TWO.hash[:12]}" in published_words(ONE, back)


class TestNames:
    def test_a_file_is_a_file(self, tmp_path):
        path = tmp_path / "r.json"
        path.write_text(write(ONE))
        named = named_reference(str(path), None)
        assert (named.name, named.reference.hash) == ("r.json", ONE.hash)

    @pytest.mark.parametrize(
        ("text", "hash_", "name"),
        [
            ("m@1", TWO.hash, "m version 1"),
            (f"m@1:{ONE.hash[:7]}", ONE.hash, f"m version 1 ({ONE.hash[:12]})"),
            ("m@", ANY.hash, "m (any version)"),
        ],
    )
    def test_of_the_registry(self, registry, text, hash_, name):
        named = named_reference(text, registry)
        assert (named.reference.hash, named.name) == (hash_, name)

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("m", "neither a file nor MODEL@VERSION"),
            ("m@7", "it has m@, m@1"),
            ("mm@1", "did you mean m@"),
            ("nothing-like-it@1", "reference list"),
            ("m@1:zzz", TWO.hash[:12]),
        ],
    )
    def test_what_is_not_there_says_what_is(self, registry, text, hint):
        with pytest.raises(ConfigurationError, match=hint):
            named_reference(text, registry)


class TestDifferences:
    def of(self, shift):
        columns = {"x": values(7, 5000, shift), "y": values(8, 5000)}
        return reference(5000, inputs=columns, outputs=False)

    def test_in_one_sentence(self):
        found = difference(self.of(0.0), self.of(1.0))
        (sentence,) = difference_sentences(found, "v3", "v4")
        assert sentence.startswith("v4 has 1 stream with a PSI above 0.1 to v3: x 0.9")

    def test_those_that_hardly_differ_are_shown_on_request(self):
        found = difference(self.of(0.0), self.of(1.0))
        assert "y" not in printed(difference_table(found, everything=False)).split()
        text = printed(difference_table(found, everything=True))
        assert "y" in text.split()
        assert "+0.00" in text

    def test_of_streams_that_came_and_went(self):
        found = difference(ONE, self.of(0.0))
        text = " ".join(difference_sentences(found, "v3", "v4"))
        assert "Only v4 has y." in text
        assert "Only v3 has " in text

    def test_none_is_said_too(self):
        assert list(difference_sentences(difference(ONE, ONE), "a", "b")) == ["b is the same as a."]
        (sentence,) = difference_sentences(difference(ONE, TWO), "a", "b")
        assert sentence == "No stream of b has a PSI above 0.1 to a."

    def test_for_a_program(self):
        document = difference_document(difference(self.of(0.0), self.of(1.0)), "a", "b")
        assert document["streams"][0]["name"] == "x"
        assert document["streams"][0]["shift_sd"] == pytest.approx(1.0, abs=0.1)
