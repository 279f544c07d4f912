"""One writer per lake, whatever happened to the one before."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import CdpError, ExitCode
from pipelines.store.lock import FILE, holder, writer_lock

HOLD = """
import sys, time
from pathlib import Path
from pipelines.store.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "cdp run", started="2025-01-01T00:00:00+00:00"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def take(home: Path, wait: float = 0.0) -> None:
    with writer_lock(home, "cdp ingest", started="2025-01-02T00:00:00+00:00", wait=wait):
        pass


def test_a_second_writer_is_told_who_holds_the_lake(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(CdpError, match=f"process {other.pid} .*cdp run.*2025-01-01") as caught:
        take(tmp_path)
    assert caught.value.code == ExitCode.LOCKED


def test_a_killed_writer_leaves_the_lake_free(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    take(tmp_path)


def test_a_waiting_writer_gets_the_lake_when_it_is_free(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    killer = subprocess.Popen([sys.executable, "-c", f"import time,os; time.sleep(0.5); os.kill({other.pid}, 9)"])
    begun = time.monotonic()
    take(tmp_path, wait=20)
    killer.wait()
    assert time.monotonic() - begun >= 0.4


def test_a_stale_file_means_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"pid": 1, "command": "cdp run", "started": "2020"}')
    assert holder(tmp_path) is None
    take(tmp_path)


def test_holder_names_the_present_writer(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    found = holder(tmp_path)
    assert found is not None
    assert found["pid"] == other.pid


def test_no_lock_file_means_a_free_lake(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
