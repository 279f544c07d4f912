"""The spool: whole lines only, each in one file, whatever is stopped in between."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from serving.contract.spool import append_line, collect

FEED, DAY = "douyin_messages", "2025-03-01"


def put(home: Path, line: bytes) -> None:
    append_line(home, FEED, interval=DAY, line=line)


def landed(landing: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((landing / FEED / DAY).iterdir()))


def test_lines_wait_in_the_spool_and_are_landed_once(tmp_path: Path) -> None:
    put(tmp_path, b"1\n")
    put(tmp_path, b"2\n")
    moved = collect(tmp_path, tmp_path / "landing")
    assert [path.parent for path in moved] == [tmp_path / "landing" / FEED / DAY]
    assert landed(tmp_path / "landing") == b"1\n2\n"
    assert collect(tmp_path, tmp_path / "landing") == ()


def test_lines_after_a_collection_get_a_file_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, b"1\n")
    collect(tmp_path, tmp_path / "landing")
    put(tmp_path, b"2\n")
    collect(tmp_path, tmp_path / "landing")
    assert sorted(path.read_bytes() for path in (tmp_path / "landing" / FEED / DAY).iterdir()) == [b"1\n", b"2\n"]


def test_half_a_line_left_by_a_crash_goes(tmp_path: Path) -> None:
    put(tmp_path, b"1\n")
    (tmp_path / "spool" / FEED / f"{DAY}.jsonl").open("ab").write(b'{"half')
    put(tmp_path, b"2\n")
    collect(tmp_path, tmp_path / "landing")
    assert landed(tmp_path / "landing") == b"1\n2\n"


def test_a_collection_that_was_stopped_is_finished_by_the_next(tmp_path: Path) -> None:
    put(tmp_path, b"1\n")
    spooled = tmp_path / "spool" / FEED / f"{DAY}.jsonl"
    spooled.rename(spooled.with_name(f"{DAY}.0.taken"))
    put(tmp_path, b"2\n")
    collect(tmp_path, tmp_path / "landing")
    assert landed(tmp_path / "landing").split() in ([b"1", b"2"], [b"2", b"1"])


def test_a_line_that_cannot_be_flushed_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, b"1\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        put(tmp_path, b"2\n")
    monkeypatch.setattr(os, "fsync", lambda _: None)
    collect(tmp_path, tmp_path / "landing")
    assert landed(tmp_path / "landing") == b"1\n"


def test_writers_and_a_collector_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    def write(writer: int) -> None:
        for number in range(40):
            put(tmp_path, f"{writer}-{number}\n".encode())

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        collect(tmp_path, tmp_path / "landing")
    collect(tmp_path, tmp_path / "landing")
    lines = landed(tmp_path / "landing").decode().split()
    assert sorted(lines) == sorted(f"{writer}-{number}" for writer in range(3) for number in range(40))


def test_the_first_line_ever_is_found_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is lost with the name of any folder above it that is not on disk."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    put(tmp_path, b"1\n")
    assert {path.stat().st_ino for path in (tmp_path, tmp_path / "spool", tmp_path / "spool" / FEED)} <= {*synced}
    synced.clear()
    collect(tmp_path, tmp_path / "landing")
    landing = tmp_path / "landing"
    assert {path.stat().st_ino for path in (tmp_path, landing, landing / FEED, landing / FEED / DAY)} <= {*synced}
