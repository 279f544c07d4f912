"""Several processes parse what one would, say what went wrong, and end with whoever started them."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.jobs.parse_process import Helper, parse_in_processes
from pipelines.jobs.worker import Result, parse_rows
from tests.pipelines.jobs.composed import DAY1, guide, worker_setup
from tests.pipelines.jobs.parse_process_reads import end, fill, read, share, wait

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


def dealt(folder: Path) -> list[list[dict[str, Any]]]:
    return [[row | {"dealer": os.getpid(), "come": str(folder / "come")}] for row in ROWS]


def counts(results: Sequence[Result]) -> Counter[tuple[str, str]]:
    """Records by what became of them; a process keeps a value's ciphertext once, two keep it twice."""
    found: Counter[tuple[str, str]] = Counter()
    for kind, name, _, _, _, _, rows in results:
        found[kind, name] += rows if kind != "staged" else 0
    return found


MANY = pytest.mark.e2e


@pytest.mark.parametrize(
    "hands",
    [
        [ROWS[::2], ROWS[1::2]],
        *(pytest.param(hands, marks=MANY) for hands in ([[row] for row in ROWS], [ROWS], [])),
    ],
)
def test_processes_give_together_what_one_gives(tmp_path: Path, hands: list[list[dict[str, Any]]]) -> None:
    setup = worker_setup(tmp_path)
    rows = [row for hand in hands for row in hand]
    alone = counts(parse_rows(setup, read, rows))
    assert alone["good", ""] == len(rows) * 4 // 5
    assert counts(parse_in_processes(setup, read, hands, processes=2)) == alone


@MANY
def test_the_rows_are_shared(tmp_path: Path) -> None:
    setup = worker_setup(tmp_path)
    results = parse_in_processes(setup, share, dealt(tmp_path), processes=3)
    assert {name for kind, name, *_ in results if kind == "good"} == {"dealer", "helper"}
    assert sum(rows for kind, *_, rows in results if kind == "good") == len(ROWS)


def test_what_a_process_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as told:
        parse_in_processes(worker_setup(tmp_path), fill, dealt(tmp_path), processes=2)
    assert told.value.errno == 28


@MANY
def test_a_process_that_is_killed_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with -9"):
        parse_in_processes(worker_setup(tmp_path), end, dealt(tmp_path), processes=2)


@MANY
def test_a_process_ends_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    helper = Helper(worker_setup(tmp_path), wait, deque([ROWS[:1]]))
    assert psutil.pid_exists(helper.process.pid)
    os.close(helper._held)
    assert helper.process.wait(timeout=30) == 1
