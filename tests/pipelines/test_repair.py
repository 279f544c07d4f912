"""After a repair the lake is what its last good snapshot says, or what is missing is said, and what makes it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.errors import IntegrityError
from pipelines.publish import CURRENT, Manifest, current, is_broken, pointed, rollback, snapshots
from pipelines.repair import repair
from pipelines.store.marks import Marks
from pipelines.store.versions import rows_of
from pipelines.verify import REPAIR_MARK, find_damage, refuse_damage
from tests.pipelines.damaging import KINDS, Harm, cut, data, empty, flip, log, manifest, remove, serving
from tests.pipelines.published import SHOPS, build_file, publish_run, shop, write

LEDGER = "ops.batches"
RUNS = "ops.job_runs"
BRONZE = "bronze.staff"


def shops(home: Path) -> list[str]:
    return [row["shop_id"] for row in rows_of(home / "lake", SHOPS, "SELECT shop_id FROM t ORDER BY 1")]


def batches(home: Path) -> list[str]:
    return [row["batch_id"] for row in rows_of(home / "lake", LEDGER, "SELECT batch_id FROM t ORDER BY 1")]


@pytest.fixture(scope="module")
def one_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One published day; not to be changed."""
    home = tmp_path_factory.mktemp("one_day")
    write(home, SHOPS, [shop("1"), shop("2")])
    write(home, LEDGER, [{"batch_id": "b1"}])
    publish_run(home, 1)
    return home


@pytest.fixture(scope="module")
def two_days(one_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another published day, whose shop lies in a data file of its own; not to be changed."""
    home = tmp_path_factory.mktemp("two_days")
    shutil.copytree(one_day, home, dirs_exist_ok=True)
    write(home, SHOPS, [shop("3")])
    write(home, LEDGER, [{"batch_id": "b2"}])
    publish_run(home, 2)
    return home


@pytest.fixture
def home(one_day: Path, tmp_path: Path) -> Path:
    """One published day, of the test's own."""
    shutil.copytree(one_day, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def second(two_days: Path, tmp_path: Path) -> Path:
    """Two published days, of the test's own."""
    shutil.copytree(two_days, tmp_path, dirs_exist_ok=True)
    return tmp_path


def newest_data(home: Path) -> Path:
    return max((home / "lake/gold/dim_shop").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)


def test_a_whole_lake_is_left_as_it_is(second: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(second.rglob("*")) if path.is_file()}
    done = repair(second, build_file)
    assert (done.steps, done.remaining, done.rerun) == ([], [], [])
    assert {path: path.read_bytes() for path in sorted(second.rglob("*")) if path.is_file()} == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_damage_is_repaired_and_a_second_repair_does_nothing(second: Path, kind: str) -> None:
    where, harm, _ = KINDS[kind]
    path = newest_data(second) if where is data else where(second)
    harm(path)
    done = repair(second, build_file)
    assert done.steps
    assert (done.remaining, find_damage(second)) == ([], [])
    assert shops(second) == (["1", "2"] if where is data else ["1", "2", "3"])
    refuse_damage(second)
    assert repair(second, build_file).steps == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][0] in (log, manifest)])
def test_small_files_come_back_byte_for_byte(second: Path, kind: str) -> None:
    where, harm, _ = KINDS[kind]
    path = where(second)
    before, present = path.read_bytes(), pointed(second)
    harm(path)
    repair(second, build_file)
    assert path.read_bytes() == before
    assert pointed(second) == present


def test_a_lost_data_file_takes_the_lake_back_to_the_snapshot_before(second: Path) -> None:
    first, _ = snapshots(second)
    remove(newest_data(second))
    done = repair(second, build_file)
    assert (done.snapshot, snapshots(second)) == (first, [first])
    assert (shops(second), batches(second)) == (["1", "2"], ["b1"])
    assert done.rerun == ["cdp run"]


def test_what_happened_is_not_forgotten_when_tables_go_back(second: Path) -> None:
    write(second, RUNS, [{"run_id": "r000003", "job": "s1"}])
    remove(newest_data(second))
    repair(second, build_file)
    assert rows_of(second / "lake", RUNS, "SELECT run_id FROM t") == [{"run_id": "r000003"}]


def test_the_next_run_looks_at_everything_after_tables_went_back(second: Path) -> None:
    remove(newest_data(second))
    repair(second, build_file)
    assert Marks(second).is_set("bronze")
    assert Marks(second).is_set("downstream")


@pytest.mark.parametrize("harm", [remove, empty, cut])
def test_a_damaged_commit_since_the_snapshot_takes_all_tables_back_to_it(home: Path, harm: Harm) -> None:
    write(home, SHOPS, [shop("3")])
    write(home, SHOPS, [shop("4")])
    write(home, LEDGER, [{"batch_id": "b2"}])
    harm(log(home, 2))
    done = repair(home, build_file)
    assert (shops(home), batches(home)) == (["1", "2"], ["b1"])
    assert (done.remaining, find_damage(home)) == ([], [])


def test_a_table_made_since_the_snapshot_holds_nothing_when_tables_go_back(home: Path) -> None:
    write(home, BRONZE, [{"record_hash": "x"}])
    write(home, SHOPS, [shop("3")])
    empty(log(home, 2))
    repair(home, build_file)
    assert rows_of(home / "lake", BRONZE, "SELECT count(*) AS n FROM t") == [{"n": 0}]


def test_a_repair_that_broke_off_holds_runs_back_and_is_finished_by_the_next(home: Path) -> None:
    write(home, LEDGER, [{"batch_id": "b2"}])
    Marks(home).set(REPAIR_MARK)
    with pytest.raises(IntegrityError, match="broke off"):
        refuse_damage(home)
    repair(home, build_file)
    refuse_damage(home)
    assert batches(home) == ["b1"]


def test_a_data_file_that_every_snapshot_needs_is_given_up_and_the_command_named(second: Path) -> None:
    oldest = min((second / "lake/gold/dim_shop").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    flip(oldest)
    done = repair(second, build_file)
    (lost,) = done.lost
    assert (lost.table, lost.files, lost.rows, lost.again) == (SHOPS, 1, 2, True)
    assert done.rerun == ["cdp run --from 2025-03-01 --to 2025-03-01 --full"]
    assert shops(second) == ["3"]
    assert [item.where for item in done.remaining] == [str(oldest)]
    assert is_broken(second, pointed(second) or "")


def test_the_run_that_makes_lost_rows_again_may_begin_and_its_publish_ends_the_damage(home: Path) -> None:
    remove(data(home))
    repair(home, build_file)
    refuse_damage(home)
    write(home, SHOPS, [shop("1"), shop("2")])
    publish_run(home, 2)
    assert find_damage(home) == []
    assert len(snapshots(home)) == 1


def test_lost_rows_are_owed_until_they_are_made_again(home: Path) -> None:
    remove(data(home))
    first = repair(home, build_file)
    again = repair(home, build_file)
    assert (again.steps, again.rerun) == ([], first.rerun)


def test_a_commit_lost_before_the_first_publish_asks_for_all_days_again(tmp_path: Path) -> None:
    write(tmp_path, LEDGER, [{"batch_id": "b1"}])
    write(tmp_path, SHOPS, [shop("1")])
    empty(log(tmp_path))
    done = repair(tmp_path, build_file)
    assert done.rerun == ["cdp run --from 2025-03-01 --to 2025-03-01 --ignore-ledger --full"]
    assert find_damage(tmp_path) == []


def test_a_table_whose_only_log_is_gone_is_put_aside(tmp_path: Path) -> None:
    write(tmp_path, LEDGER, [{"batch_id": "b1"}])
    write(tmp_path, SHOPS, [shop("1")])
    remove(log(tmp_path, 0))
    repair(tmp_path, build_file)
    assert not (tmp_path / "lake/gold/dim_shop").exists()
    assert (tmp_path / "damaged/lake/gold/dim_shop").is_dir()
    assert find_damage(tmp_path) == []


def test_a_pointer_that_names_nothing_points_to_the_present_snapshot_again(second: Path) -> None:
    present = pointed(second)
    (second / CURRENT).write_text("gone\n")
    repair(second, build_file)
    assert pointed(second) == present


def test_a_lost_pointer_leads_back_to_where_it_pointed(second: Path) -> None:
    first = rollback(second)
    remove(second / CURRENT)
    repair(second, build_file)
    assert pointed(second) == first


def test_a_snapshot_without_manifest_or_copy_is_put_aside(second: Path) -> None:
    first, last = snapshots(second)
    for path in (manifest(second), second / "backup" / "snapshots" / last / "manifest.json"):
        empty(path)
    done = repair(second, build_file)
    assert (done.snapshot, snapshots(second), find_damage(second)) == (first, [first], [])


def test_the_serving_file_is_made_again_from_the_same_versions_under_a_new_id(home: Path) -> None:
    before = current(home)
    made: list[Manifest] = []
    flip(serving(home))

    def build(folder: Path, named: Manifest) -> None:
        made.append(named)
        build_file(folder, named)

    done = repair(home, build)
    assert before is not None
    assert [one.tables for one in made] == [before.tables]
    assert done.snapshot == f"{before.snapshot_id}-2"
    assert snapshots(home) == [done.snapshot]


def test_an_old_snapshot_without_its_serving_file_goes(second: Path) -> None:
    first, last = snapshots(second)
    remove(second / "snapshots" / first / "serving.sqlite")
    repair(second, build_file)
    assert snapshots(second) == [last]
