"""The directory store under kills at every step, full disks, other processes and bad rights."""

import errno
import os
import resource
import signal
import subprocess
import sys
import warnings

import pytest

from service.errors import CheckpointFailed, ConfigurationError, DirectoryInUse
from service.state.directory import (
    BROKEN,
    CURRENT,
    LOCK,
    NEW,
    PREVIOUS,
    PREVIOUS_NEW,
    DirectoryStore,
)

STEPS = ("open", "write", "fsync", "close", "link", "replace", "unlink")
FIRST, OLD, NEXT = ({"n": n, "filling": bytes(range(256)) * n} for n in (1, 2, 3))


def die_before_call(wanted):
    """Let this process be killed before its `wanted`-th system call; a write is torn halfway."""
    made = 0

    def dying(name, call):
        def step(*arguments, **keywords):
            nonlocal made
            made += 1
            if made == wanted:
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **keywords)

        return step

    for name in STEPS:
        setattr(os, name, dying(name, getattr(os, name)))


def killed_while_saving(path, tree, step):
    """Whether a child that saves `tree` died at its `step`-th call (else it had fewer)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside library threads
        child = os.fork()
    if child == 0:
        try:
            store = DirectoryStore(path)
            store.load()
            die_before_call(step)
            store.save(tree)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def store_with(path, *trees):
    store = DirectoryStore(path)
    store.load()
    for tree in trees:
        store.save(tree)
    return store


def loaded(path):
    store = DirectoryStore(path)
    try:
        return store.load()
    finally:
        store.close()


def names(path):
    return {entry.name for entry in path.iterdir()}


def test_the_bytes_are_on_the_disk_before_the_rename_and_the_rename_before_the_return(
    tmp_path, monkeypatch
):
    store = store_with(tmp_path, FIRST)
    steps = []

    def noting(name, call):
        def step(*arguments, **keywords):
            steps.append(name)
            return call(*arguments, **keywords)

        return step

    with monkeypatch.context() as patch:
        for name in ("write", "fsync", "link", "replace"):
            patch.setattr(os, name, noting(name, getattr(os, name)))
        store.save(OLD)
    assert steps == ["write", "fsync", "link", "replace", "replace", "fsync"]


@pytest.mark.parametrize("before", [(), (OLD,), (FIRST, OLD)], ids=["none", "one", "two"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_snapshot_whole(tmp_path, before):
    seen, step = [], 1
    while True:
        path = tmp_path / str(step)
        store_with(path, *before).close()
        if not killed_while_saving(path, NEXT, step):
            break
        found = loaded(path)
        assert (found is None and not before) or found.tree in (OLD, NEXT)
        assert found is None or found.fallbacks == 0
        assert not {NEW, PREVIOUS_NEW} & names(path)
        seen.append(found is not None and found.tree == NEXT)
        step += 1
    assert step > 8
    assert seen == sorted(seen)
    assert seen[-1]


def test_a_kill_at_any_step_leaves_a_whole_one_to_fall_back_to(tmp_path):
    step = 1
    while True:
        path = tmp_path / str(step)
        store_with(path, FIRST, OLD).close()
        died = killed_while_saving(path, NEXT, step)
        (path / CURRENT).unlink()
        (path / CURRENT).write_bytes(b"rotten")
        found = loaded(path)
        assert found.fallbacks == 1
        assert found.tree in (FIRST, OLD)
        if not died:
            break
        step += 1


def test_two_kills_in_a_row_at_any_steps_leave_a_whole_snapshot(tmp_path):
    for first in range(5, 12):
        for second in range(5, 12):
            path = tmp_path / f"{first}-{second}"
            store_with(path, FIRST, OLD).close()
            killed_while_saving(path, NEXT, first)
            killed_while_saving(path, NEXT, second)
            assert loaded(path).tree in (OLD, NEXT)
            store_with(path, FIRST).close()
            assert loaded(path).tree == FIRST
            assert names(path) == {LOCK, CURRENT, PREVIOUS}


def fails(error):
    def call(*_, **__):
        raise OSError(error, os.strerror(error))

    return call


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link", "replace"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_failing_call_fails_the_checkpoint_and_keeps_the_old(tmp_path, monkeypatch, call, error):
    store = store_with(tmp_path, FIRST, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails(error))
        with pytest.raises(CheckpointFailed, match=os.strerror(error)):
            store.save(NEXT)
    assert store.load().tree == OLD
    store.save(NEXT)
    store.close()
    assert loaded(tmp_path).tree == NEXT


def test_a_full_disk_fails_the_checkpoint_and_the_next_one_succeeds(tmp_path):
    store = store_with(tmp_path, FIRST, OLD)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(CheckpointFailed, match="make room"):
            store.save({"noise": os.urandom(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert NEW not in names(tmp_path)
    assert store.load().tree == OLD
    store.save(NEXT)
    assert store.load().tree == NEXT


def test_a_short_write_is_continued(tmp_path, monkeypatch):
    write = os.write
    store = store_with(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, bytes(data[:7])))
        store.save(NEXT)
    assert store.load().tree == NEXT


def test_a_second_process_is_refused_by_the_name_of_the_first(tmp_path):
    store = DirectoryStore(tmp_path)
    code = (
        "import sys; from pathlib import Path; from service.state.directory import DirectoryStore\n"
        "DirectoryStore(Path(sys.argv[1]))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    second = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert f"DirectoryInUse: {tmp_path} is in use by pid {os.getpid()} on " in second.stderr
    store.close()
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def test_one_process_cannot_own_a_directory_twice(tmp_path):
    store = DirectoryStore(tmp_path)
    with pytest.raises(DirectoryInUse):
        DirectoryStore(tmp_path)
    store.close()
    store.close()
    DirectoryStore(tmp_path).close()


def test_a_place_that_cannot_be_made_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Name a directory"):
        DirectoryStore(tmp_path / "file" / "state")


def test_a_broken_snapshot_is_kept_to_look_at(tmp_path):
    store = store_with(tmp_path, FIRST, OLD)
    (tmp_path / CURRENT).unlink()
    (tmp_path / CURRENT).write_bytes(b"rotten")
    store.load()
    assert (tmp_path / BROKEN).read_bytes() == b"rotten"


def test_saving_before_loading_never_moves_an_unread_snapshot_over_the_previous(tmp_path):
    store_with(tmp_path, FIRST, OLD).close()
    (tmp_path / CURRENT).unlink()
    (tmp_path / CURRENT).write_bytes(b"rotten")
    store = DirectoryStore(tmp_path)
    store.save(NEXT)
    (tmp_path / CURRENT).unlink()
    assert store.load().tree == FIRST


def test_snapshots_are_for_their_owner_alone(tmp_path):
    store_with(tmp_path / "state", FIRST).close()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state" / CURRENT).stat().st_mode & 0o077 == 0
