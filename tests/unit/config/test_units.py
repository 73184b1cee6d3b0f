import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10.0),
        ("1m", 60.0),
        ("24h", 86_400.0),
        ("30d", 2_592_000.0),
        ("2w", 1_209_600.0),
        ("1h30m", 5_400.0),
        ("1.5d", 129_600.0),
        ("0", 0.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_as_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "60", "1 h", "h", "-5m", "1y", "5M", "\u0661s", "1h-", "1e3s"]
)
def test_a_duration_without_a_known_unit_is_refused(text):
    with pytest.raises(ValueError, match="must be a duration with its unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0001, "0.0001s"),
        (0.5, "500ms"),
        (1.5, "1500ms"),
        (45.0, "45s"),
        (90.0, "90s"),
        (300.0, "5m"),
        (3600.0, "1h"),
        (86_400.0, "24h"),
        (2_592_000.0, "30d"),
    ],
)
def test_a_duration_is_written_as_people_say_it(seconds, text):
    assert format_duration(seconds) == text


@settings(deadline=None)
@given(st.integers(0, 10**11))
def test_a_written_duration_is_read_back_exactly(milliseconds):
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64kB", 64_000), ("1MiB", 1_048_576), ("1.5KiB", 1536), ("0", 0)],
)
def test_a_size_is_read_as_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1024", "1mib", "1M", "-1B", "1 MiB"])
def test_a_size_without_a_known_unit_is_refused(text):
    with pytest.raises(ValueError, match="must be a size with its unit"):
        parse_size(text)


def test_a_size_of_parts_of_a_byte_is_refused():
    with pytest.raises(ValueError, match="whole number of bytes"):
        parse_size("0.3B")


@settings(deadline=None)
@given(st.integers(0, 2**50))
def test_a_written_size_is_read_back_exactly(size):
    assert parse_size(format_size(size)) == size
