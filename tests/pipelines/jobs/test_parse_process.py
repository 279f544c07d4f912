"""Several processes parse what one would, say what went wrong, and end with whoever started them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.jobs import parse_process
from pipelines.jobs.parse_process import parse_in_processes
from pipelines.jobs.worker import Result, Worker, parse_rows
from tests.pipelines.jobs.composed import DAY1, guide, worker_setup

GIVEN = json.loads(guide("g", DAY1))
ROWS = [
    {
        "feed": "staff",
        "interval": DAY1,
        "batch_id": "b",
        "source_file": "a.jsonl",
        "line": number,
        "element": 0,
        "context": json.dumps(GIVEN["context"]),
        "payload": json.dumps(GIVEN["payload"] | {"userid": f"g{number}"}) if number % 5 else '{"userid":',
    }
    for number in range(1, 41)
]


def read(worker: Worker, row: dict[str, Any]) -> None:
    worker.read_bronze(row)


def fill(worker: Worker, row: dict[str, Any]) -> None:
    raise OSError(28, "No space left on device")


def end(worker: Worker, row: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait(worker: Worker, row: dict[str, Any]) -> None:
    time.sleep(600)


def counts(results: Sequence[Result]) -> Counter[tuple[str, str]]:
    """Records by what became of them; a process keeps a value's ciphertext once, two keep it twice."""
    found: Counter[tuple[str, str]] = Counter()
    for kind, name, _, _, _, _, rows in results:
        found[kind, name] += rows if kind != "staged" else 0
    return found


def test_processes_give_together_what_one_gives(tmp_path: Path) -> None:
    setup = worker_setup(tmp_path)
    alone = counts(parse_rows(setup, read, ROWS))
    assert alone["good", ""] == 32
    assert counts(parse_in_processes(setup, read, [ROWS[::2], ROWS[1::2]])) == alone


def test_what_a_process_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as told:
        parse_in_processes(worker_setup(tmp_path), fill, [[], ROWS[:1]])
    assert told.value.errno == 28


def test_a_process_that_is_killed_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with -9"):
        parse_in_processes(worker_setup(tmp_path), end, [[], ROWS[:1]])


def test_a_process_ends_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    process = parse_process._start((worker_setup(tmp_path), wait, ROWS[:1]))
    assert process.stdin is not None
    assert psutil.pid_exists(process.pid)
    process.stdin.close()
    assert process.wait(timeout=30) == 1
