"""The backtest report in a real browser, opened from the disk as somebody would who was sent it."""

import re
import subprocess

import pytest

from service.publish.backtest_page import backtest_page
from service.values.streams import Kind, ModelKey, StreamKey
from tests.integration.test_status_page import BROWSER, _pixels
from tests.unit.publish.backtests import believable

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def browse(tmp_path):
    """Opens a report from a file; returns what the browser wrote and what its console said."""

    def run(page, *options):
        path = tmp_path / "report of mine.html"
        path.write_bytes(page)
        arguments = [*BROWSER, f"--user-data-dir={tmp_path / 'profile'}", *options, path.as_uri()]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return run


def test_it_opens_from_the_disk_and_its_policy_blocks_nothing_of_it(browse):
    dom, console = browse(backtest_page(believable()), "--dump-dom")
    assert console == []
    assert "you would have been paged once" in dom
    assert dom.count('role="img"') == len(re.findall(r"<svg[^>]*role=\"img\"", dom)) > 5


def test_a_policy_that_does_not_know_the_style_would_be_told(browse):
    """Else the test before proved nothing: the browser does report what it blocks."""
    page = backtest_page(believable()).replace(b"<style>:root {", b"<style> :root {")
    _, console = browse(page, "--dump-dom")
    assert any("Content Security Policy" in line for line in console)


def test_a_hostile_name_is_shown_and_not_run(browse):
    stream = StreamKey(Kind.INPUT, HOSTILE)
    page = backtest_page(believable(model=ModelKey(HOSTILE, HOSTILE), stream=stream, words=HOSTILE))
    dom, console = browse(page, "--dump-dom")
    assert console == []
    assert "owned</title>" not in dom
    assert "<img" not in dom


@pytest.mark.parametrize("options", [(), ("--blink-settings=preferredColorScheme=0",)])
def test_the_pictures_are_drawn_in_their_colours(browse, tmp_path, options):
    picture = tmp_path / "page.png"
    size = "--window-size=900,760"
    browse(backtest_page(believable()), size, f"--screenshot={picture}", *options)
    width, height, colours = _pixels(picture.read_bytes())
    assert (width, height) == (900, 760)
    dark = bool(options)
    events, episode = (0x4F6A7C, 0xFF8A3D) if dark else (0x9FB6C6, 0xD55E00)
    assert ((0x10, 0x16, 0x1C) in colours) == dark
    assert {_rgb(events), _rgb(episode)} <= colours


def _rgb(number):
    return tuple(number.to_bytes(3, "big"))
