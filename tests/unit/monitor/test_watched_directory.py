"""Reference files that come, change, break and go while the service runs."""

import os

import pytest

from service.errors import ConfigurationError
from service.monitor.references.file import write
from service.monitor.references.watched_directory import WatchedDirectory
from tests.unit.monitor.events import reference


@pytest.fixture
def put(tmp_path):
    clock = iter(range(1, 100))

    def write_file(name, text):
        (tmp_path / name).write_text(text)
        now = next(clock)
        os.utime(tmp_path / name, (now, now))

    return write_file


def test_a_file_that_comes_is_found_at_the_next_look(tmp_path, put):
    directory = WatchedDirectory(tmp_path)
    assert directory.find("m", "1") is None
    put("m.json", write(reference()))
    assert directory.look()
    assert directory.find("m", "1").hash == reference().hash
    assert not directory.look()


def test_a_file_that_changes_is_read_again(tmp_path, put):
    put("m.json", write(reference(seed=1)))
    directory = WatchedDirectory(tmp_path)
    put("m.json", write(reference(seed=2)))
    assert directory.look()
    assert directory.find("m", "1").hash == reference(seed=2).hash


def test_the_same_content_written_again_is_no_change(tmp_path, put):
    put("m.json", write(reference()))
    directory = WatchedDirectory(tmp_path)
    before = directory.find("m", "1")
    put("m.json", write(reference()))
    assert not directory.look()
    assert directory.find("m", "1") is before


def test_a_file_that_breaks_is_named_and_counted_once_and_the_last_good_one_stays(tmp_path, put):
    put("m.json", write(reference()))
    directory = WatchedDirectory(tmp_path)
    put("m.json", write(reference())[:500])
    assert not directory.look()
    assert not directory.look()
    assert directory.find("m", "1").hash == reference().hash
    assert list(directory.problems) == [str(tmp_path / "m.json")]
    assert directory.broken_total == 1
    put("m.json", write(reference(seed=2)))
    assert directory.look()
    assert not directory.problems
    assert directory.broken_total == 1


def test_a_second_file_for_the_same_version_is_named_and_the_first_one_stays(tmp_path, put):
    put("a.json", write(reference(seed=1)))
    directory = WatchedDirectory(tmp_path)
    put("b.json", write(reference(seed=2)))
    directory.look()
    assert directory.find("m", "1").hash == reference(seed=1).hash
    assert "keep one of them" in directory.problems[str(tmp_path / "b.json")]


def test_a_file_that_is_taken_away_is_given_no_more(tmp_path, put):
    put("m.json", write(reference()))
    put("any.json", write(reference(seed=2, version=None)))
    directory = WatchedDirectory(tmp_path)
    (tmp_path / "m.json").unlink()
    assert directory.look()
    assert directory.find("m", "1").hash == reference(seed=2, version=None).hash


def test_a_directory_that_is_taken_away_is_named_and_what_it_held_stays(tmp_path, put):
    place = tmp_path / "references"
    place.mkdir()
    (place / "m.json").write_text(write(reference()))
    directory = WatchedDirectory(place)
    (place / "m.json").unlink()
    place.rmdir()
    assert not directory.look()
    assert directory.find("m", "1").hash == reference().hash
    assert "is not there" in directory.problems[str(place)]


def test_when_it_is_opened_everything_has_to_be_sound(tmp_path, put):
    put("m.json", "{}")
    with pytest.raises(ConfigurationError, match=r"m\.json"):
        WatchedDirectory(tmp_path)
