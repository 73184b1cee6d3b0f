"""`anchorwatch demo`: the embedded stream drifts where it says it does."""

import threading

import pytest
from click.testing import CliRunner

from service.clock import ManualClock
from service.commands.demo import command, demo_references, demo_settings, news
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, time_rules
from service.ingest.demo import DemoSource, Drift
from service.ingest.kafka.dead_letters import NoDeadLetters
from service.state.memory import MemoryStore


@pytest.mark.parametrize(
    "wrong", [("--port", "99999"), ("--port", "-1"), ("--drift-after", "-5"), ("--seconds", "-1")]
)
def test_options_out_of_bounds_are_refused(wrong):
    result = CliRunner().invoke(command, wrong)
    assert result.exit_code == 2
    assert f"Invalid value for '{wrong[0]}'" in result.output


def test_income_drifts_within_seconds_and_the_other_model_stays_steady():
    clock, settings = ManualClock(1_800_000_000.0), demo_settings()
    source = DemoSource(clock, Drift(after_seconds=12.0), 400)
    service = Service(
        settings,
        "demo",
        Parts(
            source=source,
            store=MemoryStore(),
            dead_letters=NoDeadLetters(),
            given=given_references(settings, demo_references(clock.now())),
            clock=clock,
            rules=time_rules(settings.detection),
            sources=settings.sources,
        ),
    )
    before = set()
    while clock.now() < 1_800_000_000.0 + 25.0:
        service.loop.turn()
        if service.report and clock.now() < source.drift_starts_seconds:
            before |= {s.key.name for m in service.report.models for s in m.drifted}
    drifted = {m.key.model: {s.key.name for s in m.drifted} for m in service.report.models}
    assert before == set()
    assert "income" in drifted["credit-risk"]
    assert drifted["card-fraud"] == set()
    told = {}
    lines = news(service.report, told)
    (episode,) = (e for e in service.report.episodes if e.category == "drift")
    assert lines[0] == f"credit-risk: a ticket, episode {episode.id}"
    assert lines[1].startswith("credit-risk: income up ")
    assert lines[2].startswith("credit-risk: likely ")
    assert news(service.report, told) == []
    source.close()
    service.run(threading.Event())
