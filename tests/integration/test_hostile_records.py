"""Records made to break us cost themselves: all else is counted, in bounded memory."""

import json
import subprocess

import psutil

from tests.integration.parts import events
from tests.integration.parts.raw_batches import bomb, produce
from tests.integration.parts.topics import send as send_values

MIB = 2**20
GROWTH_MAX_BYTES = 128 * MIB
BOMBS = {"zstd": 1024 * MIB, "gzip": 1024 * MIB, "lz4": 1024 * MIB, "snappy": 256 * MIB}
"""What one record in each codec expands to; of a GiB zstd makes 32 KiB, gzip and lz4 1 to 4 MiB."""


def good(count, first=0):
    """Events that are counted, a second apart."""
    return [
        json.dumps(
            {
                "model": "good",
                "version": "1",
                "timestamp": events.START_SECONDS + first + i,
                "features": {"x": i % 7, "s": "ab"[i % 2]},
                "prediction": 0.5,
            }
        ).encode()
        for i in range(count)
    ]


def peak_bytes(pid):
    """The most that was ever resident."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:  # noqa: PTH123
        (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_batches_that_expand_to_gigabytes_are_left_out_in_bounded_memory(kafka, topic, service_on):
    name = topic(2, max_message_bytes=str(64 * MIB))
    service = service_on(kafka.bootstrap, name)
    for partition in (0, 1):
        send_values(kafka.bootstrap, name, good(3000), partition, codec="zstd")
    service.start()
    service.wait_for_records(6000, name)
    pid = service.process.pid
    before = psutil.Process(pid).memory_info().rss
    for i, (codec, size) in enumerate(BOMBS.items()):
        produce(kafka.bootstrap, name, bomb(codec, size))
        for partition in (0, 1):
            send_values(kafka.bootstrap, name, good(100, 3000 + 100 * i), partition)
    page = service.wait_for_records(6000 + len(BOMBS) * 201, name)
    assert page.by("records_rejected_total", "reason", topic=name) == {"corrupt_batch": len(BOMBS)}
    assert page.get("predictions_total", model="good", model_version="1") == 6000 + 800
    assert peak_bytes(pid) - before < GROWTH_MAX_BYTES
    assert "zstd expands to more than 67108864 bytes" in service.log
    assert service.get("/livez")[0] == 200
    assert service.process.terminate() == 0, service.log


def poison():
    """What no producer should send, each once, by what it is."""
    sound = json.loads(good(1)[0])

    def event(**changes):
        return json.dumps(sound | changes).encode()

    def raw(features):
        head = b'{"model": "good", "version": "1", "timestamp": %d, ' % events.START_SECONDS
        return head + b'"features": %s}' % features

    far = events.START_SECONDS + 10 * 365.25 * 86400
    return {
        "nested too deeply": b"[" * 200_000,
        "nested features": raw(b'{"x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"),
        "a number beyond floats": raw(b'{"x": 1e999, "s": -1e999}'),
        "an integer of 5,000 digits": raw(b'{"x": ' + b"9" * 5000 + b"}"),
        "half a surrogate": raw(b'{"x": 1, "\\ud800": 1, "s": "\\udfff"}'),
        "control characters": raw(b'{"x\\u0000\\u001b[31m": 1, "s": "a\\nb\\u0000"}'),
        "a name like markup": raw(b'{"<script>alert(1)</script>": 1, "\\"}\\n# HELP x": 2}'),
        "names without end": raw(b'{"' + b"n" * 50_000 + b'": 1}'),
        "5,000 features": event(features={f"new{i}": i for i in range(5000)}),
        "5,000 classes": event(prediction={f"class{i}": 1 / 5000 for i in range(5000)}),
        "a model with a surrogate": b'{"model": "\\ud800", "features": {"x": 1}}',
        "a model without end": event(model="m" * 10_000),
        "a model of markup": event(model='"}<b>\n'),
        "no UTF-8": b"\xff\xfe" + "{}".encode("utf-16-le"),
        "bytes that say nothing": bytes(range(256)),
        "an empty value": b"",
        "the year 9999": event(timestamp="9999-12-31T23:59:59Z"),
        "ten years from then": event(timestamp=far),
        "before the epoch": event(timestamp=-1e18),
        "a time beyond floats": b'{"model": "good", "timestamp": 1e999, "features": {"x": 1}}',
        "types that are wrong": event(model=["good"], features="none", prediction={"a": {}}),
        "rows of unequal length": event(features=[{"x": 1}, {"x": 2}], prediction=[0.1]),
    }


def test_poison_costs_itself_and_every_good_event_is_counted(kafka, topic, service_on):
    name = topic(2)
    service = service_on(
        kafka.bootstrap, name, limits={"record": "1MiB"}, metrics={"detail": "full"}
    )
    bad = poison()
    for partition in (0, 1):
        send_values(kafka.bootstrap, name, good(300), partition)
    send_values(kafka.bootstrap, name, list(bad.values()))
    for partition in (0, 1):
        send_values(kafka.bootstrap, name, good(300, 300), partition)
    service.start()
    page = service.wait_for_records(1200 + len(bad), name)
    applied, ignored = (page.get(f"records_{s}_total", topic=name) for s in ("applied", "ignored"))
    rejected = page.by("records_rejected_total", "reason", topic=name)
    assert applied + ignored + sum(rejected.values()) == 1200 + len(bad)
    assert page.total("rows_late_total") == 0, "time went on"
    assert rejected == {"malformed": 4, "no_model": 1}
    mine = {"model": "good", "model_version": "1"}
    assert page.by("rows_rejected_total", "reason", **mine) == {"timestamp": 1, "future": 2}
    assert page.get("predictions_total", **mine) == 1200 + 9
    assert service.get("/livez")[0] == 200
    assert "<script>alert" not in service.get("/", "text/html")[1]
    metrics = service.get("/metrics")[1]
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics, text=True, capture_output=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert service.process.terminate() == 0, service.log
    service.start()
    again = service.wait_for_records(1200 + len(bad), name)
    assert again.get("predictions_total", **mine) == 1200 + 9
    assert again.by("records_rejected_total", "reason", topic=name) == rejected
