"""Independent runs over processes, the result of each kept in a file at once.

The file has one JSON object a line. A run that is in it already is not run again, so that all can
be stopped at any time and gone on with.
"""

import json
import os
import sys
import time
import traceback
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import detectors
import service.monitor.detecting

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Run(NamedTuple):
    """`work(**arguments)`, a function of a module; `name` and the arguments are its identity."""

    name: str
    work: Any
    arguments: dict[str, Any]

    @property
    def key(self):
        return json.dumps([self.name, self.arguments], sort_keys=True)


def code_version():
    """Of all that judges: results of another version are those of another program."""
    digest = sha256()
    for package in (detectors, service.monitor.detecting):
        for file in sorted(Path(package.__file__).parent.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


class Results:
    """What runs gave, by their keys; with a file also what it held before."""

    def __init__(self, file=None):
        self._file, self._code = file, code_version()
        self._found, self._other = {}, 0
        if file is not None and file.exists():
            text = file.read_text("utf-8")
            for line in text.splitlines():
                self._read(line)
            if text and not text.endswith("\n"):  # what was cut short must not spoil the next
                with file.open("a", encoding="utf-8") as cut:
                    cut.write("\n")

    @property
    def of_other_code(self):
        """How many come from another version of what is measured."""
        return self._other

    def has(self, run):
        return run.key in self._found

    def of(self, name):
        """(arguments, result) of all runs of this name."""
        for key, result in self._found.items():
            named, arguments = json.loads(key)
            if named == name:
                yield arguments, result

    def add(self, run, result):
        self._found[run.key] = result
        if self._file is not None:
            line = json.dumps({"run": run.key, "code": self._code, "result": result})
            with self._file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _read(self, line):
        try:
            kept = json.loads(line)
        except json.JSONDecodeError:  # the run that wrote it was stopped in the middle
            return
        self._found[kept["run"]] = kept["result"]
        self._other += kept["code"] != self._code


def run_all(runs, results, jobs):
    """Run what `results` lacks in `jobs` processes, with a line of progress on standard error.

    Gives how many failed: these are said there, and the others are not held up by them.
    """
    due = [run for run in runs if not results.has(run)]
    if not due:
        return 0
    os.environ.update(ONE_THREAD)
    started, cpu, failed = time.monotonic(), 0.0, 0
    with get_context("spawn").Pool(jobs) as pool:
        for done, ended in enumerate(pool.imap_unordered(_attempt, due), start=1):
            cpu += ended.cpu_seconds
            if ended.error:
                failed += 1
                print(f"{ended.run.key} failed: {ended.error}", file=sys.stderr)
            else:
                results.add(ended.run, ended.result)
            _progress(done, len(due), time.monotonic() - started, cpu)
    return failed


class _Ended(NamedTuple):
    run: Run
    result: Any
    cpu_seconds: float
    error: str = ""


def _attempt(run):
    cpu, result, error = time.process_time(), None, ""
    try:
        result = run.work(**run.arguments)
    except Exception as raised:  # noqa: BLE001 - hours of other runs must not be lost with this one
        error = "".join(traceback.format_exception(raised))
    return _Ended(run, result, time.process_time() - cpu, error)


def _progress(done, total, seconds, cpu):
    left = seconds / done * (total - done)
    text = (
        f"{done} of {total} runs, {cpu / done:.0f} s of CPU each, "
        f"{seconds / 60:.0f} min so far, about {left / 60:.0f} min left"
    )
    stays = done == total or not sys.stderr.isatty()
    print(f"{text:<78}", end="\n" if stays else "\r", file=sys.stderr, flush=True)
