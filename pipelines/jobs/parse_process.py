"""Processes that parse their shares of a run's raw records: work comes pickled on stdin, what it gave goes to stdout.

Such a process ends with its parent: when stdin closes before the work is done, nobody waits for it any more.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from pipelines.jobs.worker import Result, Worker, WorkerSetup, parse_rows

Read = Callable[[Worker, dict[str, Any]], None]
Work = tuple[WorkerSetup, Read, Sequence[dict[str, Any]]]


def parse_in_processes(setup: WorkerSetup, read: Read, hands: Sequence[Sequence[dict[str, Any]]]) -> list[Result]:
    """What the hands of rows gave, in their order; this process reads the first, one more each of the others.

    Raises what a process raised, and RuntimeError for one that ended without an answer.
    """
    processes = [_start((setup, read, rows)) for rows in hands[1:]]
    try:
        own = parse_rows(setup, read, hands[0])
        return [*own, *(result for process in processes for result in _answer(process))]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _start(work: Work) -> subprocess.Popen[bytes]:
    # Not by `multiprocessing`: its processes would first import the program that runs this one.
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    pickle.dump(work, process.stdin)
    process.stdin.flush()
    return process


def _answer(process: subprocess.Popen[bytes]) -> list[Result]:
    assert process.stdout is not None
    try:
        answer = pickle.load(process.stdout)  # of our own process
    except EOFError:
        raise RuntimeError(f"a parsing process ended with {process.wait()} and without an answer") from None
    if isinstance(answer, BaseException):
        raise answer
    results: list[Result] = answer
    return results


def _end_with(parent: BinaryIO) -> None:
    """Returns when the parent has closed its end."""
    parent.read(1)
    os._exit(1)


def main() -> None:
    """Parses what stdin says."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    setup, read, rows = pickle.load(sys.stdin.buffer)  # of the process that started this one
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        answer: object = parse_rows(setup, read, rows)
    except Exception as error:  # noqa: BLE001  # raised again where it is waited for
        answer = error
    with os.fdopen(answers, "wb") as out:
        pickle.dump(answer, out)
        out.flush()
    os._exit(0)
