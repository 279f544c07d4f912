"""A simulated brand's landing files, all feeds and all dirt, through the tasks of ingest."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from pipelines.jobs.landing import chunks, landing_batches
from pipelines.jobs.worker import Result, Worker
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.sources import FEED_PARSERS
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import worker_setup

DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
Rows = dict[str, list[str]]


@dataclass(frozen=True)
class World:
    """What the tasks of ingest made of the landing files, and the phones of everybody in them."""

    rows: Rows
    raw: dict[str, list[dict[str, Any]]]
    results: list[Result]
    phones: frozenset[str]
    broken: Counter[str]


def staged(results: list[Result]) -> tuple[Rows, dict[str, list[dict[str, Any]]]]:
    raw: dict[str, list[dict[str, Any]]] = {}
    for kind, name, file, *_ in results:
        if kind == "staged":
            raw.setdefault(name, []).extend(pq.read_table(file).to_pylist())
    rows = {name: sorted(orjson.dumps(row, default=str).decode() for row in found) for name, found in raw.items()}
    return rows, raw


def truth(home: Path, name: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (home / "truth" / f"{name}.jsonl").read_bytes().splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    home = tmp_path_factory.mktemp("world")
    simulate(SimulationConfig(people=60, days=3, start=DAYS[0], seed=11, dirt=Dirt.default().scaled(3)), home)
    reader = Worker(worker_setup(home / "staging"))
    for batch in landing_batches(home / "landing", DAYS, frozenset()):
        for chunk in chunks(batch, 1 << 16):
            reader.read_chunk(chunk)
    results = list(reader.stage.finish())
    phones = frozenset(row["value"] for row in truth(home, "identifiers") if row["namespace"] == "phone")
    faults = ((row["feed"], row["kind"]) for row in truth(home, "faults"))
    broken = Counter(f"{feed} {kind.partition('_')[0]}" for feed, kind in faults if kind in ("broken", "error_answer"))
    return World(*staged(results), results, phones, broken)


def test_every_feed_of_the_world_is_read(world: World) -> None:
    read = {name.removeprefix("bronze.") for name in world.rows if name.startswith("bronze.")}
    assert len(read) >= 20
    assert read <= set(FEED_PARSERS)


def test_exactly_what_the_world_broke_is_refused(world: World) -> None:
    refused: Counter[str] = Counter()
    for kind, name, _, feed, _, _, rows in world.results:
        if kind == "quarantined":
            refused[f"{feed} {'error' if name == 'platform_error' else 'broken'}"] += rows
    assert refused.total() > 0
    assert refused == world.broken


def test_reading_bronze_again_gives_the_same_rows(world: World, tmp_path: Path) -> None:
    again = Worker(worker_setup(tmp_path))
    for name in sorted(world.raw):
        feed = name.removeprefix("bronze.")
        for row in world.raw[name] if feed != name else ():
            again.read_bronze({**row, "feed": feed, "interval": row["interval"].isoformat()})
    rows, _ = staged(list(again.stage.finish()))
    first = {name: found for name, found in world.rows.items() if not name.startswith(("bronze.", "silver.quarantine"))}
    assert {name: len(found) for name, found in rows.items()} == {name: len(found) for name, found in first.items()}
    assert rows == first


def test_no_phone_of_the_world_lies_in_the_clear_outside_bronze(world: World) -> None:
    clear = {
        name: found & world.phones
        for name, rows in world.rows.items()
        if not name.startswith("bronze.") and (found := {phone for row in rows for phone in MOBILE.findall(row)})
    }
    assert {name: phones for name, phones in clear.items() if phones} == {}


def test_rows_name_declared_columns_only(world: World) -> None:
    for name, rows in world.raw.items():
        assert {column for column in rows[0] if not column.startswith("__")} == set(ALL[name].column_names)


def test_every_phone_token_of_silver_has_its_vault_entry(world: World) -> None:
    vault = {row["token"] for row in world.raw["silver.pii_vault"]}
    tokens = {row["phone_token"] for row in world.raw["silver.order_phones"]}
    stated = {
        seen["value"] for row in world.raw["silver.identity_observations"] for seen in row["ids"]
        if seen["namespace"] == "phone"
    }  # fmt: skip
    assert tokens
    assert stated
    assert sorted((tokens | stated) - vault) == []
