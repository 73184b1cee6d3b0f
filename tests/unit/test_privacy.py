"""Hidden values leave the process in nothing: every output is searched for planted ones."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from config.loader import load
from service.clock import ManualClock
from service.commands.audit import command as audit
from service.commands.episode import command as episode
from service.commands.replay import command as replay
from service.composition.alone import Parts, Service
from service.composition.wiring import given_references, time_rules
from service.ingest.memory import MemorySource
from service.monitor.references.file import write
from service.publish.page import StatusPage
from service.state.episode_record import EpisodeRecord
from service.state.memory import MemoryStore
from tests.unit.monitor.events import P0, T0, Event, reference

NAMES = ("PLANTED-A", "PLANTED-B", "PLANTED-C")
NUMBER = "739416"
"""What every value of x begins with, however it is written."""

HIDDEN = {
    "all": "privacy: {values: hidden}\n",
    "of features": "models: {m: {features: {x: {values: hidden}, state: {values: hidden}}}}\n",
}
PERIOD = ("--from", "2023-11-14", "--to", "2023-11-16")


def numbers(seed, rows, shift=0.0):
    return (7_394_165.0 + np.random.default_rng(seed).normal(shift, 1.0, rows)).tolist()


def names(seed, rows, shares):
    return np.random.default_rng(seed).choice(NAMES, rows, p=shares).tolist()


def normal():
    return reference(inputs={"x": numbers(9, 3000), "state": names(9, 3000, (0.5, 0.4, 0.1))})


def events():
    """Ten panes as normal, then ten of which x and state have drifted; and rows of nonsense."""
    found = []
    for panes, shift, shares in ((10, 0.0, (0.5, 0.4, 0.1)), (10, 2.0, (0.1, 0.2, 0.7))):
        start, rows = 60.0 * (len(found) // 50), 50 * panes
        columns = zip(numbers(panes, rows, shift), names(1, rows, shares), strict=True)
        at = (start + 1.2 * i for i in range(rows))
        found += [Event(t, x, name) for t, (x, name) in zip(at, columns, strict=True)]
    return found


class Refused:
    """Where dead letters would go: keeps what is said of each."""

    sent_total = failed_total = 0

    def __init__(self):
        self.details = []

    def send(self, rejects):
        self.details += [f"{reject.reason} {reject.detail}" for reject in rejects]

    def close(self):
        pass


@pytest.fixture(params=["shown", *HIDDEN])
def outputs(request, tmp_path):
    """Everything that a service, an audit and a replay tell, by its name; and whether it is hidden.
    That planted values are found where they are shown proves the search.
    """
    (tmp_path / "references").mkdir()
    (tmp_path / "references" / "m.json").write_text(write(normal()), "utf-8")
    file = tmp_path / "anchorwatch.yaml"
    file.write_text(
        "sources: [{name: events, topics: [events]}]\n"
        f"state: {{path: {tmp_path}}}\n"
        f"reference: {{from: {tmp_path}/references}}\n"
        "metrics: {detail: full}\n" + HIDDEN.get(request.param, ""),
        "utf-8",
    )
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(e.record(0).value for e in events()))
    told = {**served(file, tmp_path), **commands(file, tmp_path)}
    return request.param != "shown", told


def served(file, directory):
    """The page, its twin, metrics, the log, reasons of dead letters, and the record."""
    loaded, clock, refused = load(file, {}), ManualClock(T0 + 3000.0), Refused()
    source, settings = MemorySource({P0: []}), loaded.settings
    parts = Parts(
        source=source,
        store=MemoryStore(),
        dead_letters=refused,
        given=given_references(settings),
        clock=clock,
        rules=time_rules(settings.detection),
        sources=settings.sources,
        episode_record=EpisodeRecord(directory / "episodes", 1e12),
    )
    service = Service(settings, loaded.hash, parts)
    for event in events():
        record = event.record(0)
        source.append(P0, record.value, record.timestamp_seconds)
    for nonsense in (
        {"model": "m", "version": "1", "features": [NAMES[0], int(NUMBER)], "prediction": [1, 2]},
        {"model": "m", "version": "1", "timestamp": NAMES[0], "features": {"state": NAMES[0]}},
        {"model": "m", "version": "1", "features": {}, "prediction": {}},
    ):
        source.append(P0, json.dumps(nonsense).encode(), T0)
    source.append(P0, b'{"features": {"state": "PLANTED-A", x', T0)
    with capture_logs() as logs:
        for _ in range(60):
            clock.sleep(1.0)
            service.loop.turn()
        service.loop.checkpoint(stops=True)
    published = service.board.current
    page = StatusPage(clock, lambda: 1)
    assert service.report.episodes
    assert refused.details
    return {
        "metrics": published.page.text.decode(),
        "page": (page.html(published, None, None) or b"").decode(),
        "page of the model": (page.html(published, "m", "1") or b"").decode(),
        "twin": page.json(published).decode(),
        "log": str(logs),
        "reasons of dead letters": "\n".join(refused.details),
        "record": "".join(p.read_text("utf-8") for p in (directory / "episodes").iterdir()),
    }


def commands(file, directory):
    """What `episode`, `audit` and `replay` say and write."""
    where, out = ["--config", str(file)], directory / "out"
    shown = _run(episode, "list", *where)
    names = dict.fromkeys(re.findall(r"m-2023[\d-]+\d", shown))
    report, results = out / "report.html", out / "results.json"
    out.mkdir()
    told = {
        "list": shown,
        "show": "".join(_run(episode, "show", name, *where) for name in names),
        "show for a program": "".join(
            _run(episode, "show", name, "--json", *where) for name in names
        ),
        "audit": _run(audit, "--offline", *PERIOD, "--model", "m", "--output", out / "a", *where),
        "replay": _run(
            replay, directory / "events.jsonl", "--html", report, "--json", results, *where
        ),
    }
    files = [p for p in out.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} >= {".html", ".json", ".csv"}
    return told | {f"file {p.name}": p.read_text("utf-8") for p in files}


def _run(command, *arguments):
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def planted(text):
    """The planted values in a text: names as they are, numbers whatever stands between digits."""
    digits = re.sub(r"(?<=\d)[.,_\u2009 ](?=\d)", "", text)
    return [*(name for name in NAMES if name in text), *([NUMBER] if NUMBER in digits else [])]


def test_hidden_values_are_in_no_output_and_shown_ones_are_where_they_belong(outputs):
    hides, told = outputs
    found = {name: values for name, text in told.items() if (values := planted(text))}
    if hides:
        assert found == {}
        assert "share of a category from" in told["page"]
        assert "a bin: " in told["show"]
    else:
        places = {"metrics", "page", "record", "log", "list", "show", "file report.html"}
        assert places <= found.keys()
        assert {NUMBER, *NAMES} <= {value for values in found.values() for value in values}


def test_what_has_changed_is_told_all_the_same(outputs):
    _, told = outputs
    assert re.search(r"up [12]\.\d+ sd, PSI \d", told["show"])
    assert 'anchorwatch_drift_score{model="m",model_version="1",feature="state"' in told["metrics"]
