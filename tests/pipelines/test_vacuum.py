"""A vacuum deletes what nobody needs, and never what a snapshot pins, what is young, or what a run goes back to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipelines.bi import write_bi
from pipelines.errors import IntegrityError
from pipelines.publish import pointed, rollback, snapshots
from pipelines.store.versions import rows_of
from pipelines.vacuum import Vacuum, optimise, vacuum
from pipelines.verify import find_damage, refuse_damage
from tests.pipelines.damaging import empty, manifest
from tests.pipelines.published import SHOPS, publish_run, shop, write

FOLDER = Path("lake/gold/dim_shop")
LATER, LONG_AGO = 4_000_000_000_000, 0


def data_files(home: Path) -> set[str]:
    return {path.name for path in (home / FOLDER).glob("*.parquet")}


def needed(home: Path, version: int | None = None) -> set[str]:
    return {Path(uri).name for uri in DeltaTable(str(home / FOLDER), version=version).file_uris()}


def sweep(home: Path, *, keep: int = 5, cutoff_ms: int = LATER, dry_run: bool = False) -> Vacuum:
    return vacuum(home, keep=keep, cutoff_ms=cutoff_ms, dry_run=dry_run)


def count(home: Path) -> int:
    return int(rows_of(home / "lake", SHOPS, "SELECT count(*) AS n FROM t")[0]["n"])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three published versions, each with a data file of its own, and one that was never published."""
    home = tmp_path_factory.mktemp("published")
    for number in (1, 2, 3):
        write(home, SHOPS, [shop(str(number))], "overwrite")
        publish_run(home, number)
    write(home, SHOPS, [shop("4")], "overwrite")
    return home


@pytest.fixture
def home(published: Path, tmp_path: Path) -> Path:
    """Those versions in a home of the test's own."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_no_pinned_version_loses_a_file(home: Path) -> None:
    before = {version: needed(home, version) for version in (1, 2, 3, 4)}
    done = sweep(home)
    assert (done.tables, done.snapshots) == ([], [])
    assert {version: needed(home, version) for version in (1, 2, 3, 4)} == before
    assert data_files(home) == set().union(*before.values())


def test_snapshots_beyond_the_policy_go_with_the_files_that_only_they_need(home: Path) -> None:
    first = snapshots(home)[0]
    done = sweep(home, keep=2)
    assert done.snapshots == [first]
    assert [(swept.table, swept.files) for swept in done.tables] == [(SHOPS, 1)]
    assert data_files(home) == needed(home, 2) | needed(home, 3) | needed(home, 4)
    assert find_damage(home) == []


def test_a_version_that_was_in_force_at_the_cutoff_stays(home: Path) -> None:
    assert sweep(home, keep=1, cutoff_ms=LONG_AGO).tables == []
    assert len(data_files(home)) == 4


def test_a_dry_run_tells_the_same_and_deletes_nothing(home: Path) -> None:
    told = sweep(home, keep=1, dry_run=True)
    assert len(data_files(home)) == 4
    assert len(snapshots(home)) == 3
    done = sweep(home, keep=1)
    assert (told.snapshots, told.tables, told.bytes) == (done.snapshots, done.tables, done.bytes)
    assert done.bytes > 0


def test_the_snapshot_that_was_gone_back_to_stays_readable_whatever_the_policy(home: Path) -> None:
    rollback(home)
    rollback(home)
    sweep(home, keep=1)
    assert pointed(home) in snapshots(home)
    assert find_damage(home) == []
    assert write_bi(home)[1] == [SHOPS]


def test_files_that_no_commit_ever_named_go_with_their_checksums(home: Path) -> None:
    orphans = [home / FOLDER / name for name in ("part-left.parquet", ".part-left.parquet.crc")]
    for path in orphans:
        path.write_bytes(b"x")
    sweep(home)
    assert [path.exists() for path in orphans] == [False, False]


def test_the_checksum_of_a_needed_file_stays(home: Path) -> None:
    checksum = home / FOLDER / f".{next(iter(needed(home)))}.crc"
    checksum.write_bytes(b"x")
    sweep(home)
    assert checksum.exists()


def test_an_empty_partition_folder_goes(tmp_path: Path) -> None:
    write(tmp_path, "bronze.staff", [{"record_hash": "a", "interval": "2025-03-01"}])
    write(tmp_path, "bronze.staff", [{"record_hash": "b", "interval": "2025-03-02"}], "overwrite")
    sweep(tmp_path)
    assert [path.name for path in (tmp_path / "lake/bronze/staff").glob("interval=*")] == ["interval=2025-03-02"]


def test_the_versions_that_the_stitcher_goes_back_to_stay(home: Path) -> None:
    write(home, "identity.homes", [{"identifier_key": 1}], "overwrite")
    write(home, "identity.homes", [{"identifier_key": 2}], "overwrite")
    figures = {"run_id": "r000001-2025-03-01", "as_of": "2025-03-01"}
    marks = [("run", "", 1.0), ("policy", "x", 1.0), ("version", "identity.homes", 1.0)]
    report = [figures | {"metric": m, "dimension": d, "value": v} for m, d, v in marks]
    write(home, "identity.report", report)
    sweep(home)
    homes = DeltaTable(str(home / "lake/identity/homes"), version=1)
    assert all(Path(uri).exists() for uri in homes.file_uris())


def test_logs_before_a_checkpoint_go_when_nobody_reads_that_far_back(tmp_path: Path) -> None:
    for number in range(25):
        write(tmp_path, SHOPS, [shop(str(number))])
    publish_run(tmp_path, 1)
    sweep(tmp_path)
    write(tmp_path, SHOPS, [shop("x")])
    publish_run(tmp_path, 2, keep=1)
    done = sweep(tmp_path, keep=1)
    assert [swept.log_files for swept in done.tables] == [25]
    assert (find_damage(tmp_path), count(tmp_path)) == ([], 26)
    refuse_damage(tmp_path)


def test_nothing_is_deleted_while_a_snapshot_cannot_say_what_it_needs(home: Path) -> None:
    empty(manifest(home))
    with pytest.raises(IntegrityError, match="manifest is missing or damaged"):
        sweep(home, keep=3)
    assert len(data_files(home)) == 4


def test_small_files_are_put_together_and_readers_see_the_same_rows(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, SHOPS, [shop(str(number))])
    publish_run(tmp_path, 1)
    said: list[str] = []
    (done,) = optimise(tmp_path, said.append)
    assert (done.table, done.compacted, len(said)) == (SHOPS, 5, 1)
    assert len(needed(tmp_path)) == 1
    assert rows_of(tmp_path / "lake", SHOPS, "SELECT shop_id FROM t WHERE shop_id > '2' ORDER BY 1") == [
        {"shop_id": "3"},
        {"shop_id": "4"},
    ]
    assert optimise(tmp_path, said.append) == []
    sweep(tmp_path)
    assert find_damage(tmp_path) == []
