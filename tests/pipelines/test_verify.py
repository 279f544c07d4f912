"""Every damage of a lake and its snapshots is found and named; a whole one has none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import ExitCode, IntegrityError
from pipelines.publish import BROKEN, CURRENT
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from pipelines.verify import find_damage, refuse_damage
from tests.pipelines.damaging import KINDS, cut, data, empty, flip, log, manifest, present, remove, serving
from tests.pipelines.published import FACTS, SHOPS, publish_run, shop, write


@pytest.fixture(scope="module", params=["plain", "with space #1% 数据"])
def published(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A published lake; not to be changed."""
    home = tmp_path_factory.mktemp("published") / str(request.param)
    write(home, SHOPS, [shop("1"), shop("2")])
    write(home, FACTS, [])
    publish_run(home, 1)
    return home


@pytest.fixture
def home(published: Path, tmp_path: Path) -> Path:
    """A published lake of the test's own."""
    return Path(shutil.copytree(published, tmp_path / published.name))


def test_a_whole_lake_has_no_damage(home: Path) -> None:
    assert find_damage(home) == []
    refuse_damage(home)


def test_a_lake_without_a_snapshot_has_no_damage(tmp_path: Path) -> None:
    assert find_damage(tmp_path) == []
    refuse_damage(tmp_path)


def test_a_run_that_goes_on_does_not_damage_what_is_published(home: Path) -> None:
    write(home, SHOPS, [shop("3")])
    assert find_damage(home) == []
    refuse_damage(home)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_damage_is_found_once_and_named(home: Path, kind: str) -> None:
    where, harm, problem = KINDS[kind]
    path = where(home)
    harm(path)
    (found,) = find_damage(home)
    assert problem in found.problem
    assert found.where == str(path)
    assert (found.table, found.version) == ((SHOPS, 1) if found.kind in ("log", "data") else ("", -1))


@pytest.mark.parametrize(
    ("harm", "problem"), [(remove, "serving snapshot is missing"), (cut, "serving snapshot is damaged")]
)
def test_a_serving_file_that_is_gone_or_cut_is_found(home: Path, harm: Callable[[Path], None], problem: str) -> None:
    path = serving(home)
    harm(path)
    (found,) = find_damage(home)
    assert (found.problem, found.where) == (f"the {problem}", str(path))


def test_the_first_log_file_counts_as_much_as_the_newest(home: Path) -> None:
    remove(log(home, 0))
    (found,) = find_damage(home)
    assert (found.where, found.version) == (str(log(home, 0)), 0)


def test_a_log_file_that_a_checkpoint_makes_up_for_is_not_missed(home: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(str(home / "lake" / "gold" / "dim_shop")).create_checkpoint()
    publish_run(home, 2)
    remove(log(home, 0))
    assert find_damage(home) == []


def test_a_pointer_to_nothing_is_damage(home: Path) -> None:
    (home / CURRENT).write_text("gone\n")
    (found,) = find_damage(home)
    assert (found.where, found.kind) == (str(home / CURRENT), "manifest")


def test_a_missing_pointer_beside_snapshots_is_damage(home: Path) -> None:
    (home / CURRENT).unlink()
    (found,) = find_damage(home)
    assert found.problem == "CURRENT is missing"


def test_an_inventory_that_was_changed_is_damage(home: Path) -> None:
    flip(manifest(home).with_name("inventory.json"))
    (found,) = find_damage(home)
    assert "inventory is missing or damaged" in found.problem


def test_an_older_snapshot_that_is_kept_is_looked_at_too(home: Path) -> None:
    first = serving(home)
    write(home, SHOPS, [shop("3")])
    publish_run(home, 2)
    flip(first)
    (found,) = find_damage(home)
    assert found.where == str(first)


@pytest.mark.parametrize(
    ("harm", "problem"),
    [(empty, "log file of version 2 is empty"), (cut, "log file of version 2 is cut or was changed")],
)
def test_a_commit_that_was_never_published_is_held_to_its_form(
    home: Path, harm: Callable[[Path], None], problem: str
) -> None:
    write(home, SHOPS, [shop("3")])
    harm(log(home, 2))
    (found,) = find_damage(home)
    assert problem in found.problem


def test_a_gap_in_the_commits_since_the_snapshot_is_found(home: Path) -> None:
    write(home, SHOPS, [shop("3")])
    write(home, SHOPS, [shop("4")])
    remove(log(home, 2))
    (found,) = find_damage(home)
    assert found.where == str(log(home, 2))


@pytest.mark.parametrize(
    ("harm", "problem"),
    [(remove, "is missing"), (empty, "is empty"), (cut, "is cut or was changed"), (flip, "cannot be read")],
)
def test_a_data_file_that_was_never_published_is_held_to_the_log(
    tmp_path: Path, harm: Callable[[Path], None], problem: str
) -> None:
    write(tmp_path, SHOPS, [shop("1")])
    harm(data(tmp_path))
    (found,) = find_damage(tmp_path)
    assert f"the data file {problem}" in found.problem
    assert (found.table, found.version, found.snapshot) == (SHOPS, 1, "")


def test_a_data_file_with_other_rows_than_the_log_says_is_found(tmp_path: Path) -> None:
    write(tmp_path, SHOPS, [shop("1"), shop("2")])
    other = tmp_path / "other"
    write(other, SHOPS, [shop("1")])
    same_size = data(other).read_bytes()
    commit = log(tmp_path)
    commit.write_text(commit.read_text().replace(f'"size":{data(tmp_path).stat().st_size}', f'"size":{len(same_size)}'))
    data(tmp_path).write_bytes(same_size)
    (found,) = find_damage(tmp_path)
    assert "holds 1 rows where the log says 2" in found.problem


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("data edited", "serving damaged")])
def test_a_run_refuses_to_begin_on_a_lake_that_is_damaged(home: Path, kind: str) -> None:
    where, harm, _ = KINDS[kind]
    if kind == "log edited":
        harm = cut
    path = where(home)
    harm(path)
    with pytest.raises(IntegrityError) as caught:
        refuse_damage(home)
    assert caught.value.where == str(path)
    assert (caught.value.code, caught.value.hint) == (ExitCode.INTEGRITY, "run `cdp repair`")


def test_a_run_may_begin_without_the_files_that_a_repair_gave_up(home: Path) -> None:
    path = data(home)
    path.unlink()
    (present(home) / BROKEN).write_text(f"{path}\n", encoding="utf-8")
    refuse_damage(home)


def test_a_table_that_was_emptied_by_a_repair_is_whole(home: Path) -> None:
    LocalLake(home / "lake").restore(ALL[SHOPS], -1)
    assert find_damage(home) == []


def test_a_table_folder_without_a_first_commit_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "lake" / "gold" / "dim_shop" / "_delta_log").mkdir(parents=True)
    assert find_damage(tmp_path) == []


def test_a_log_that_lost_every_commit_is_damage(tmp_path: Path) -> None:
    write(tmp_path, SHOPS, [shop("1")])
    for version in (0, 1):
        remove(log(tmp_path, version))
    (found,) = find_damage(tmp_path)
    assert "log file of version 0 is missing" in found.problem
