"""What every store promises; the directory and the memory store pass the same suite."""

from pathlib import Path

import numpy as np
import pytest

from service.errors import FormatTooNew, StateCorrupt
from service.state import snapshot
from service.state.directory import CURRENT, PREVIOUS, DirectoryStore
from service.state.memory import MemoryStore
from service.state.store import Store


class Directory:
    """A directory that stores are opened on one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> DirectoryStore:
        return DirectoryStore(self.path)

    def bytes_of(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def put(self, name: str, data: bytes | None) -> None:
        if data is None:
            (self.path / name).unlink()
        else:
            # a new file: writing in place would reach a hard link too
            (self.path / name).unlink(missing_ok=True)
            (self.path / name).write_bytes(data)


class Memory:
    """The same for the memory store."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def open(self) -> MemoryStore:
        return MemoryStore(self.files)

    def bytes_of(self, name: str) -> bytes:
        return self.files[name]

    def put(self, name: str, data: bytes | None) -> None:
        if data is None:
            del self.files[name]
        else:
            self.files[name] = data


@pytest.fixture(params=["directory", "memory"])
def place(request, tmp_path):
    return Directory(tmp_path / "state") if request.param == "directory" else Memory()


def reopen(place, store: Store) -> Store:
    store.close()
    return place.open()


def saved(place, *trees) -> Store:
    store = place.open()
    store.load()
    for tree in trees:
        store.save(tree)
    return reopen(place, store)


def test_a_new_place_holds_nothing(place):
    store = place.open()
    assert store.load() is None
    assert store.size_bytes == 0
    assert store.free_bytes > 0


def test_what_was_saved_last_is_loaded(place):
    store = saved(place, {"n": 1}, {"n": 2}, {"n": 3})
    loaded = store.load()
    assert loaded.tree == {"n": 3}
    assert (loaded.fallbacks, loaded.reason) == (0, "")
    assert store.size_bytes == len(snapshot.encode({"n": 3}))


def test_loading_twice_gives_the_same(place):
    store = saved(place, {"n": 1})
    assert store.load() == store.load()


def test_a_loaded_tree_shares_no_array_with_the_saved_one(place):
    counts = np.arange(3)
    store = place.open()
    store.save({"counts": counts})
    counts += 1
    assert store.load().tree["counts"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:50] + b"?" + data[51:]]
)
def test_a_broken_newest_falls_back_to_the_one_before(place, damage):
    store = saved(place, {"n": 1}, {"n": 2})
    place.put(CURRENT, damage(place.bytes_of(CURRENT)))
    loaded = store.load()
    assert loaded.tree == {"n": 1}
    assert loaded.fallbacks == 1
    assert CURRENT in loaded.reason


def test_a_vanished_newest_falls_back_to_the_one_before(place):
    store = saved(place, {"n": 1}, {"n": 2})
    place.put(CURRENT, None)
    loaded = store.load()
    assert (loaded.tree, loaded.fallbacks) == ({"n": 1}, 1)
    assert "missing" in loaded.reason


def test_a_broken_snapshot_never_pushes_out_the_whole_one_before(place):
    store = saved(place, {"n": 1}, {"n": 2})
    place.put(CURRENT, b"broken")
    assert store.load().tree == {"n": 1}
    store.save({"n": 3})
    place.put(CURRENT, b"broken again")
    assert reopen(place, store).load().tree == {"n": 1}


def test_after_a_fallback_saving_goes_on_as_ever(place):
    store = saved(place, {"n": 1}, {"n": 2})
    place.put(CURRENT, b"broken")
    store.load()
    store.save({"n": 3})
    store.save({"n": 4})
    loaded = reopen(place, store).load()
    assert (loaded.tree, loaded.fallbacks) == ({"n": 4}, 0)


def test_nothing_whole_is_an_error_that_names_both_and_what_to_do(place):
    store = saved(place, {"n": 1}, {"n": 2})
    place.put(CURRENT, b"broken")
    place.put(PREVIOUS, snapshot.encode({})[:-3])
    with pytest.raises(StateCorrupt, match=rf"{CURRENT}.*{PREVIOUS}.*start anew|Start anew"):
        store.load()
    with pytest.raises(StateCorrupt):
        reopen(place, store).load()


def test_an_only_snapshot_that_is_broken_is_an_error_not_an_empty_start(place):
    store = saved(place, {"n": 1})
    place.put(CURRENT, b"broken")
    with pytest.raises(StateCorrupt):
        store.load()


def test_a_newer_format_is_refused_although_an_older_one_is_there(place, monkeypatch):
    store = saved(place, {"n": 1})
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "FORMAT", 2)
        store.load()
        store.save({"n": 2})
    with pytest.raises(FormatTooNew):
        reopen(place, store).load()


def test_what_cannot_be_encoded_leaves_the_snapshot_alone(place):
    store = saved(place, {"n": 1})
    store.load()
    with pytest.raises(TypeError):
        store.save({"n": {2}})
    assert reopen(place, store).load().tree == {"n": 1}
