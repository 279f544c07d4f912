"""A `cdp` process ends with its code, whatever its libraries wait for on their way out."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading
class Waiting:
    def __del__(self, wait=threading.Event().wait):
        wait()
held = Waiting()
held.itself = held
def farewell(): print("farewell")
from pipelines.cli.__main__ import command
import pipelines.cli.app as app
made = app._command
def command_that_parts(commands):
    def run(**words): atexit.register(farewell); made(commands)(**words)
    return run
app._command = command_that_parts
sys.argv = ["cdp", *{words!r}]
command()
"""


@pytest.mark.e2e
@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["nonsense"], 2)])
def test_the_process_ends_although_an_object_would_wait_for_ever(words: list[str], code: int) -> None:
    program = PROGRAM.format(words=words)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert "farewell" in done.stdout
    assert ("Usage" in done.stdout) == (code == 0)
