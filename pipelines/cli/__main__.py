"""`cdp` as a process of its own; `python -m pipelines.cli` is the same command."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn

from pipelines.cli import main
from pipelines.errors import ExitCode


class _Leaving:
    """Ends the process with its code once everybody has said farewell, without taking the interpreter apart.

    There gRPC, by which the embedded session is spoken to, may wait for ever: one of its threads is stopped while it
    holds a lock that an object wants on its way out.
    """

    code: int = ExitCode.INTEGRITY

    def __call__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(self.code)


def command() -> NoReturn:
    """The command runs, and the process ends with its exit code."""
    leaving = _Leaving()
    atexit.register(leaving)  # the first to register comes last
    try:
        main()
    except SystemExit as end:
        leaving.code = end.code if isinstance(end.code, int) else int(bool(end.code))
        raise


if __name__ == "__main__":
    command()
