"""What the tests of parsing processes let them do with a row; each process imports this, and nothing of the tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from pipelines.jobs.worker import Place, Worker


def read(worker: Worker, row: dict[str, Any]) -> None:
    worker.read_bronze(row)


def fill(worker: Worker, row: dict[str, Any]) -> None:
    in_the_helper(row)
    raise OSError(28, "No space left on device")


def end(worker: Worker, row: dict[str, Any]) -> None:
    if in_the_helper(row):
        os.kill(os.getpid(), signal.SIGKILL)


def wait(worker: Worker, row: dict[str, Any]) -> None:
    time.sleep(600)


def in_the_helper(row: dict[str, Any]) -> bool:
    """Whether another process than the one that dealt the row reads it; the dealer waits until one has come."""
    come = Path(row["come"])
    if os.getpid() != row["dealer"]:
        come.touch()
        return True
    for _ in range(6000):
        if come.exists():
            return False
        time.sleep(0.01)
    raise TimeoutError("no helper came within a minute")


def share(worker: Worker, row: dict[str, Any]) -> None:
    place = Place("staff", row["interval"], "b", "a.jsonl")
    worker.stage.count("good", "helper" if in_the_helper(row) else "dealer", place)
