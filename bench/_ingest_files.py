"""Landing files for measuring ingest: orders and events of a simulated brand, multiplied under other numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import orjson

from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.simulate.files import Appender

DAY = "2025-01-01"
PAGE = 100
FILE_RECORDS = 250_000
"""About so many to a file, in an even number of files."""
FEEDS = ("douyin_orders", "miniprogram_events")
Json = dict[str, Any]


def write_files(folder: Path, *, orders: int, events: int) -> dict[str, Path]:
    """By feed the folder of its landing files of one interval, with so many records in pages as the platforms give."""
    world = folder / "world"
    # A person has about two Douyin orders in these days.
    config = SimulationConfig(people=1_500, days=5, start=DAY, seed=3, dirt=Dirt.none())
    simulate(config, world)
    wanted = {"douyin_orders": (orders, _numbered_order), "miniprogram_events": (events, _numbered_event)}
    found: dict[str, Path] = {}
    for feed, (count, renumber) in wanted.items():
        found[feed] = folder / "landing" / feed / DAY
        files = 2 * max(1, round(count / (2 * FILE_RECORDS)))
        _write(found[feed], _multiplied(list(_records(world / "landing" / feed)), count, renumber), feed, files)
    shutil.rmtree(world)
    return found


def _records(folder: Path) -> Iterator[tuple[Json, Json]]:
    """(context, record) of every order or event of the world."""
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            wrapped = orjson.loads(line)
            payload, context = wrapped["payload"], wrapped["context"]
            if "distinct_id" in payload:
                yield context, payload
            elif isinstance(payload.get("data"), dict) and "shop_order_list" in payload["data"]:
                yield from ((context, order) for order in payload["data"]["shop_order_list"])


def _multiplied(
    records: list[tuple[Json, Json]], count: int, renumber: Callable[[Json, int], Json]
) -> Iterator[tuple[Json, Json]]:
    for place, (context, record) in enumerate(islice(cycle(records), count)):
        yield context, renumber(record, place // len(records))


def _numbered_order(order: Json, copy: int) -> Json:
    lines = [{**line, "order_id": f"{line['order_id']}{copy:04d}"} for line in order["sku_order_list"]]
    return {**order, "order_id": f"{order['order_id']}{copy:04d}", "sku_order_list": lines}


def _numbered_event(event: Json, copy: int) -> Json:
    return {**event, "_track_id": (event.get("_track_id") or 1) + copy, "time": event["time"] + copy}


def _write(folder: Path, records: Iterator[tuple[Json, Json]], feed: str, files: int) -> None:
    """Orders as pages with their envelope, events one a line, dealt out over the files."""
    out = Appender(folder)
    batch: list[tuple[Json, Json]] = []
    size = PAGE if feed == "douyin_orders" else 1
    for number, one in enumerate(records):
        batch.append(one)
        if len(batch) == size:
            out.append(f"part-{number // size % files:04d}.jsonl", _line(batch, feed))
            batch = []
    if batch:
        out.append("part-0000.jsonl", _line(batch, feed))
    out.flush()


def _line(batch: list[tuple[Json, Json]], feed: str) -> bytes:
    context, first = batch[0]
    if feed != "douyin_orders":
        return orjson.dumps({"context": context, "payload": first}) + b"\n"
    page = {"page": 0, "size": PAGE, "total": len(batch), "shop_order_list": [record for _, record in batch]}
    envelope = {"code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "log_id": "x", "data": page}
    return orjson.dumps({"context": context, "payload": envelope}) + b"\n"
