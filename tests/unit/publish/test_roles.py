"""What a page says of a process that is one of many."""

from service.clock import ManualClock
from service.publish.board import Board
from service.publish.exposition import Exposition
from service.publish.page import StatusPage
from tests.unit.publish import reports


def shown(report):
    board = Board()
    board.publish(Exposition(()).render(report, "auto", 50_000), report)
    page = StatusPage(ManualClock(reports.AT), lambda: 0)
    return page.html(board.current, None, None).decode(), board.current.page.text.decode()


def a_report(**changes):
    return reports.report((), service=reports.service(**changes), partitions_missing={}, topics=())


def test_a_worker_leads_to_the_judge_and_exports_no_series_of_what_it_does_not_have():
    html, metrics = shown(
        a_report(role="worker", exchange=None, state_free_bytes=None, state_size_bytes=None)
    )
    assert "This is a worker: it counts, the judge judges." in html
    assert "The judge's page has the models" in html
    assert "State directory" not in html
    assert 'anchorwatch_build_info{version="0.1.0",revision="4c6eaf5",role="worker"} 1' in metrics
    assert "anchorwatch_state_reloads_total 2" in metrics
    for absent in ("pane_conflicts", "state_free_bytes", "state_size_bytes", "partitions_missing"):
        assert f"anchorwatch_{absent}" not in metrics


def test_the_judge_tells_what_became_of_the_panes():
    html, metrics = shown(a_report(role="judge", state_reloads_total=None))
    assert "This is the judge of a fleet." in html
    assert "Panes in conflict" in html
    assert "anchorwatch_pane_conflicts_total 0" in metrics
    assert 'anchorwatch_pane_records_refused_total{reason="damaged"} 1' in metrics
    assert "anchorwatch_state_reloads_total" not in metrics


def test_role_all_speaks_of_no_fleet():
    html, _ = shown(a_report(role="all", exchange=None, state_reloads_total=None))
    assert "fleet" not in html
    assert "Panes in conflict" not in html
