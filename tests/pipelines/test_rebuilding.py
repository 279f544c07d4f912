"""Lost rows are counted by what the log says, and one command makes them again from where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.rebuilding import Lost, commands, lost_rows, owe, owed, settle
from tests.pipelines.published import SHOPS, shop, write

DAYS = ("2025-03-01", "2025-03-05")


def lost(table: str, *intervals: str, again: bool = True) -> Lost:
    return Lost(table, 1, 1, intervals, again)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    write(tmp_path, "ops.batches", [{"batch_id": day, "interval": day} for day in DAYS])
    return tmp_path / "lake"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ([lost("gold.dim_shop")], "cdp run --from 2025-03-05 --to 2025-03-05 --full"),
        ([lost("identity.homes")], "cdp run --from 2025-03-05 --to 2025-03-05 --full"),
        (
            [lost("bronze.staff", "2025-03-02", "2025-03-03")],
            "cdp run --from 2025-03-02 --to 2025-03-03 --ignore-ledger --full",
        ),
        ([lost("silver.orders")], "cdp run --from 2025-03-01 --to 2025-03-05 --ignore-ledger --full"),
        ([lost("ops.progress")], "cdp run --from 2025-03-01 --to 2025-03-05 --ignore-ledger --full"),
        (
            [lost("gold.dim_shop"), lost("silver.orders")],
            "cdp run --from 2025-03-01 --to 2025-03-05 --ignore-ledger --full",
        ),
    ],
)
def test_the_command_reaches_as_far_back_as_the_rows_come_from(lake: Path, files: list[Lost], command: str) -> None:
    assert commands(lake, files) == [command]


def test_what_nothing_makes_again_asks_for_no_run(lake: Path) -> None:
    assert commands(lake, [lost("ops.audit", again=False)]) == []


def test_lost_commits_ask_for_all_days(lake: Path) -> None:
    assert commands(lake, [], everything=True) == ["cdp run --from 2025-03-01 --to 2025-03-05 --ignore-ledger --full"]


def test_rows_and_days_of_lost_files_are_taken_from_the_log(tmp_path: Path) -> None:
    write(tmp_path, "bronze.staff", [{"record_hash": str(n), "interval": "2025-03-02"} for n in range(3)])
    folder = tmp_path / "lake" / "bronze" / "staff"
    files = list(folder.rglob("*.parquet"))
    assert lost_rows(folder, "bronze.staff", files) == Lost("bronze.staff", 1, 3, ("2025-03-02",), again=True)


def test_rows_of_an_unreadable_table_are_unknown(tmp_path: Path) -> None:
    write(tmp_path, SHOPS, [shop("1")])
    folder = tmp_path / "lake" / "gold" / "dim_shop"
    (folder / "_delta_log" / f"{0:020d}.json").unlink()
    assert lost_rows(folder, SHOPS, list(folder.glob("*.parquet"))).rows is None


@pytest.mark.parametrize(
    ("command", "ignore_ledger", "full", "settled"),
    [
        ("cdp run --full", False, True, True),
        ("cdp run --full", False, False, False),
        ("cdp run --ignore-ledger --full", False, True, False),
        ("cdp run --ignore-ledger --full", True, False, False),
        ("cdp run --ignore-ledger --full", True, True, True),
    ],
)
def test_only_the_run_that_was_named_settles_what_is_owed(
    tmp_path: Path, command: str, ignore_ledger: bool, full: bool, settled: bool
) -> None:
    owe(tmp_path, [command])
    settle(tmp_path, ignore_ledger=ignore_ledger, full=full)
    assert owed(tmp_path) == ([] if settled else [command])
