import asyncio
import base64
import time

import bcrypt
import pytest

from service.publish.login import CHECKS_MAX, Admission, Logins

PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
SLOW = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
USERS = {"prometheus": HASH}


def header(name="prometheus", password=PASSWORD):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def admit(authorization, users=USERS, logins=None):
    return asyncio.run((logins or Logins()).admit(authorization, users))


def test_a_name_with_its_password_is_welcome():
    assert admit(header()) is Admission.WELCOME
    assert admit(header().replace("Basic", "bAsIc")) is Admission.WELCOME


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"prometheus").decode(),
        "Basic " + base64.b64encode(b"\xff:x").decode(),
        "Basic " + "a" * 5000,
        "Bearer " + header().partition(" ")[2],
        header(password=""),
        header(password=PASSWORD + "x"),
        header(password=PASSWORD.upper()),
        header(name="someone"),
        header(name="", password=""),
        header(name="prometheus\x00"),
    ],
)
def test_whoever_has_not_got_both_is_unknown(authorization):
    assert admit(authorization) is Admission.UNKNOWN


def test_nobody_can_log_in_by_the_hash_or_as_nobody():
    assert admit(header(password=HASH)) is Admission.UNKNOWN
    assert admit(header(name="", password=PASSWORD), {}) is Admission.UNKNOWN


def test_a_password_beyond_what_bcrypt_looks_at_fits_as_it_does_elsewhere():
    long = "x" * 90
    hash_ = bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()
    assert admit(header(password=long), {"prometheus": hash_}) is Admission.WELCOME


def test_a_good_login_is_remembered_until_its_hash_changes():
    logins, users = Logins(), {"prometheus": SLOW}

    async def twice():
        began = time.perf_counter()
        assert await logins.admit(header(), users) is Admission.WELCOME
        first = time.perf_counter() - began
        began = time.perf_counter()
        assert await logins.admit(header(), users) is Admission.WELCOME
        assert time.perf_counter() - began < first / 4
        other = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
        assert await logins.admit(header(), {"prometheus": other}) is Admission.UNKNOWN
        assert await logins.admit(header(), {}) is Admission.UNKNOWN

    asyncio.run(twice())


def test_what_is_remembered_holds_no_password_and_has_a_bound():
    logins = Logins()

    async def many():
        for number in range(230):
            name = f"user-{number}"
            assert await logins.admit(header(name), {name: HASH}) is Admission.WELCOME

    asyncio.run(many())
    assert PASSWORD not in repr(vars(logins))
    assert len(logins._known) == 200


def test_guessers_are_turned_away_while_those_known_still_come_in():
    logins, users = Logins(), {"prometheus": SLOW}

    async def crowd():
        assert await logins.admit(header(), users) is Admission.WELCOME
        guesses = [
            asyncio.create_task(logins.admit(header(password=str(n)), users))
            for n in range(CHECKS_MAX + 3)
        ]
        await asyncio.sleep(0)
        assert await logins.admit(header(), users) is Admission.WELCOME
        answers = await asyncio.gather(*guesses)
        assert answers.count(Admission.CROWDED) == 3
        assert answers.count(Admission.UNKNOWN) == CHECKS_MAX

    asyncio.run(crowd())


def test_an_unknown_name_takes_as_much_work_as_a_known_one():
    def cheapest(name):
        def once():
            began = time.process_time()
            asyncio.run(Logins().admit(header(name, "wrong"), {"prometheus": SLOW}))
            return time.process_time() - began

        return min(once() for _ in range(3))

    assert cheapest("someone") > 0.5 * cheapest("prometheus")
