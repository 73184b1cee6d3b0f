"""What a fleet has told and sent against a recount of the log: nothing is lost, nothing twice."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from service.kafka.cluster import ask
from service.kafka.connection import KafkaConnection
from service.kafka.topic_log import TopicLog
from service.state.shards.store import ShardStore
from service.state.snapshot import decode
from tests.integration.oracle import ModelCount, Recount, Rules
from tests.integration.parts.agreement import assert_figures_agree
from tests.integration.parts.fleet import (
    IDLE_AFTER_SECONDS,
    LATENESS_SECONDS,
    PANE_SECONDS,
    STATE_PARTITIONS,
    Fleet,
)
from tests.integration.parts.sent_panes import SentPanes
from tests.integration.parts.watched_topic import Contents, read_log

FUTURE_FROM_SECONDS = 7e9
QUIET_SECONDS = 120.0
"""So long after the last event all has to be told, on a busy machine; five would do else."""


def recounted(
    bootstrap: str | Sequence[str], fleet: Fleet, references: Contents, partitions: int
) -> Recount:
    """The log of the fleet's topic, as it is now."""
    rules = Rules(
        pane_seconds=PANE_SECONDS,
        lateness_seconds=LATENESS_SECONDS,
        future_from_seconds=FUTURE_FROM_SECONDS,
    )
    log = read_log(bootstrap, fleet.topic, partitions)
    return Recount(references, partitions, rules).add(log)


def assert_counted_once(
    bootstrap: str | Sequence[str],
    fleet: Fleet,
    references: Contents,
    partitions: int,
    unjudged_max: int = 0,
) -> Recount:
    """Once all is told: every pane that was sent, every figure of the judge, and what it judged.

    Ends the fleet in order. `unjudged_max`: so many rows may have come after their pane was judged,
    in all, where a fault keeps producers from a partition that is taken for idle then.
    """
    recount = recounted(bootstrap, fleet, references, partitions)
    with SentPanes(bootstrap, fleet.topics["panes"], STATE_PARTITIONS) as sent:
        _wait_until_sent(sent, recount, fleet)
        _wait_until_told(fleet, recount, all_judged=not unjudged_max)
        assert_figures_agree(fleet.judge_page(), fleet.topic, recount)
        fleet.end()
        sent.poll_to_the_end()
        assert sent.conflicts == []
        assert _differences(sent, recount) == []
    _assert_judged(judged(bootstrap, fleet), recount, unjudged_max)
    return recount


def judged(bootstrap: str | Sequence[str], fleet: Fleet) -> Mapping[tuple[str, str], Any]:
    """The state of the judge by model version, as it has left it in the state topic."""
    connection = KafkaConnection((bootstrap,) if isinstance(bootstrap, str) else tuple(bootstrap))
    cluster = ask(connection, (fleet.topics["panes"],))
    with closing(TopicLog(connection, fleet.topics["state"])) as log:
        panes_id = cluster.topics[fleet.topics["panes"]].id
        _, state = ShardStore(log, cluster.id).open("judge", STATE_PARTITIONS - 1, panes_id)
    assert state is not None, "the judge has left no state"
    models = [
        decode(blob)["state"] for name, blob in state.blobs.items() if name.startswith("model/")
    ]
    return {(model["model"], model["version"]): model for model in models}


def _wait_until_sent(sent: SentPanes, recount: Recount, fleet: Fleet) -> None:
    sent.poll_to_the_end()
    deadline = time.monotonic() + QUIET_SECONDS
    while differences := _differences(sent, recount):
        if time.monotonic() > deadline:
            said = "\n".join(differences[:20])
            raise AssertionError(f"sent and recounted:\n{said}\n{fleet.log[-30_000:]}")
        sent.poll(0.5).poll_to_the_end()


def _wait_until_told(fleet: Fleet, recount: Recount, *, all_judged: bool) -> None:
    """All records are in the book, and nothing is left to be judged."""

    def told() -> bool:
        page = fleet.judge_page()
        consumed = page.get("records_consumed_total", topic=fleet.topic)
        assert (consumed or 0) <= recount.consumed, f"{consumed} of {recount.consumed}"
        return consumed == recount.consumed and all(
            page.get("panes_judged_total", model=model, model_version=version) == len(count.panes)
            for (model, version), count in recount.models.items()
            if all_judged
        )

    fleet.wait_until(told, "the judge tells of all", QUIET_SECONDS)
    if not all_judged:
        time.sleep(2 * IDLE_AFTER_SECONDS)


def _differences(sent: SentPanes, recount: Recount) -> list[str]:
    """What is not the same, in words; empty when all is."""
    told, merged = sent.predictions(), sent.merged()
    differences = [
        f"{model}: {told.get(model)} predictions told, {count.predictions} in the log"
        for model, count in recount.models.items()
        if told.get(model, 0) != count.predictions
    ]
    for model in merged.keys() | recount.models.keys():
        count = recount.models.get(model)
        expected = {} if count is None else _panes(count)
        found = merged.get(model, {})
        differences += [
            f"{model} at {start}: sent {found.get(start)}, in the log {expected.get(start)}"
            for start in sorted(found.keys() | expected.keys())
            if found.get(start) != expected.get(start)
        ]
    return differences


def _panes(count: ModelCount) -> dict[float, tuple[int, list[int]]]:
    return {start: (count.rows_of_pane[start], cells) for start, cells in count.panes.items()}


def _assert_judged(
    models: Mapping[tuple[str, str], Any], recount: Recount, unjudged_max: int
) -> None:
    """The window of a day holds all that was judged: rows that are in it twice would be seen."""
    assert models.keys() == recount.models.keys()
    unjudged = {key: state["rows_unjudged"] for key, state in models.items()}
    for key, count in recount.models.items():
        state = models[key]
        if not unjudged_max:
            assert state["panes_judged"] == len(count.panes), key
        (day,) = [w for w in state["comparison"]["windows"] if w["name"] == "24h"]
        cells = [sum(step) for step in zip(*(s["cells"] for _, s in day["steps"]), strict=True)]
        expected = [sum(pane) for pane in zip(*count.panes.values(), strict=True)]
        missing = sum(expected) - sum(cells)
        streams = len(count.streams)
        assert missing == state["rows_unjudged"] * streams, key
        if not state["rows_unjudged"]:
            assert cells == expected, key
    assert sum(unjudged.values()) <= unjudged_max, unjudged
