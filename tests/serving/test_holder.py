from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from serving.contract import SNAPSHOT_FILE, snapshot_path
from serving.errors import SnapshotDamagedError, SnapshotMissingError
from serving.holder import RETRY_MS, SnapshotHolder
from tests.serving.client import FakeClock
from tests.serving.sample import ANNA, point, publish, sample_inputs


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def holder(tmp_path: Path, clock: FakeClock) -> SnapshotHolder:
    return SnapshotHolder(tmp_path, clock)


def served(holder: SnapshotHolder) -> str:
    with holder.lease() as snapshot:
        return snapshot.snapshot_id


def open_files(folder: Path) -> list[str]:
    """Snapshots below the folder that this process holds open."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.lexists(link)]
    return sorted(Path(target).parent.name for target in targets if target.startswith(str(folder)))


def test_before_the_first_publish_there_is_nothing_to_serve(holder: SnapshotHolder) -> None:
    with pytest.raises(SnapshotMissingError, match="run `cdp run`"), holder.lease():
        pass


def test_the_first_snapshot_is_taken_up_when_it_is_published(tmp_path: Path, holder: SnapshotHolder) -> None:
    assert holder.standing().usable is False
    publish(tmp_path, sample_inputs("s1"))
    assert served(holder) == "s1"


def test_a_new_snapshot_is_taken_up_without_restart(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    assert served(holder) == "s1"
    publish(tmp_path, sample_inputs("s2"))
    assert served(holder) == "s2"


def test_a_rollback_is_followed(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    publish(tmp_path, sample_inputs("s2"))
    assert served(holder) == "s2"
    point(tmp_path, "s1")
    assert served(holder) == "s1"


def test_a_request_keeps_the_snapshot_it_began_with(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    with holder.lease() as before:
        publish(tmp_path, sample_inputs("s2"))
        assert served(holder) == "s2"
        assert before.snapshot_id == "s1"
        assert before.profile(ANNA) is not None


def test_the_old_file_is_closed_when_its_last_reader_ends(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    with holder.lease():
        publish(tmp_path, sample_inputs("s2"))
        served(holder)
        assert open_files(tmp_path) == ["s1", "s2"]
    assert open_files(tmp_path) == ["s2"]


def test_a_file_nobody_reads_is_closed_with_the_swap(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    served(holder)
    publish(tmp_path, sample_inputs("s2"))
    served(holder)
    assert open_files(tmp_path) == ["s2"]


def test_a_reader_finishes_though_its_file_was_deleted(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    with holder.lease() as snapshot:
        snapshot.profile(ANNA)
        snapshot_path(tmp_path, "s1").unlink()
        assert snapshot.tags(0) is not None


def test_while_the_new_snapshot_is_damaged_the_one_before_is_served(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    assert served(holder) == "s1"
    path = snapshot_path(tmp_path, "s2")
    path.parent.mkdir()
    path.write_bytes(b"broken")
    point(tmp_path, "s2")
    assert served(holder) == "s1"
    standing = holder.standing()
    assert (standing.snapshot_id, standing.usable) == ("s1", True)
    assert isinstance(standing.problem, SnapshotDamagedError)


def test_a_repaired_snapshot_is_taken_up_after_a_second(
    tmp_path: Path, holder: SnapshotHolder, clock: FakeClock
) -> None:
    point(tmp_path, "s1")
    assert holder.standing().usable is False
    publish(tmp_path / "elsewhere", sample_inputs("s1"))
    (tmp_path / "elsewhere" / "snapshots").rename(tmp_path / "snapshots")
    assert holder.standing().usable is False
    clock.forward(RETRY_MS)
    assert served(holder) == "s1"


@pytest.mark.parametrize("text", [b"", b"\n", b"../outside\n", b"a/b\n", b"..", b"\xff\xfe"])
def test_a_pointer_that_names_no_snapshot_is_refused(tmp_path: Path, holder: SnapshotHolder, text: bytes) -> None:
    (tmp_path / "CURRENT").write_bytes(text)
    with pytest.raises(SnapshotMissingError), holder.lease():
        pass


def test_while_the_pointer_is_gone_the_snapshot_is_still_served(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    assert served(holder) == "s1"
    (tmp_path / "CURRENT").unlink()
    assert served(holder) == "s1"
    assert isinstance(holder.standing().problem, SnapshotMissingError)


def test_a_closed_holder_keeps_no_file_open(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    served(holder)
    holder.close()
    assert open_files(tmp_path) == []


def name_in_manifest(home: Path, name: str) -> Path:
    """The manifest beside a snapshot's file holds its digest; gives the file."""
    path = snapshot_path(home, name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name("manifest.json").write_text(json.dumps({"files": {SNAPSHOT_FILE: digest}}), encoding="utf-8")
    return path


def flip_last_byte(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 0xFF
    path.write_bytes(bytes(raw))


def test_a_file_that_is_what_its_manifest_says_is_served(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    name_in_manifest(tmp_path, "s1")
    assert served(holder) == "s1"


def test_a_file_that_was_altered_by_one_byte_is_never_served(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    flip_last_byte(name_in_manifest(tmp_path, "s1"))
    with pytest.raises(SnapshotDamagedError, match="not what was published"), holder.lease():
        pass


def test_while_the_new_file_is_altered_the_one_before_is_served(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    assert served(holder) == "s1"
    publish(tmp_path, sample_inputs("s2"))
    flip_last_byte(name_in_manifest(tmp_path, "s2"))
    assert served(holder) == "s1"
    assert isinstance(holder.standing().problem, SnapshotDamagedError)


def test_a_manifest_that_cannot_be_read_vouches_for_nothing(tmp_path: Path, holder: SnapshotHolder) -> None:
    publish(tmp_path, sample_inputs("s1"))
    name_in_manifest(tmp_path, "s1").with_name("manifest.json").write_text("{")
    with pytest.raises(SnapshotDamagedError), holder.lease():
        pass
