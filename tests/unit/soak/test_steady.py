"""What a trend says of samples: a slope that is none, one that is, descriptors that are lost."""

from tests.soak.steady import MIB, Sample, trend


def samples(growth_mib_an_hour=0.0, descriptors=lambda _: 20, threads=lambda _: 8):
    """Two hours, every ten seconds, with the noise of an allocator."""
    return [
        Sample(
            at,
            int((100 + growth_mib_an_hour * at / 3600 + 0.2 * (at // 10 % 3)) * MIB),
            descriptors(at),
            threads(at),
        )
        for at in range(0, 7200, 10)
    ]


def test_what_only_wobbles_is_steady():
    told = trend("worker", samples())
    assert told.is_steady
    assert abs(told.slope_mib_an_hour) < 0.1
    assert told.descriptors == (20, 20)


def test_what_grows_by_more_than_a_mebibyte_an_hour_is_not():
    told = trend("worker", samples(growth_mib_an_hour=1.5))
    assert not told.is_steady
    assert round(told.slope_mib_an_hour, 1) == 1.5
    assert "NO" in str(told)


def test_what_grows_before_the_warm_up_is_over_does_not_count():
    early = [s._replace(resident_bytes=s.resident_bytes // 2) for s in samples()[:100]]
    assert trend("worker", early + samples()[100:]).is_steady


def test_descriptors_and_threads_that_are_lost_one_by_one_are_seen():
    assert not trend("judge", samples(descriptors=lambda at: 20 + at // 1000)).is_steady
    assert not trend("judge", samples(threads=lambda at: 8 + at // 3600)).is_steady


def test_a_thread_that_is_there_for_a_moment_is_no_loss():
    assert trend("judge", samples(threads=lambda at: 8 + (at == 7000))).is_steady
