"""Processes that parse a run's raw records together: whoever is free takes the next hand of rows.

Hands go pickled to a process's stdin when it asks for one; what all its rows gave comes back at its end. Such a process
ends with its parent: it watches a pipe that only the parent holds open.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, Any

from pipelines.jobs.worker import Result, Worker, WorkerSetup, parse_rows

Row = dict[str, Any]
Read = Callable[[Worker, Row], None]
Hand = Sequence[Row]
MORE, DONE = b"m", b"d"
"""What a process says: it wants another hand, or here is what its rows gave."""


class Helper:
    """A process that parses hands of rows, served by a thread of this process."""

    def __init__(self, setup: WorkerSetup, read: Read, hands: deque[Hand]) -> None:
        self._work = (setup, read)
        self._hands = hands
        self._answer: object = None
        # Not by `multiprocessing`: its processes would first import the program that runs this one.
        life, held = os.pipe()
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main({life})"
        command = [sys.executable, "-c", program]
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, pass_fds=[life])
        finally:
            os.close(life)
        self._held = held
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def results(self) -> list[Result]:
        """What the process's rows gave; raises what it raised, and RuntimeError where it ended without an answer."""
        self._thread.join()
        if isinstance(self._answer, list):
            return self._answer
        if isinstance(self._answer, BaseException):
            raise self._answer
        raise RuntimeError(f"a parsing process ended with {self.process.wait()} and without an answer")

    def end(self) -> None:
        """The process is gone, whatever it was doing."""
        os.close(self._held)
        self.process.kill()
        self._thread.join()
        self.process.communicate()

    def _serve(self) -> None:
        asked, given = self.process.stdout, self.process.stdin
        assert asked is not None
        assert given is not None
        with suppress(EOFError, BrokenPipeError):
            _send(given, self._work)
            while asked.read(1) == MORE:
                _send(given, _next(self._hands))
            self._answer = pickle.load(asked)  # of our own process


def parse_in_processes(setup: WorkerSetup, read: Read, hands: Iterable[Hand], *, processes: int) -> list[Result]:
    """What the hands of rows gave; this process is one of those that take them, in their order, one by one.

    Raises what a process raised, and RuntimeError for one that ended without an answer.
    """
    waiting = deque(hands)
    with _helpers(setup, read, waiting, processes - 1) as helpers:
        own = parse_rows(setup, read, chain.from_iterable(iter(lambda: _next(waiting), None)))
        return [*own, *(result for helper in helpers for result in helper.results())]


@contextmanager
def _helpers(setup: WorkerSetup, read: Read, hands: deque[Hand], number: int) -> Iterator[list[Helper]]:
    helpers: list[Helper] = []
    try:
        for _ in range(number):
            helpers.append(Helper(setup, read, hands))
        yield helpers
    finally:
        for helper in helpers:
            helper.end()


def _next(hands: deque[Hand]) -> Hand | None:
    try:
        return hands.popleft()
    except IndexError:
        return None


def _send(pipe: IO[bytes], what: object) -> None:
    pickle.dump(what, pipe)
    pipe.flush()


def _end_with_parent(life: int) -> None:
    """Returns never: the process ends when the parent has closed its end or is gone."""
    os.read(life, 1)
    os._exit(1)


def _asked_for(hands: IO[bytes], answers: IO[bytes]) -> Iterator[Row]:
    while True:
        answers.write(MORE)
        answers.flush()
        hand: Hand | None = pickle.load(hands)  # of the process that started this one
        if hand is None:
            return
        yield from hand


def main(life: int) -> None:
    """Parses what it is handed on stdin."""
    threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    setup, read = pickle.load(sys.stdin.buffer)  # of the process that started this one
    answer: object
    try:
        answer = parse_rows(setup, read, _asked_for(sys.stdin.buffer, answers))
    except Exception as error:  # noqa: BLE001  # raised again where it is waited for
        answer = error
    answers.write(DONE)
    _send(answers, answer)
    os._exit(0)
