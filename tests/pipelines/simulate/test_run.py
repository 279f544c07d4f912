"""A run: the same settings give the same bytes, in any process; the report says what is on disk."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.simulate import ShardFailedError, SimulationConfig, SimulationRefusedError, run, simulate

SMALL: dict[str, Any] = {"people": 60, "days": 5, "avg_orders_per_person": 2.0, "avg_events_per_person": 4.0}


def digest(out: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(out)).encode() + path.read_bytes())
    return total.hexdigest()


def test_equal_settings_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(SimulationConfig(**SMALL), tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    simulate(SimulationConfig(**SMALL, seed=1), tmp_path / "a")
    simulate(SimulationConfig(**SMALL, seed=2), tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


@pytest.mark.e2e
def test_the_order_of_hashes_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipelines.simulate import SimulationConfig, simulate;"
        f"simulate(SimulationConfig(**{SMALL!r}), Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=env)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


@pytest.mark.e2e
def test_several_processes_write_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SimulationConfig(**{**SMALL, "people": 560})
    simulate(config, tmp_path / "one")
    monkeypatch.setattr(run, "ONE_PROCESS_UP_TO", 0)
    simulate(config, tmp_path / "many")
    assert digest(tmp_path / "one") == digest(tmp_path / "many")


@pytest.mark.e2e
def test_a_part_that_fails_in_its_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ONE_PROCESS_UP_TO", 0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "landing").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ShardFailedError, match=r"part [01] of the world was not written: .*empty the target folder"):
        simulate(SimulationConfig(**{**SMALL, "people": 560}), tmp_path / "out")


def test_a_folder_that_holds_a_world_is_refused(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    with pytest.raises(SimulationRefusedError, match="allowed a folder without landing/ and truth/"):
        simulate(SimulationConfig(**SMALL), tmp_path)


def test_progress_ends_at_all_cells(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    config = SimulationConfig(**{**SMALL, "people": 1_100})
    simulate(config, tmp_path, progress=lambda *step: told.append(step))
    assert told == [("world", 1, 3), ("world", 2, 3), ("world", 3, 3)]


def test_reported_records_are_those_on_disk(world: Any, counted: dict[str, int]) -> None:
    assert world.report.records == counted


def test_every_feed_of_the_lake_but_file_exports_is_written(counted: dict[str, int]) -> None:
    assert sorted(counted) == sorted(
        (
            *("douyin_orders", "douyin_refunds", "douyin_members", "douyin_messages"),
            *("tmall_trades", "tmall_refunds", "tmall_members", "tmall_messages"),
            *("wecom_contacts", "wecom_group_chats", "wecom_staff_stats", "wecom_events", "wecom_tags"),
            *("wecom_transfers", "miniprogram_users", "miniprogram_events", "id_conversions", "points_events"),
            *("order_claims", "consents", "shop_orders", "products", "staff", "observations"),
        )
    )


def test_every_record_arrives_on_the_business_day_of_its_folder(world: Any, counted: dict[str, int]) -> None:
    arrived = {
        (line.interval, line.context["received_at"][:10])
        for feed in counted
        for line in world.lines(feed)
        if line.context
    }
    assert {interval for interval, _ in arrived} <= {f"2025-01-{day:02d}" for day in range(1, 25)}
    assert all(interval == received for interval, received in arrived)


def test_the_summary_holds_the_settings_and_the_totals(world: Any) -> None:
    import json

    summary = json.loads((world.out / "truth" / "summary.json").read_text())
    assert summary["config"]["people"] == 600
    assert summary["records"] == world.report.records
    assert summary["books"]["douyin"] == world.report.books["douyin"]


def test_orders_and_events_follow_the_settings(tmp_path: Path) -> None:
    config = SimulationConfig(people=500, days=10, avg_orders_per_person=4.0, avg_events_per_person=10.0)
    report = simulate(config, tmp_path)
    assert report.records["miniprogram_events"] == pytest.approx(500 * 10, rel=0.25)
    assert sum(book["orders"] for book in report.books.values()) == pytest.approx(500 * 4 * 0.9, rel=0.25)
