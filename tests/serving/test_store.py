from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.contract.snapshot import build_snapshot
from serving.errors import SnapshotDamagedError, SnapshotMissingError
from serving.store import Snapshot
from tests.serving.sample import ANNA, CROWD, sample_inputs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "s.sqlite"
    build_snapshot(made, sample_inputs())
    return made


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_text(path: Path) -> None:
    path.write_text("not a snapshot " * 100)


def replace_by_foreign_database(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()


def age(path: Path) -> None:
    _change(path, "UPDATE meta SET value = '0' WHERE key = 'schema_version'")


def forget_its_id(path: Path) -> None:
    _change(path, "DELETE FROM meta WHERE key = 'snapshot_id'")


def spoil_its_policy(path: Path) -> None:
    _change(path, """UPDATE meta SET value = '{"policy": "guess"}' WHERE key = 'identity_policy'""")


def drop_its_facts(path: Path) -> None:
    _change(path, "DROP TABLE meta")


def _change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lengthen,
        empty,
        replace_by_text,
        replace_by_foreign_database,
        age,
        forget_its_id,
        spoil_its_policy,
        drop_its_facts,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_snapshot_is_refused_with_the_next_command(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    with pytest.raises(SnapshotDamagedError, match="cdp publish --rollback"):
        Snapshot(path)


def test_a_snapshot_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SnapshotMissingError, match="run `cdp run`"):
        Snapshot(tmp_path / "none.sqlite")


def test_damage_inside_the_file_is_found_when_it_is_read(path: Path) -> None:
    page = (
        sqlite3.connect(path).execute("SELECT rootpage FROM sqlite_master WHERE name = 'profiles_one_id'").fetchone()[0]
    )
    bytes_ = bytearray(path.read_bytes())
    bytes_[(page - 1) * 8192 : page * 8192] = b"\xff" * 8192
    path.write_bytes(bytes_)
    snapshot = Snapshot(path)
    with pytest.raises(SnapshotDamagedError):
        snapshot.profile(ANNA)
    assert snapshot.damage is not None


def test_a_spoilt_bitmap_is_damage(path: Path) -> None:
    _change(path, "UPDATE bitmaps SET bits = x'00' WHERE kind = 'tag'")
    with pytest.raises(SnapshotDamagedError):
        Snapshot(path).bitmaps("tag", "spending")


def test_spoilt_numbers_are_damage(path: Path) -> None:
    _change(path, "UPDATE feature_columns SET numbers = x'00'")
    with pytest.raises(SnapshotDamagedError):
        Snapshot(path).feature("net_fen")


def test_a_snapshot_is_never_written_to(path: Path) -> None:
    before = path.read_bytes()
    snapshot = Snapshot(path)
    with pytest.raises(SnapshotDamagedError):
        snapshot._all("DELETE FROM profiles")
    snapshot.close()
    assert path.read_bytes() == before


def test_many_threads_read_the_same(snapshot: Snapshot) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: snapshot.profile(ANNA), range(200)))
    assert len(found) == 1


def test_a_feature_has_a_number_for_each_person_that_has_one(snapshot: Snapshot) -> None:
    column = snapshot.feature("net_fen")
    profile = snapshot.profile(CROWD[0])
    assert column is not None
    assert profile is not None
    assert column.numbers[profile.person] == 100


def test_an_unknown_feature_is_none(snapshot: Snapshot) -> None:
    assert snapshot.feature("no such feature") is None


def test_only_the_latest_read_features_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.store._KEPT_ARRAYS", 1)
    opened = Snapshot(path)
    first = opened.feature("net_fen")
    opened.feature("is_member")
    again = opened.feature("net_fen")
    assert first is not None
    assert again is not None
    assert again is not first
