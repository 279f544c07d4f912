"""Every damage of a published snapshot is found and named; a whole one has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.publish import CURRENT
from pipelines.verify import find_damage
from serving.contract import SNAPSHOT_FILE
from tests.pipelines.published import FACTS, SHOPS, publish_run, shop, write


@pytest.fixture(params=["plain", "with space #1% 数据"])
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    home = tmp_path / str(request.param)
    write(home, SHOPS, [shop("1"), shop("2")])
    write(home, FACTS, [])
    publish_run(home, 1)
    return home


def log(home: Path) -> Path:
    return home / "lake" / "gold" / "dim_shop" / "_delta_log"


def data(home: Path) -> Path:
    (path,) = (home / "lake" / "gold" / "dim_shop").glob("*.parquet")
    return path


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[20] ^= 0xFF
    path.write_bytes(bytes(raw))


def newest(home: Path) -> Path:
    return log(home) / f"{1:020d}.json"


def serving(home: Path) -> Path:
    (path,) = home.glob(f"snapshots/*/{SNAPSHOT_FILE}")
    return path


def test_a_whole_snapshot_has_no_damage(home: Path) -> None:
    assert find_damage(home) == []


def test_a_lake_without_a_snapshot_has_no_damage(tmp_path: Path) -> None:
    assert find_damage(tmp_path) == []


def test_a_run_that_goes_on_does_not_damage_what_is_published(home: Path) -> None:
    write(home, SHOPS, [shop("3")])
    assert find_damage(home) == []


@pytest.mark.parametrize(
    ("damage", "where", "problem"),
    [
        (lambda home: newest(home).unlink(), newest, "commit of version 1 is missing"),
        (lambda home: half(newest(home)), newest, "commit of version 1 was changed or cut"),
        (lambda home: newest(home).write_bytes(b""), newest, "commit of version 1 was changed or cut"),
        (lambda home: (log(home) / f"{0:020d}.json").unlink(), log, "cannot be read from the log"),
        (lambda home: data(home).unlink(), None, "data file is missing, cut or unreadable"),
        (lambda home: half(data(home)), data, "data file is missing, cut or unreadable"),
        (lambda home: data(home).write_bytes(b""), data, "data file is missing, cut or unreadable"),
        (lambda home: serving(home).unlink(), None, "serving snapshot is missing"),
        (lambda home: half(serving(home)), serving, "serving snapshot is damaged"),
        (lambda home: (home / CURRENT).write_text("gone\n"), None, "manifest is missing or damaged"),
    ],
)
def test_damage_is_found_and_named(
    home: Path, damage: Callable[[Path], object], where: Callable[[Path], Path] | None, problem: str
) -> None:
    place = str(where(home)) if where is not None else ""
    damage(home)
    (found,) = find_damage(home)
    assert problem in found.problem
    assert place in found.where


def test_rows_that_do_not_add_up_are_found(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, SHOPS, [shop("1")])
    data(home).write_bytes(data(other).read_bytes())
    (found,) = find_damage(home)
    assert "1 rows where the manifest says 2" in found.problem


def test_a_changed_byte_inside_the_data_is_found(home: Path) -> None:
    flip(data(home))
    assert len(find_damage(home)) == 1
