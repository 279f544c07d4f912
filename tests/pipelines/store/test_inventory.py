"""An inventory names exactly the files of a version, and damaged files are never taken for good ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipelines.errors import IntegrityError
from pipelines.store.inventory import Inventory, commit_problem, digest_of, logged_files, take_inventory
from pipelines.tables import ALL
from tests.pipelines.damaging import cut, data, log, remove
from tests.pipelines.published import SHOPS, shop, write

TABLE = ALL[SHOPS]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path, SHOPS, [shop("1"), shop("2")])
    return tmp_path


def taken(home: Path, before: Inventory | None = None) -> Inventory:
    found = take_inventory(home / "lake", TABLE, before)
    assert found is not None
    return found


def test_it_names_version_log_and_data_files_with_their_digests(home: Path) -> None:
    found, file = taken(home), data(home)
    assert (found.version, sorted(found.log)) == (1, [log(home, 0).name, log(home, 1).name])
    assert found.files == {file.name: (file.stat().st_size, digest_of(file))}


def test_it_is_the_same_after_a_way_through_json(home: Path) -> None:
    assert Inventory.of(taken(home).as_dict()) == taken(home)


def test_a_table_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert take_inventory(tmp_path, TABLE) is None


def test_files_of_replaced_versions_are_not_named(home: Path) -> None:
    write(home, SHOPS, [shop("3")], "overwrite")
    assert set(taken(home).files) == {
        Path(uri).name for uri in DeltaTable(str(home / "lake/gold/dim_shop")).file_uris()
    }


def test_a_digest_that_is_known_is_not_taken_from_the_file_again(home: Path) -> None:
    before = taken(home)
    path = data(home)
    path.write_bytes(b"x" * path.stat().st_size)
    assert taken(home, before).files == before.files


@pytest.mark.parametrize("harm", [remove, cut])
def test_a_missing_or_cut_data_file_is_refused_by_name(home: Path, harm: object) -> None:
    path = data(home)
    harm(path)  # type: ignore[operator]
    with pytest.raises(IntegrityError, match="missing or cut") as caught:
        take_inventory(home / "lake", TABLE)
    assert caught.value.where == str(path)


def test_a_table_whose_log_cannot_be_read_is_refused(home: Path) -> None:
    cut(log(home, 1))
    with pytest.raises(IntegrityError, match="cannot be read"):
        take_inventory(home / "lake", TABLE)


def test_the_log_states_size_and_rows_of_each_file(home: Path) -> None:
    files, version = logged_files(home / "lake" / "gold" / "dim_shop")
    (logged,) = files.values()
    assert (version, logged.rows, logged.size) == (1, 2, data(home).stat().st_size)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"add":{}}\n{"commitInfo":{}}', ""),
        (b"", "is empty"),
        (b'{"add":{', "is cut or was changed"),
        (b"[]", "is cut"),
    ],
)
def test_a_commit_is_lines_of_actions(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "0.json").write_bytes(content)
    found = commit_problem(tmp_path / "0.json")
    assert found.startswith(problem) if problem else found == ""


def test_a_commit_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert commit_problem(tmp_path / "0.json") == "is missing"
