"""Clocks: whose time it is."""

import math

from service.clock import BrokerClock, ManualClock


def test_before_a_broker_answered_it_is_the_hosts_time():
    host = ManualClock(500.0)
    clock = BrokerClock(host)
    clock.heard(math.nan)
    host.sleep(10.0)
    assert clock.now() == 510.0


def test_a_host_that_is_an_hour_ahead_goes_by_the_brokers_clock():
    host = ManualClock(3600.0 + 1000.0)
    clock = BrokerClock(host)
    clock.heard(1000.0)
    host.sleep(7.0)
    assert (clock.now(), clock.monotonic()) == (1007.0, 4607.0)
    clock.heard(1006.5)
    assert clock.now() == 1006.5
