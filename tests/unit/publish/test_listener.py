import socket

import pytest

from service.publish.listener import Listener, listen


@pytest.fixture
def crowded():
    return []


@pytest.fixture
def door(crowded):
    with Listener(listen("127.0.0.1", 0), 3, lambda: crowded.append(1)) as door:
        yield door


def come(door):
    """One more: its own end, and the server's."""
    client = socket.create_connection(door.getsockname(), timeout=5)
    accepted, address = door.accept()
    assert address == client.getsockname()
    return client, accepted


def is_open(client):
    client.settimeout(0.05)
    try:
        return client.recv(1) != b""
    except TimeoutError:
        return True


def test_as_many_as_are_allowed_stay_open(door, crowded):
    pairs = [come(door) for _ in range(3)]
    assert [is_open(client) for client, _ in pairs] == [True] * 3
    assert crowded == []
    for end in (end for pair in pairs for end in pair):
        end.close()


def test_the_first_to_come_is_hung_up_on_for_a_new_one(door, crowded):
    pairs = [come(door) for _ in range(5)]
    assert [is_open(client) for client, _ in pairs] == [False, False, True, True, True]
    assert len(crowded) == 2
    for end in (end for pair in pairs for end in pair):
        end.close()


def test_who_left_makes_room(door, crowded):
    pairs = [come(door) for _ in range(3)]
    pairs[1][1].close()
    pairs[1][1].close()
    pairs.append(come(door))
    assert crowded == []
    assert is_open(pairs[0][0])
    pairs.append(come(door))
    assert not is_open(pairs[0][0])
    for end in (end for pair in pairs for end in pair):
        end.close()


def test_one_that_was_reset_is_no_hindrance(door, crowded):
    pairs = [come(door) for _ in range(3)]
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    pairs[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    pairs[0][0].close()
    pairs += [come(door) for _ in range(3)]
    assert len(crowded) == 3
    assert is_open(pairs[-1][0])
    for end in (end for pair in pairs for end in pair):
        end.close()
