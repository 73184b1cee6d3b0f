"""The Prometheus of the tests is a real one: it scrapes, answers, and says why it cannot."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.integration.parts.ports import free_port
from tests.integration.parts.prometheus_server import promtool

PAGE = b'# TYPE anchorwatch_up_for_test gauge\nanchorwatch_up_for_test{model="credit"} 42\n'


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def target() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_scraped_series_is_found_by_a_query(prometheus, target):
    server = prometheus([target])
    [sample] = server.wait_for('anchorwatch_up_for_test{model="credit"}')
    assert sample.value == 42
    assert sample.labels["job"] == "anchorwatch"
    assert server.query("scalar(anchorwatch_up_for_test) + 1")[0].value == 43
    assert server.targets() == {target: "up"}


def test_a_target_that_is_down_is_named(prometheus):
    address = f"127.0.0.1:{free_port()}"
    server = prometheus([address])
    server.wait_for("up == 0")
    assert server.targets()[address].startswith("down")
    with pytest.raises(TimeoutError, match=r"returned nothing.*down"):
        server.wait_for("up == 1", timeout_seconds=0.5)


def test_rules_are_evaluated(prometheus, target, tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "groups: [{name: g, rules: [{record: doubled, expr: anchorwatch_up_for_test * 2}]}]"
    )
    assert promtool("check", "rules", str(rules)).returncode == 0
    [sample] = prometheus([target], rule_files=[rules]).wait_for("doubled")
    assert sample.value == 84


def test_promtool_refuses_a_page_that_breaks_the_conventions(tmp_path):
    config = tmp_path / "prometheus.yml"
    config.write_text("scrape_configs: [{job: x}]")
    done = promtool("check", "config", str(config))
    assert done.returncode != 0
    assert "job" in done.stdout + done.stderr
