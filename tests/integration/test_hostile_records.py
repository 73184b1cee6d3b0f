"""Records made to break us cost themselves: all else is counted, in bounded memory."""

import json

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
