"""References may be in a directory or in a topic, for all models or for some."""

from service.commands.check import _references
from service.composition.wiring import given_references
from service.values.streams import ModelKey
from tests.unit.monitor.events import reference


class Shelf:
    """A source of references that has one."""

    def __init__(self, *found):
        self.found = list(found)
        self.problems = {"a record": "is broken"}
        self.broken_total = 3

    def find(self, model, version):
        fitting = [r for r in self.found if (r.model, r.version) == (model, version)]
        return fitting[0] if fitting else None

    def of_model(self, model):
        return [r for r in self.found if r.model == model]

    def earlier(self, model, version):
        return iter(())

    def look(self):
        return True


def test_a_topic_is_named_where_a_directory_could_be(loaded, tmp_path):
    settings = loaded(
        f"reference: {{from: 'topic:a.b'}}\nmodels: {{x: {{reference: {{from: {tmp_path}}}}}}}\n"
    ).settings
    assert settings.reference.topic == "a.b"
    assert settings.reference.directory is None
    assert settings.for_model("x").reference.topic is None
    assert settings.for_model("x").reference.directory == tmp_path
    assert settings.reference_topics == {"a.b"}
    assert list(settings.reference_directories.values()) == [tmp_path]
    assert "those in topic a.b" in _references(settings)


def test_each_model_finds_its_reference_where_the_settings_say(loaded, tmp_path):
    asked = []
    in_topic = Shelf(reference(), reference(model="x"))

    def registry_of(topic):
        asked.append(topic)
        return in_topic

    settings = loaded(
        f"reference: {{from: 'topic:a.b'}}\nmodels: {{x: {{reference: {{from: {tmp_path}}}}}}}\n"
    ).settings
    given = given_references(settings, registry_of=registry_of)
    assert asked == ["a.b"]
    assert given(ModelKey("m", "1")).hash == reference().hash
    assert given(ModelKey("x", "1")) is None
    assert given.inherited(ModelKey("m", "2")).version == "2"
    assert given.problems == {"a record": "is broken"}
    assert given.broken_total == 3
    assert given.look()


def test_without_a_registry_nothing_is_given_from_a_topic(loaded):
    settings = loaded("reference: {from: 'topic:a.b'}").settings
    assert given_references(settings)(ModelKey("m", "1")) is None


def test_what_is_given_on_a_command_line_comes_first(loaded):
    settings = loaded("reference: {from: 'topic:a.b'}").settings
    mine = reference(seed=7)
    given = given_references(settings, [mine], lambda _: Shelf(reference()))
    assert given(ModelKey("m", "1")).hash == mine.hash
    assert [r.hash for r in given.of_model("m")] == [mine.hash]
