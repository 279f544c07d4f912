"""One writer per lake, whatever happened to the one before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import CdpError, ExitCode
from pipelines.store.lock import FILE, held_locks, holder, writer_lock
from pipelines.store.versions import rows_of

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


CHILD = """
import subprocess, sys
from pathlib import Path
from pipelines.store.lock import held_locks, writer_lock
with writer_lock(Path(sys.argv[1]), "cdp run", started="2025-01-01T00:00:00+00:00"):
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=held_locks(),
                             stdin=int(sys.argv[2]))
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_child_that_outlives_its_killed_parent_holds_the_lake_until_it_ends(tmp_path: Path) -> None:
    end, start = os.pipe()
    words = [sys.executable, "-c", CHILD, str(tmp_path), str(end)]
    parent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(end,))
    os.close(end)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "held\n"
    parent.kill()
    parent.wait()
    with pytest.raises(CdpError, match="not seen here any more: a JVM it started may still be ending"):
        take(tmp_path)
    os.close(start)
    take(tmp_path, wait=20)


def test_a_finished_writer_lets_go_even_while_its_child_still_ends(tmp_path: Path) -> None:
    with writer_lock(tmp_path, "cdp run", started="2025-01-01T00:00:00+00:00"):
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], pass_fds=held_locks(), stdin=subprocess.PIPE, text=True
        )
    try:
        take(tmp_path)
    finally:
        child.kill()
        child.wait()
    assert held_locks() == ()


ROUNDS = 20
WRITER = """
import sys
from pathlib import Path
from pipelines.errors import CdpError
from pipelines.store.ledger import known_files
from pipelines.store.lock import writer_lock
from tests.pipelines.published import write
home, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
for line in sys.stdin:
    place = {"feed": "staff", "interval": "2025-03-01", "batch_id": f"{name}-{line.strip()}"}
    try:
        with writer_lock(home, f"cdp ingest {name}", started="2025-01-01T00:00:00+00:00"):
            before = len(known_files(home / "lake", "2025-03-01", "2025-03-01"))
            write(home, "ops.batches", [place])
            write(home, "ops.batch_files", [place | {"name": "a", "sha256": f"{name}{line.strip()}".rjust(64, "0")}])
            assert len(known_files(home / "lake", "2025-03-01", "2025-03-01")) == before + 1
            print(0, flush=True)
    except CdpError as error:
        print(int(error.code), flush=True)
"""


@pytest.mark.e2e
def test_of_two_writers_at_once_each_batch_that_reported_success_is_there_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    answers = [[line(writer) for writer in writers]]
    for number in range(ROUNDS):
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write(f"{number}\n")
            writer.stdin.flush()
        answers.append([line(writer) for writer in writers])
    for writer in writers:
        writer.communicate(timeout=20)
    assert answers[0] == ["ready", "ready"]
    wanted = [f"{'ab'[n]}-{i}" for i, pair in enumerate(answers[1:]) for n, code in enumerate(pair) if code == "0"]
    found = rows_of(tmp_path / "lake", "ops.batches", "SELECT batch_id FROM t")
    assert sorted(row["batch_id"] for row in found) == sorted(wanted)
    assert {code for pair in answers[1:] for code in pair} <= {"0", "5"}
    assert all("0" in pair for pair in answers[1:])
    assert "5" in {code for pair in answers[1:] for code in pair}
    assert time.monotonic() - begun < 5 * ROUNDS


def line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    return writer.stdout.readline().strip()
