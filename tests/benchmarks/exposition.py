"""How long a page takes to render, and to serve beside a busy thread.

python -m tests.benchmarks.exposition
"""

import statistics
import time

from service.publish.exposition import Exposition
from tests.unit.publish import reports


def render(models, streams, detail, rounds=20):
    report = reports.fleet(models, streams)
    exposition = Exposition()
    started = time.perf_counter()
    page = exposition.render(report, detail, 1_000_000)
    first = time.perf_counter() - started
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        page = exposition.render(report, detail, 1_000_000)
        seconds.append(time.perf_counter() - started)
    print(
        f"render {page.series:>7,} series ({detail}, {len(page.text) / 1e6:.1f} MB):"
        f" first {first * 1e3:.1f} ms, then median {statistics.median(seconds) * 1e3:.1f} ms"
    )


def main():
    render(10, 50, "full")
    render(50, 50, "summary")
    render(100, 50, "full")
    render(150, 52, "auto")


if __name__ == "__main__":
    main()
