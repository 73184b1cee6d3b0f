"""The status page in a real browser: it renders, refreshes, and nothing is blocked or run."""

import re
import struct
import subprocess
import zlib

import pytest

from service.clock import ManualClock, SystemClock
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from service.publish.server import Server
from tests.unit.publish import reports

BROWSER = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--window-size=640,480", "--enable-logging=stderr",
]  # fmt: skip


@pytest.fixture
def serve():
    servers = []

    def start(report):
        board = Board()
        board.publish(Exposition(collectors=()).render(report, "auto", 50_000), report)
        status = StatusPage(SystemClock(), lambda: 123_000_000)
        server = Server(board, lambda: None, status, host="127.0.0.1", port=0)
        server.start()
        servers.append(server)
        return board, f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        server.stop()


def browse(directory, url, *options):
    """Returns what the browser wrote, and what the page's console said."""
    done = subprocess.run(
        [*BROWSER, f"--user-data-dir={directory}", *options, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_browser_shows_the_page_and_its_policy_blocks_nothing(serve, tmp_path):
    _, url = serve(reports.believable())
    dom, console = browse(tmp_path, f"{url}/", "--dump-dom")
    assert console == []
    assert "4 of 6 models are watched." in dom
    assert "up 0.41 sd, PSI 0.31" in dom
    # The script ran: it alone makes the pause button visible.
    assert re.search(r'<button id="pause"[^>]*hidden', dom) is None


class Changing(StatusPage):
    """Shows another report from the second look on, which is more than a second later."""

    def __init__(self, board, later):
        self._time = ManualClock(reports.AT)
        super().__init__(self._time, lambda: 0)
        self._board, self._later = board, later

    def html(self, published, model, version):
        body = super().html(published, model, version)
        self._board.publish(published.page, self._later)
        self._time.time_seconds += 5
        return body


def test_the_page_refreshes_itself_in_place(serve, tmp_path):
    board, _ = serve(reports.fleet(1, 2))
    status = Changing(board, reports.believable())
    server = Server(board, lambda: None, status, host="127.0.0.1", port=0)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}/"
        dom, console = browse(tmp_path, url, "--dump-dom", "--virtual-time-budget=12000")
    finally:
        server.stop()
    assert console == []
    assert dom.count("<main") == 1
    assert "The one model is watched." not in dom
    assert "4 of 6 models are watched." in dom
    # A change of what needs attention is announced to a screen reader.
    assert re.search(r'id="announcement"[^>]*>4 of 6 models', dom)


def test_a_hostile_name_is_shown_and_not_run(serve, tmp_path):
    name = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    stream = reports.stream(name, drifted=True, summary=name)
    _, url = serve(reports.report([reports.model(name, name, [stream])]))
    dom, console = browse(tmp_path, f"{url}/", "--dump-dom")
    assert console == []
    assert "owned</title>" not in dom
    assert "<img" not in dom
    assert "&lt;img src=x" in dom


@pytest.mark.parametrize("options", [(), ("--blink-settings=preferredColorScheme=0",)])
def test_the_style_sheet_is_applied(serve, tmp_path, options):
    _, url = serve(reports.believable())
    picture = tmp_path / "page.png"
    browse(tmp_path / "profile", f"{url}/", f"--screenshot={picture}", *options)
    width, height, colours = _pixels(picture.read_bytes())
    assert (width, height) == (640, 480)
    # An unstyled page is black on white with blue links; ours has tints, bars and states.
    assert len(colours) > 200
    dark = (0x10, 0x16, 0x1C) in colours
    assert dark or (0xF6, 0xF7, 0xF9) in colours
    assert dark == bool(options)


def _pixels(png):
    """Width, height and the set of colours of an 8 bit RGB or RGBA picture."""
    width, height = struct.unpack(">II", png[16:24])
    channels = 4 if png[25] == 6 else 3
    data, at = b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    return width, height, _colours(zlib.decompress(data), width * channels, channels)


def _colours(raw, stride, step):
    colours, above = set(), bytearray(stride)
    for start in range(0, len(raw), stride + 1):
        row, kind = bytearray(raw[start + 1 : start + 1 + stride]), raw[start]
        for i in range(stride):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 255
        colours.update(zip(row[::step], row[1::step], row[2::step], strict=True))
        above = row
    return colours


def _predicted(kind, left, up, corner):
    """The five filters of the PNG specification, section 9."""
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[kind]
